"""Droid's sessions: one JSON document of settings a session, which holds sums of all its responses and nothing else.

A session is therefore one record, which corrects itself as the sums grow; when its model changes, another begins.
Input is without cache; thinking is part of the output. `inclusiveTokenUsage` counts sub-agents too, whose sessions have
documents of their own. Sums that fall bill nothing: the document was restored, and what grows from there is new. The
format is as of Droid 0.215, known from the program itself, not from runs of it.
"""

from typing import NamedTuple

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, short

SOURCE = "droid"
LARGEST_SUM = 2**40
"""No session has more tokens; a larger number is damage."""


class Totals(msgspec.Struct, frozen=True, rename="camel"):
    """What all responses of a session had together."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0
    thinking_tokens: int = 0

    def less(self, other: "Totals") -> "Totals | None":
        """Answer what is more here than in another; None where anything is less."""
        counts = [mine - its for mine, its in zip(self.counts, other.counts, strict=True)]
        return Totals(*counts) if min(counts) >= 0 else None

    @property
    def counts(self) -> tuple[int, ...]:
        """All five."""
        return msgspec.structs.astuple(self)


class Session(NamedTuple):
    """What is known of a session besides its settings."""

    id: str
    modified_ms: int
    """When the settings were written."""
    project: str | None = None
    subagent: bool = False
    inherited: Totals = Totals()
    """What its sums began with."""


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """The settings of a session, as far as they matter."""

    model: str | None = None
    provider_lock: str | None = None
    provider_lock_timestamp: str | None = None
    token_usage: Totals | None = None


class _Record(msgspec.Struct, frozen=True, array_like=True):
    """The record that a session is in the midst of."""

    number: int
    model: str
    base: Totals
    """The sums before it."""
    last: Totals
    """The sums when they were last read."""


_settings_decoder = msgspec.json.Decoder(Settings)


def read_settings(document: bytes) -> Settings:
    """Read settings.

    Raises:
        ValueError: they cannot be read, or a sum is none (`msgspec.DecodeError` is one).
    """
    settings = _settings_decoder.decode(document)
    usage = settings.token_usage
    if usage is not None and not all(0 <= number <= LARGEST_SUM for number in usage.counts):
        raise ValueError(f"{usage} are no sums of tokens")
    return settings


def bill(settings: Settings, session: Session, state: bytes = b"") -> tuple[Response | None, bytes]:
    """Answer what a session bills since its model was last changed, and the state to go on from next time.

    Raises:
        ValueError: it bills, and its instant is none.
    """
    usage = settings.token_usage
    if usage is None or not any(usage.counts):
        return None, state
    record = _go_on(_decode(state), usage, short(settings.model) or UNKNOWN_MODEL, session.inherited)
    own = usage.less(record.base)
    response = None if own is None or not any(own.counts) else _response(settings, session, record, own)
    return response, msgspec.msgpack.encode(record)


def _go_on(record: _Record | None, usage: Totals, model: str, inherited: Totals) -> _Record:
    if record is None:
        return _Record(0, model, inherited, usage)
    if usage.less(record.last) is None:
        return _Record(record.number + 1, model, usage, usage)
    if model != record.model:
        return _Record(record.number + 1, model, record.last, usage)
    return _Record(record.number, model, record.base, usage)


def _response(settings: Settings, session: Session, record: _Record, own: Totals) -> Response:
    locked = settings.provider_lock_timestamp if record.number == 0 else None
    return Response(
        source=SOURCE,
        agent_id="droid",
        key=f"droid|{session.id}|{record.number}",
        provider=short(settings.provider_lock).lower() or "factory",
        model=record.model,
        session=session.id,
        project=session.project,
        at_ms=epoch_ms(locked) if locked else session.modified_ms,
        input_tokens=own.input_tokens,
        output_tokens=own.output_tokens,
        cache_read_tokens=own.cache_read_tokens,
        cache_write_5m_tokens=own.cache_creation_tokens,
        cache_write_1h_tokens=0,
        reasoning_tokens=min(own.thinking_tokens, own.output_tokens),
        sidechain=session.subagent,
    )


def _decode(state: bytes) -> _Record | None:
    """Read a state; one of an unknown shape stands for the start."""
    try:
        return msgspec.msgpack.decode(state, type=_Record) if state else None
    except ValueError:  # `msgspec.DecodeError` is one, and bytes that are no text are another
        return None
