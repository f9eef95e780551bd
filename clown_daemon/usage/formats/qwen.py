"""Qwen Code's chats: JSON lines. Format as of Qwen Code 0.15.

What bills is the event `qwen-code.api_response` in a `ui_telemetry` line, written for every call. The `usageMetadata`
of assistant lines repeats some of them and lacks the calls in the background, so it never counts; neither do the chats
of versions that wrote no such events.
"""

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.response_keys import response_key
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, short

SOURCE = "qwen"

_EVENT = "qwen-code.api_response"
_APIS = {"gemini": "google", "vertex-ai": "google", "anthropic": "anthropic"}
"""Whose protocol is spoken, by how the user signed in; `openai` for the rest."""
_PROVIDERS = {"openai": "openai-compatible", "qwen-oauth": "qwen", "gemini": "google", "vertex-ai": "google"}
"""Who bills, by how the user signed in; with `openai` the log does not say whose server it was."""


class _Event(msgspec.Struct, frozen=True, rename={"name": "event.name", "at": "event.timestamp"}):
    name: str | None = None
    at: str | None = None
    response_id: str | None = None
    model: str | None = None
    auth_type: str | None = None
    subagent_name: str | None = None
    input_token_count: int | None = None
    output_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None


class _Payload(msgspec.Struct, frozen=True, rename="camel"):
    ui_event: _Event | None = None


class _Kind(msgspec.Struct, frozen=True):
    """Only enough of a line to tell whether the rest matters; other kinds have other shapes."""

    subtype: str | None = None


class _Origin(msgspec.Struct, frozen=True, rename="camel"):
    session_id: str | None = None


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    subtype: str
    uuid: str | None = None
    session_id: str | None = None
    cwd: str | None = None
    system_payload: _Payload | None = None
    forked_from: _Origin | None = None
    """The session that this line was copied from."""


_kind_decoder = msgspec.json.Decoder(_Kind)
_line_decoder = msgspec.json.Decoder(_Line)


class QwenParser(LineParser):
    """Reads one chat."""

    markers = (f'"{_EVENT}"'.encode(),)

    def _read_line(self, line: bytes) -> tuple[Response, ...]:
        if _kind_decoder.decode(line).subtype != "ui_telemetry":
            return ()
        read = _line_decoder.decode(line)
        event = read.system_payload.ui_event if read.system_payload else None
        if event is None or event.name != _EVENT:
            return ()
        if not event.at:
            raise ValueError("a response without a time")
        return (_response(read, event, event.at),)


def _response(line: _Line, event: _Event, at: str) -> Response:
    sign_in = event.auth_type or "openai"
    # A copy in a forked session has the same time and `uuid`.
    key = response_key(_APIS.get(sign_in, "openai"), event.response_id, lambda: line.uuid or at)
    prompt, cached = count(event.input_token_count), count(event.cached_content_token_count)
    output, thoughts = count(event.output_token_count), count(event.thoughts_token_count)
    if event.total_token_count == prompt + output + thoughts:
        output += thoughts  # Gemini's APIs count them beside the output, all others in it
    origin = line.forked_from.session_id if line.forked_from else None
    return Response(
        source=SOURCE,
        agent_id="qwen",
        key=key,
        provider=_PROVIDERS.get(sign_in, short(sign_in).lower()),
        model=short(event.model) or UNKNOWN_MODEL,
        session=short(origin or line.session_id),
        project=line.cwd,
        at_ms=epoch_ms(at),
        input_tokens=count(prompt - cached),
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        reasoning_tokens=min(thoughts, output),
        sidechain=event.subagent_name is not None,
        response_id=event.response_id,
    )
