"""OpenCode's messages: one JSON object each, a row of its database or a file of its own. Versions 0.5 to 2.

A message of an assistant is one billed response. OpenCode writes its tokens once, when the answer has ended; before
that, and for ever when it was cut off, they are all zero, and nothing is known to be billed. A fork copies messages
under new ids, so a response is known by its instant, model and tokens, which every copy keeps. Input is without cache;
output has changed its meaning over the versions (`_output`).
"""

from typing import NamedTuple

import msgspec

from clown_daemon.store.ledger import Response
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.document import DocumentParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, instant, short

SOURCE = "opencode"

_REASONING_APART = ("google", "xai")
"""Providers whose output never holds the reasoning, in no version: also `google-vertex`."""


class Session(NamedTuple):
    """What is known of a session besides its messages."""

    id: str
    directory: str | None = None
    subagent: bool = False


class _Cache(msgspec.Struct, frozen=True, gc=False):
    read: int | None = None
    write: int | None = None


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """What a response cost, as OpenCode writes it."""

    total: int | None = None
    """Since 1.1; the provider's own sum."""
    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache: _Cache = _Cache()


class _Time(msgspec.Struct, frozen=True, gc=False):
    created: int | float
    completed: int | float | None = None


class _Model(msgspec.Struct, frozen=True, gc=False, rename={"provider": "providerID"}):
    id: str | None = None
    provider: str | None = None


class _Path(msgspec.Struct, frozen=True, gc=False):
    cwd: str | None = None


class Message(msgspec.Struct, frozen=True, gc=False, rename={"model_id": "modelID", "provider_id": "providerID"}):
    """An assistant's message."""

    time: _Time
    role: str | None = None
    model_id: str | None = None
    provider_id: str | None = None
    model: _Model | None = None
    """Since 2.0, instead of the two before."""
    tokens: Tokens | None = None
    path: _Path | None = None
    session: str | None = msgspec.field(default=None, name="sessionID")
    """In files only; a row has a column."""

    @property
    def unfinished(self) -> bool:
        """Whether its tokens may be still to come."""
        return self.time.completed is None and not _told(self.tokens)


class _Kind(msgspec.Struct, frozen=True, gc=False):
    """Only enough of a message to tell whether the rest matters; a user's has another shape."""

    role: str | None = None


class _Step(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    tokens: Tokens | None = None


_message_decoder = msgspec.json.Decoder(Message)
_kind_decoder = msgspec.json.Decoder(_Kind)
_step_decoder = msgspec.json.Decoder(_Step)


def read_message(data: bytes) -> Message | None:
    """Read a message; None for a user's.

    Raises:
        ValueError: it cannot be read (`msgspec.DecodeError` is one).
    """
    if b'"assistant"' not in data:
        return None
    try:
        message = _message_decoder.decode(data)
    except msgspec.ValidationError:
        if _kind_decoder.decode(data).role != "assistant":
            return None
        raise
    return message if message.role == "assistant" else None


def read_answer(data: bytes) -> Message:
    """Read a message of OpenCode 2, which is an assistant's because its row says so.

    Raises:
        ValueError: it cannot be read (`msgspec.DecodeError` is one).
    """
    return _message_decoder.decode(data)


def read_step(data: bytes) -> Tokens | None:
    """Read a part of a message; its tokens if it is the end of a step, one of several responses in one message.

    Raises:
        ValueError: it cannot be read (`msgspec.DecodeError` is one).
    """
    if b'"step-finish"' not in data:
        return None
    step = _step_decoder.decode(data)
    return step.tokens if step.type == "step-finish" else None


def bill(message: Message, session: Session, step: Tokens | None = None, repetition: int = 0) -> Response | None:
    """Answer what a message bills, or one step of it; None when nothing is known to be billed.

    Args:
        message: as it was read.
        session: whose it is.
        step: the tokens of one of its steps, where it had several.
        repetition: how many steps before this one had the same tokens.

    Raises:
        ValueError: a count or the instant cannot be one.
    """
    tokens = step or message.tokens
    if tokens is None or not _told(tokens):
        return None
    named = message.model
    provider = short(message.provider_id or (named.provider if named else None)) or SOURCE
    model = short(message.model_id or (named.id if named else None)) or UNKNOWN_MODEL
    at_ms = instant(message.time.created)
    cache, reasoning = tokens.cache, count(tokens.reasoning)
    counts = f"{tokens.input or 0}|{tokens.output or 0}|{reasoning}|{cache.read or 0}|{cache.write or 0}"
    key = f"opencode|{at_ms}|{provider}|{model}|{counts}"
    return Response(
        source=SOURCE,
        agent_id="opencode",
        key=f"{key}|{repetition}" if repetition else key,
        provider=provider,
        model=model,
        session=session.id,
        project=short(message.path.cwd if message.path else None) or session.directory,
        at_ms=at_ms,
        # Below 0 where a provider counted more tokens as read from its cache than it was sent.
        input_tokens=count(max(0, tokens.input or 0)),
        output_tokens=_output(message, tokens, provider),
        cache_read_tokens=count(cache.read),
        # Which of the two kinds it was is not told.
        cache_write_5m_tokens=count(cache.write),
        cache_write_1h_tokens=0,
        reasoning_tokens=reasoning,
        sidechain=session.subagent,
    )


class OpenCodeParser(DocumentParser):
    """Reads `storage/message/<session>/<message>.json`, where OpenCode kept its messages before 1.2.

    What became of them in the database has the same keys. One message of OpenCode 0 could be several responses; its
    file tells the last one alone, while the database has them all.
    """

    def _read_document(self, document: bytes) -> list[Response]:
        message = read_message(document)
        if message is None:
            return []
        response = bill(message, Session(short(message.session)))
        return [] if response is None else [response]


def _told(tokens: Tokens | None) -> bool:
    if tokens is None:
        return False
    return bool(tokens.input or tokens.output or tokens.reasoning or tokens.cache.read or tokens.cache.write)


def _output(message: Message, tokens: Tokens, provider: str) -> int:
    """Answer all output, with the reasoning.

    Since 1.14 `output` is without it. Before, it was whatever the provider counted: with it but for a few. The
    provider's sum tells, where there is one.
    """
    output, reasoning = count(tokens.output), count(tokens.reasoning)
    if not reasoning:
        return output
    apart = reasoning > output or message.model is not None or provider.startswith(_REASONING_APART)
    if not apart and tokens.total is not None:
        rest = tokens.total - (tokens.input or 0) - (tokens.cache.read or 0) - (tokens.cache.write or 0)
        apart = rest != output
    return count(output + reasoning) if apart else output
