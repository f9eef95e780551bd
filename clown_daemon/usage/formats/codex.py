"""Codex CLI's rollouts: JSON lines, one file a thread. Format as of Codex 0.169, and what older versions wrote.

What bills is a `token_usage_record`, one per response. Versions without it wrote `token_count` events, each with the
sum so far and the last response: those count until the first record, never after it. They are written again without
anything new, and copied with new times into forks, so they carry a `twin`. The model is told by `turn_context`, once a
turn, so a parser that goes on in the middle of a file must know what came before: that is its state.
"""

import re
from typing import Annotated

import msgspec
from msgspec.structs import astuple, replace

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.response_keys import response_key
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, kind_of, short

SOURCE = "codex"

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**60)] | None
"""The larger ones are sums of a whole thread."""


class _Usage(msgspec.Struct, frozen=True):
    """Input includes both kinds of cache, output includes reasoning."""

    input_tokens: _Tokens = None
    cached_input_tokens: _Tokens = None
    cache_write_input_tokens: _Tokens = None
    output_tokens: _Tokens = None
    reasoning_output_tokens: _Tokens = None
    total_tokens: _Tokens = None

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers, 0 where one is not told."""
        return tuple(value or 0 for value in astuple(self))

    @property
    def text(self) -> str:
        return "/".join(map(str, self.counts))


class _Meta(msgspec.Struct, frozen=True):
    id: str
    cwd: str | None = None
    model_provider: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    thread_source: str | None = None


class _Turn(msgspec.Struct, frozen=True):
    turn_id: str | None = None
    model: str | None = None
    cwd: str | None = None


class _Settings(msgspec.Struct, frozen=True):
    model: str | None = None
    model_provider_id: str | None = None


class _SettingsApplied(msgspec.Struct, frozen=True):
    thread_settings: _Settings


class _Record(msgspec.Struct, frozen=True):
    usage: _Usage
    thread_id: str | None = None
    turn_id: str | None = None
    response_id: str | None = None
    thread_token_usage: _Usage = _Usage()


class _Info(msgspec.Struct, frozen=True):
    total_token_usage: _Usage
    last_token_usage: _Usage | None = None


class _TokenCount(msgspec.Struct, frozen=True):
    info: _Info | None = None
    """None where only rate limits are told."""


class _Line(msgspec.Struct, frozen=True):
    type: str
    timestamp: str
    payload: msgspec.Raw


class _Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What earlier lines said."""

    session: str = ""
    parent: str = ""
    subagent: bool = False
    provider: str = "openai"
    project: str = ""
    turn: str = ""
    turn_model: str = ""
    settings_model: str = ""
    """What was chosen since the turn began; what is told to be of that turn is still of its own."""
    recorded: bool = False
    """Whether there was a `token_usage_record`."""
    total: _Usage | None = None
    """The last sum that was told by a `token_count`."""


_KINDS = ("token_usage_record", "session_meta", "turn_context")
_EVENTS = ("token_count", "thread_settings_applied")
_line_decoder = msgspec.json.Decoder(_Line)
_meta_decoder = msgspec.json.Decoder(_Meta)
_turn_decoder = msgspec.json.Decoder(_Turn)
_settings_decoder = msgspec.json.Decoder(_SettingsApplied)
_record_decoder = msgspec.json.Decoder(_Record)
_token_count_decoder = msgspec.json.Decoder(_TokenCount)
_known_decoder = msgspec.json.Decoder(_Known)


