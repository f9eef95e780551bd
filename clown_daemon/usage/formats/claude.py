"""Claude Code's transcripts: JSON lines, one or more per billed response.

Pure and incremental: `feed` is told bytes as they come and keeps a line that has not ended. Only lines that can bill
are parsed at all: a search for a marker costs a tenth of a parse, and most lines of a transcript are tool output.

What bills is `type == "assistant"` with `message.usage`. What looks like usage and is none: `toolUseResult.usage` on
user lines (a copy of the sub-agent's last call), `usage.iterations` (the same tokens again), lines of the model
`<synthetic>` (error messages the program wrote itself), and `progress` lines of older versions. Format as of Claude
Code 2.1.
"""

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response

SOURCE = "claude"
AGENT_ID = "claude"
MARKER = b'"usage"'
SYNTHETIC_MODEL = "<synthetic>"
LARGEST_COUNT = 2**24
"""No response has more tokens; a larger number is damage, and would spoil every total for ever."""


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerTools(msgspec.Struct, frozen=True):
    web_search_requests: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    speed: str | None = None


class _Message(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Kind(msgspec.Struct, frozen=True):
    """Only enough of a line to tell whether the rest matters; other kinds have other shapes."""

    type: str | None = None


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    type: str
    timestamp: str
    message: _Message | None = None
    request_id: str | None = None
    session_id: str | None = None
    is_sidechain: bool | None = None
    cwd: str | None = None


_kind_decoder = msgspec.json.Decoder(_Kind)
_line_decoder = msgspec.json.Decoder(_Line)


class ClaudeParser:
    """Reads one transcript.

    Attributes:
        lines_broken: lines so far that should bill but cannot be read; they are skipped, the rest of the file counts.
    """

    def __init__(self) -> None:
        self.lines_broken = 0
        self._pieces: list[bytes] = []
        self._pending_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """How many of the bytes fed belong to a line that has not ended."""
        return self._pending_bytes

    def feed(self, data: bytes) -> list[Response]:
        """Take the next bytes and answer the responses of the lines that they complete, in order."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return []
        whole = b"".join((*self._pieces, data[:end]))
        self._pieces.clear()
        self._pending_bytes = 0
        self._keep(data[end:])
        return self._parse_lines(whole)

    def unfinished(self) -> list[Response]:
        """Answer what the line that has not ended says, if it is whole but for its line end; it stays pending.

        A copied log may lack the last line end. Counting such a line early is safe: its key is the same later.
        """
        line = b"".join(self._pieces)
        if MARKER not in line:
            return []
        response = _read(line)
        return [response] if isinstance(response, Response) else []

    def _keep(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._pending_bytes += len(data)

    def _parse_lines(self, whole: bytes) -> list[Response]:
        responses: list[Response] = []
        at = whole.find(MARKER)
        while at >= 0:
            start = whole.rfind(b"\n", 0, at) + 1
            end = whole.find(b"\n", at)
            response = _read(whole[start:end])
            if isinstance(response, Response):
                responses.append(response)
            elif response is _BROKEN:
                self.lines_broken += 1
            at = whole.find(MARKER, end + 1)
        return responses


_NO_USAGE = "no usage"
_BROKEN = "broken"


def _read(line: bytes) -> Response | str:
    """Answer the response of a line, or `_NO_USAGE`, or `_BROKEN`."""
    # A crash can leave a run of NULs where the file system had not written yet; what follows is good.
    line = line.strip(b" \t\r\0")
    try:
        read = _decode(line)
    except UnicodeDecodeError:
        try:
            read = _decode(line.decode("utf-8", "replace").encode())
        except (msgspec.DecodeError, ValueError, RecursionError):
            return _BROKEN
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _BROKEN
    return read


def _decode(line: bytes) -> Response | str:
    if _kind_decoder.decode(line).type != "assistant":
        return _NO_USAGE
    read = _line_decoder.decode(line)
    message = read.message
    if message is None or message.usage is None or message.model == SYNTHETIC_MODEL:
        return _NO_USAGE
    if not message.id or not message.model:
        return _BROKEN
    return _response(read, message, message.usage, message.id, message.model)


def _response(line: _Line, message: _Message, usage: _Usage, message_id: str, model: str) -> Response:
    five_minutes, one_hour = _cache_writes(usage)
    tools = usage.server_tool_use
    return Response(
        source=SOURCE,
        agent_id=AGENT_ID,
        message_id=message_id,
        request_id=line.request_id or None,
        model=model,
        session=line.session_id or "",
        project=line.cwd,
        at_ms=epoch_ms(line.timestamp),
        input_tokens=_count(usage.input_tokens),
        output_tokens=_count(usage.output_tokens),
        cache_read_tokens=_count(usage.cache_read_input_tokens),
        cache_write_5m_tokens=five_minutes,
        cache_write_1h_tokens=one_hour,
        web_searches=_count(tools.web_search_requests) if tools else 0,
        fast=usage.speed == "fast",
        sidechain=bool(line.is_sidechain),
        complete=message.stop_reason is not None,
    )


def _cache_writes(usage: _Usage) -> tuple[int, int]:
    """Split cache writes into those for five minutes and for an hour; what is not told apart counts as the first."""
    written = _count(usage.cache_creation_input_tokens)
    split = usage.cache_creation
    if split is None:
        return written, 0
    one_hour = _count(split.ephemeral_1h_input_tokens)
    five_minutes = _count(split.ephemeral_5m_input_tokens)
    return max(five_minutes, written - one_hour), one_hour


def _count(value: int | None) -> int:
    if value is None:
        return 0
    if not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"{value} is no token count")
    return value
