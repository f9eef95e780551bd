"""Copilot CLI's sessions: JSON lines, `events.jsonl` in a folder a session. Format as of Copilot CLI 1.0.102.

What bills is `session.usage_record`, one per response; input includes both kinds of cache. `session.shutdown` sums up
what was counted already. Versions without such records wrote that sum alone, of one run or of all runs of the session
(1.0.54 and 1.0.86 differ): it is not counted, and each is a broken line, so that it is told.
"""

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, kind_of, short

SOURCE = "copilot"


class _Accounting(msgspec.Struct, frozen=True, rename="camel"):
    source_session_id: str
    sequence: int
    usage_id: str | None = None


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    is_byok: bool | None = None
    provider_type: str | None = None
    api_call_id: str | None = None
    accounting: _Accounting | None = None


class _Recorded(msgspec.Struct, frozen=True):
    usage: _Usage


class _Folder(msgspec.Struct, frozen=True):
    cwd: str | None = None


class _Started(msgspec.Struct, frozen=True, rename="camel"):
    session_id: str | None = None
    context: _Folder | None = None


class _Shutdown(msgspec.Struct, frozen=True, rename="camel"):
    model_metrics: dict[str, Any] | None = None


class _Line(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None
    timestamp: str | None = None


class _Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """What earlier lines said."""

    session: str = ""
    project: str = ""
    recorded: bool = False
    """Whether there was a `session.usage_record`."""


_KINDS = ("session.usage_record", "session.shutdown", "session.start", "session.resume")
_line_decoder = msgspec.json.Decoder(_Line)
_recorded_decoder = msgspec.json.Decoder(_Recorded)
_started_decoder = msgspec.json.Decoder(_Started)
_shutdown_decoder = msgspec.json.Decoder(_Shutdown)
_known_decoder = msgspec.json.Decoder(_Known)


class CopilotParser(LineParser):
    """Reads the events of one session."""

    markers = tuple(f'"{kind}"'.encode() for kind in _KINDS)
    head = re.compile(rb'\{"type":"(?:(session\.(?:usage_record|shutdown|start|resume))"|[\w.]+")')

    _known = _Known()

    def _read_line(self, line: bytes) -> tuple[Response, ...]:
        kind = kind_of(line)
        if kind not in _KINDS:
            return ()
        if kind == "session.usage_record" and not self._known.recorded:
            self._known = replace(self._known, recorded=True)
        read = _line_decoder.decode(line)
        if kind == "session.usage_record":
            return (self._record(read, _recorded_decoder.decode(read.data).usage),)
        if kind == "session.shutdown":
            self._end(_shutdown_decoder.decode(read.data))
        else:
            self._begin(_started_decoder.decode(read.data))
        return ()

    def _context(self) -> bytes:
        return b"" if self._known == _Known() else msgspec.json.encode(self._known)

    def _restore(self, context: bytes) -> None:
        self._known = _known_decoder.decode(context) if context else _Known()

    # -- what the lines say

    def _begin(self, started: _Started) -> None:
        self._known = replace(
            self._known,
            session=self._known.session or short(started.session_id),
            project=short(started.context.cwd if started.context else None) or self._known.project,
        )

    def _end(self, shutdown: _Shutdown) -> None:
        if shutdown.model_metrics and not self._known.recorded:
            raise ValueError("only a sum is told")

    def _record(self, line: _Line, usage: _Usage) -> Response:
        if not line.timestamp:
            raise ValueError("a response without a time")
        accounting = usage.accounting
        own = accounting and f"{accounting.source_session_id}|{accounting.sequence}|{accounting.usage_id or ''}"
        if own is None and not line.id:
            raise ValueError("a response without an id")
        read, written = count(usage.cache_read_tokens), count(usage.cache_write_tokens)
        output = count(usage.output_tokens)
        return Response(
            source=SOURCE,
            agent_id="copilot",
            key=f"copilot|{own or line.id}",
            provider=(usage.is_byok is not False and short(usage.provider_type).lower()) or "github-copilot",
            model=short(usage.model) or UNKNOWN_MODEL,
            session=short(accounting.source_session_id) if accounting else self._known.session,
            project=self._known.project or None,
            at_ms=epoch_ms(line.timestamp),
            input_tokens=count(count(usage.input_tokens) - read - written),
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            cache_write_1h_tokens=0,
            reasoning_tokens=min(count(usage.reasoning_tokens), output),
            response_id=usage.api_call_id,
        )
