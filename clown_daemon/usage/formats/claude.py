"""Claude Code's transcripts: JSON lines, one or more per billed response. Format as of Claude Code 2.1.

What bills is `type == "assistant"` with `message.usage`. What looks like usage and is none: `toolUseResult.usage` on
user lines (a copy of the sub-agent's last call), `usage.iterations` (the same tokens again), lines of the model
`<synthetic>` (error messages the program wrote itself), and `progress` lines of older versions.
"""

from typing import Annotated

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.response_keys import input_counts, message_key
from clown_daemon.store.token_counts import LARGEST_COUNT
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.parser import kind_of

SOURCE = "claude"
SYNTHETIC_MODEL = "<synthetic>"


_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)] | None


class _CacheCreation(msgspec.Struct, frozen=True, gc=False):
    ephemeral_5m_input_tokens: _Count = None
    ephemeral_1h_input_tokens: _Count = None


class _ServerTools(msgspec.Struct, frozen=True, gc=False):
    web_search_requests: _Count = None


class _Usage(msgspec.Struct, frozen=True, gc=False):
    input_tokens: _Count = None
    output_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    speed: str | None = None


class _Message(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Line(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    type: str
    timestamp: str
    message: _Message | None = None
    request_id: str | None = None
    session_id: str | None = None
    is_sidechain: bool | None = None
    cwd: str | None = None

    def repeats(self, before: "_Line") -> bool:
        """Whether it tells nothing that the line before did not: another block of one response."""
        return (
            self.message == before.message
            and self.request_id == before.request_id
            and self.is_sidechain == before.is_sidechain
            and self.session_id == before.session_id
            and self.timestamp >= before.timestamp
        )


_line_decoder = msgspec.json.Decoder(_Line)


class ClaudeParser(LineParser):
    """Reads one transcript."""

    markers = (b'"usage"',)

    def __init__(self, state: bytes = b"") -> None:
        super().__init__(state)
        self._before: _Line | None = None
        """The last line that billed."""

    def _read_line(self, line: bytes) -> tuple[Response, ...]:
        if b'"assistant"' not in line:
            return ()  # most lines that mention usage: what tools printed
        try:
            read = _line_decoder.decode(line)
        except msgspec.ValidationError:
            if kind_of(line) != "assistant":
                return ()
            raise
        message, before = read.message, self._before
        if read.type != "assistant" or message is None or message.usage is None or message.model == SYNTHETIC_MODEL:
            return ()
        if before is not None and read.repeats(before):
            return ()
        if not message.id or not message.model:
            raise ValueError("a response without an id or a model")
        response = _response(read, message, message.usage, message.id, message.model)
        self._before = read
        return (response,)


def _response(line: _Line, message: _Message, usage: _Usage, message_id: str, model: str) -> Response:
    five_minutes, one_hour = _cache_writes(usage)
    tools = usage.server_tool_use
    fresh, read = usage.input_tokens or 0, usage.cache_read_input_tokens or 0
    counts = input_counts(fresh, five_minutes + one_hour, read)
    return Response(
        source=SOURCE,
        agent_id="claude",
        key=message_key(message_id, line.request_id, counts),
        provider="anthropic",
        model=model,
        session=line.session_id or "",
        project=line.cwd,
        at_ms=epoch_ms(line.timestamp),
        input_tokens=fresh,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=read,
        cache_write_5m_tokens=five_minutes,
        cache_write_1h_tokens=one_hour,
        web_searches=(tools.web_search_requests or 0) if tools else 0,
        tier="fast" if usage.speed == "fast" else "standard",
        sidechain=bool(line.is_sidechain),
        complete=message.stop_reason is not None,
        response_id=message_id,
        twin=f"{message_id}|{counts}",
    )


def _cache_writes(usage: _Usage) -> tuple[int, int]:
    """Split cache writes into those for five minutes and for an hour; what is not told apart counts as the first."""
    written = usage.cache_creation_input_tokens or 0
    split = usage.cache_creation
    if split is None:
        return written, 0
    one_hour = split.ephemeral_1h_input_tokens or 0
    return max(split.ephemeral_5m_input_tokens or 0, written - one_hour), one_hour