class CodexParser(LineParser):
    """Reads one rollout."""

    markers = tuple(f'"{kind}"'.encode() for kind in _KINDS + _EVENTS)
    head = re.compile(
        rb'\{"timestamp":"[^"\\\n]*"(?:,"ordinal":\d+)?,"type":"(?:'
        rb'(token_usage_record|session_meta|turn_context|event_msg","payload":\{"type":"(?:token_count|thread_settings_applied))"'
        rb'|event_msg","payload":\{"type":"\w+"'
        rb'|(?!event_msg")\w+")'
    )

    _known = _Known()

    def _read_line(self, line: bytes) -> tuple[Response, ...]:
        try:
            read = _line_decoder.decode(line)
        except msgspec.ValidationError:
            if kind_of(line) not in _KINDS:
                return ()
            raise
        if read.type == "session_meta":
            self._begin(_meta_decoder.decode(read.payload))
        elif read.type == "turn_context":
            self._turn(_turn_decoder.decode(read.payload))
        elif read.type == "token_usage_record":
            return (self._record(epoch_ms(read.timestamp), _record_decoder.decode(read.payload)),)
        elif read.type == "event_msg":
            return self._event(read)
        return ()

    def _context(self) -> bytes:
        return b"" if self._known == _Known() else msgspec.json.encode(self._known)

    def _restore(self, context: bytes) -> None:
        self._known = _known_decoder.decode(context) if context else _Known()

    # -- what the lines say

    def _begin(self, meta: _Meta) -> None:
        known = self._known
        if known.session:
            # The header of the thread whose history follows: older forks name their parent nowhere else.
            if meta.id != known.session and not known.parent:
                self._known = replace(known, parent=short(meta.id))
            return
        self._known = replace(
            known,
            session=short(meta.id),
            parent=short(meta.forked_from_id or meta.parent_thread_id),
            subagent=meta.thread_source == "subagent",
            provider=short(meta.model_provider).lower() or known.provider,
            project=short(meta.cwd),
        )

    def _turn(self, turn: _Turn) -> None:
        self._known = replace(
            self._known,
            turn=short(turn.turn_id),
            turn_model=short(turn.model),
            settings_model="",
            project=short(turn.cwd) or self._known.project,
        )

    def _event(self, line: _Line) -> tuple[Response, ...]:
        kind = kind_of(line.payload)
        if kind == "thread_settings_applied":
            settings = _settings_decoder.decode(line.payload).thread_settings
            self._known = replace(
                self._known,
                settings_model=short(settings.model),
                provider=short(settings.model_provider_id).lower() or self._known.provider,
            )
        elif kind == "token_count" and not self._known.recorded:
            info = _token_count_decoder.decode(line.payload).info
            if info is not None:
                return self._token_count(epoch_ms(line.timestamp), info)
        return ()

    def _record(self, at_ms: int, record: _Record) -> Response:
        if not self._known.recorded:
            self._known = replace(self._known, recorded=True)
        session = record.thread_id or self._known.session
        return self._response(
            at_ms,
            record.usage,
            self._model(record.turn_id),
            key=response_key("openai", record.response_id, lambda: f"{session}|{record.thread_token_usage.text}"),
            session=session,
            response_id=record.response_id,
            # Only without a twin: a side conversation with a twin would be a replay of any thread with the same counts.
            sidechain=self._known.subagent,
        )

    def _token_count(self, at_ms: int, info: _Info) -> tuple[Response, ...]:
        before, total = self._known.total, info.total_token_usage
        if total == before:
            return ()  # told again without anything new
        self._known = replace(self._known, total=total)
        last = info.last_token_usage or self._since(before, total)
        if last is None or not any(last.counts[:-1]):
            return ()
        twin = f"{total.text}|{last.text}"
        # Without a header there is only the time to tell one file's responses from another's.
        key = f"codex|{self._known.session or at_ms}|{twin}"
        model = self._model(None)
        return (self._response(at_ms, last, model, key=key, session=self._known.session, twin=twin),)

    def _since(self, before: _Usage | None, total: _Usage) -> _Usage | None:
        """Answer what was used since the last sum; None where the first sum of a fork includes its parent's."""
        if before is None:
            return None if self._known.parent else total
        used = [now - then for now, then in zip(total.counts, before.counts, strict=True)]
        return total if min(used) < 0 else _Usage(*used)

    def _model(self, turn: str | None) -> str:
        known = self._known
        chosen = known.settings_model or known.turn_model
        return ((turn and turn == known.turn and known.turn_model) or chosen) or UNKNOWN_MODEL

    def _response(
        self,
        at_ms: int,
        used: _Usage,
        model: str,
        *,
        key: str,
        session: str,
        response_id: str | None = None,
        twin: str | None = None,
        sidechain: bool = False,
    ) -> Response:
        read, written = count(used.cached_input_tokens), count(used.cache_write_input_tokens)
        output = count(used.output_tokens)
        return Response(
            source=SOURCE,
            agent_id="codex",
            key=key,
            provider=self._known.provider,
            model=model,
            session=session,
            project=self._known.project or None,
            at_ms=at_ms,
            input_tokens=count((used.input_tokens or 0) - read - written),
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            cache_write_1h_tokens=0,
            reasoning_tokens=min(used.reasoning_output_tokens or 0, output),
            sidechain=sidechain,
            response_id=response_id,
            twin=twin,
            # A record that was copied into a fork is still of the thread that it names.
            parent_session=(session == self._known.session and self._known.parent) or None,
        )
