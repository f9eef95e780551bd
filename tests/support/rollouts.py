"""Lines of Codex CLI's rollouts for tests."""

import json

AT = "2026-11-23T10:00:00.000Z"


def line(kind: str, payload: object, *, at: str = AT) -> bytes:
    """One line, as Codex writes it."""
    return json.dumps({"timestamp": at, "type": kind, "payload": payload}, separators=(",", ":")).encode() + b"\n"


def event(kind: str, *, at: str = AT, **fields: object) -> bytes:
    """One `event_msg`."""
    return line("event_msg", {"type": kind, **fields}, at=at)


def meta(session: str = "thread-1", **fields: object) -> bytes:
    """The first line of a file."""
    return line("session_meta", {"id": session, "cwd": "/home/dev/project", **fields})


def turn(model: str | None = "gpt-5-codex", turn_id: str = "turn-1", **fields: object) -> bytes:
    """What a turn begins with."""
    return line("turn_context", {"turn_id": turn_id, "model": model, **fields})


def usage(*counts: int) -> dict[str, int]:
    """Input with all cache, read from cache, written to cache, output with reasoning, reasoning; missing ones are 0."""
    full, read, written, output, reasoning = (*counts, 0, 0, 0, 0, 0)[:5]
    return {
        "input_tokens": full,
        "cached_input_tokens": read,
        "cache_write_input_tokens": written,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
        "total_tokens": full + output,
    }


def record(
    response_id: str | None = "resp_0123456789abcdef0123456789abcdef",
    used: dict[str, int] | None = None,
    *,
    total: dict[str, int] | None = None,
    thread: str = "thread-1",
    turn_id: str = "turn-1",
    at: str = AT,
) -> bytes:
    """A `token_usage_record`; unless told, it is the first of its thread."""
    used = usage(13100, 10100, 0, 311, 128) if used is None else used
    payload = {"thread_id": thread, "turn_id": turn_id, "response_id": response_id, "usage": used}
    return line("token_usage_record", {**payload, "thread_token_usage": used if total is None else total}, at=at)


def token_count(total: object, last: object = None, *, at: str = AT) -> bytes:
    """A `token_count`: the sum so far, and the last response where it is told."""
    info = {"total_token_usage": total, "last_token_usage": last}
    return event("token_count", info=info, rate_limits={"primary": {"used_percent": 12.5}}, at=at)
