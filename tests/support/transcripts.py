"""Lines of Claude Code's transcripts for tests, and the real, trimmed ones in `tests/data/logs`."""

import json
from pathlib import Path

LOGS = Path(__file__).parent.parent / "data" / "logs"


def sample(name: str) -> Path:
    """The path of a real transcript of Claude Code 2.1.197."""
    return LOGS / f"claude_2.1.197_{name}.jsonl"


def line(
    message_id: str = "msg_1",
    request_id: str | None = "req_1",
    *,
    model: str = "claude-sonnet-4-5",
    session: str = "session-1",
    at: str = "2026-11-23T10:00:00.000Z",
    tokens: tuple[int, int, int, int] = (10, 20, 30, 40),
    stop_reason: str | None = "end_turn",
    sidechain: bool = False,
    speed: str = "standard",
    searches: int = 0,
    one_hour: int | None = None,
) -> bytes:
    """One assistant line; `tokens` are input, output, cache read, cache write."""
    usage: dict[str, object] = {
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "cache_read_input_tokens": tokens[2],
        "cache_creation_input_tokens": tokens[3],
        "speed": speed,
        "server_tool_use": {"web_search_requests": searches},
    }
    if one_hour is not None:
        usage["cache_creation"] = {
            "ephemeral_1h_input_tokens": one_hour,
            "ephemeral_5m_input_tokens": tokens[3] - one_hour,
        }
    content: dict[str, object] = {
        "type": "assistant",
        "timestamp": at,
        "sessionId": session,
        "isSidechain": sidechain,
        "cwd": "/home/dev/project",
        "message": {"id": message_id, "model": model, "stop_reason": stop_reason, "usage": usage},
    }
    if request_id is not None:
        content["requestId"] = request_id
    return json.dumps(content).encode() + b"\n"
