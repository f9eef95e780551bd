"""The smallest logs on which Clown and ccusage disagree, each with what was billed and whose fault it is.

Lines hold what is needed to be read at all. A path is below a home; the bytes are the whole file.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

AT = "2026-06-01T10:00:00.000Z"
AT_MS = 1_780_308_000_000
CLAUDE = ".claude/projects/-src/s1.jsonl"
CODEX = ".codex/sessions/2026/06/01/rollout-2026-06-01T10-00-00-01a00000-0000-7000-8000-000000000001.jsonl"
GEMINI = ".gemini/tmp/shop/chats/session-2026-06-01T10-00-5f3c2a10"
QWEN = ".qwen/projects/-src/chats/s1.jsonl"
COPILOT = ".copilot/session-state/s1/events.jsonl"
OPENCODE = ".local/share/opencode/opencode.db"

Tokens = tuple[int, int, int, int]
"""Input without cache, output, cache writes, cache reads."""


class Case(NamedTuple):
    """One disagreement.

    Attributes:
        name: short, for the table.
        agent: whose logs.
        files: by path; a database is told by the rows of its messages: (session, id, data).
        billed: what the provider counted.
        usd: what that costs.
        fault: what ccusage does wrong.
    """

    name: str
    agent: str
    files: dict[str, tuple[Any, ...]]
    billed: Tokens
    usd: float
    fault: str


def claude(
    message_id: str,
    usage: dict[str, Any],
    *,
    request_id: str | None = None,
    at: str = AT,
    text: str = "",
) -> dict[str, Any]:
    """A billed line of Claude Code."""
    request = {} if request_id is None else {"requestId": request_id}
    content = {"content": [{"type": "text", "text": text}]} if text else {}
    message = {"id": message_id, "model": "claude-sonnet-4-5", **content, "usage": usage}
    return {"type": "assistant", "timestamp": at, "sessionId": "s1", **request, "message": message}


def calling(line: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """The same response, with a call of a tool."""
    call = {"type": "tool_use", "id": "t1", "name": "find", "input": arguments}
    return {**line, "message": {**line["message"], "content": [call]}}


def codex(kind: str, **payload: Any) -> dict[str, Any]:
    """A line of Codex."""
    return {"timestamp": AT, "type": kind, "payload": payload}


def counter(total: int, last: int | None) -> dict[str, Any]:
    """A counter of Codex, of output tokens alone."""
    told = {} if last is None else {"last_token_usage": _counts(last)}
    return codex("event_msg", type="token_count", info={"total_token_usage": _counts(total), **told})


def _counts(output: int) -> dict[str, int]:
    names = ("input_tokens", "cached_input_tokens", "reasoning_output_tokens")
    return {**dict.fromkeys(names, 0), "output_tokens": output, "total_tokens": output}


def opencode(input_tokens: int, output: int, *, reasoning: int = 0, model: str = "gpt-5-codex") -> dict[str, Any]:
    """A message of OpenCode, as its database holds it."""
    tokens: dict[str, Any] = {"total": input_tokens + output + reasoning, "input": input_tokens, "output": output}
    tokens |= {"reasoning": reasoning, "cache": {"read": 0, "write": 0}}
    usd = (input_tokens * 1.25 + (output + reasoning) * 10) / 1e6
    about = {"modelID": model, "providerID": "openai", "cost": usd, "time": {"created": AT_MS, "completed": AT_MS}}
    return {"role": "assistant", **about, "tokens": tokens}


def gemini(thoughts: int) -> dict[str, Any]:
    """A message of Gemini CLI."""
    tokens = {"input": 100, "output": 10, "cached": 60, "thoughts": thoughts, "tool": 0, "total": 110 + thoughts}
    return {"id": "m1", "timestamp": AT, "type": "gemini", "content": "", "tokens": tokens, "model": "gemini-2.5-pro"}


GEMINI_HEADER = {"sessionId": "5f3c2a10-0000-4000-8000-000000000001", "projectHash": "0" * 64, "startTime": AT}


def qwen_telemetry(response_id: str) -> dict[str, Any]:
    """A call as Qwen Code's telemetry tells it."""
    event: dict[str, Any] = {"event.name": "qwen-code.api_response", "event.timestamp": AT, "response_id": response_id}
    counts = {"input_token_count": 100, "output_token_count": 10, "cached_content_token_count": 60}
    event |= {"model": "gpt-5-codex", **counts, "thoughts_token_count": 4, "total_token_count": 110}
    about = {"sessionId": "s1", "timestamp": AT, "type": "system", "subtype": "ui_telemetry"}
    return {"uuid": f"u{response_id}", **about, "systemPayload": {"uiEvent": event}}


def qwen_assistant() -> dict[str, Any]:
    """The same call as an assistant line repeats it."""
    counts = {"promptTokenCount": 100, "candidatesTokenCount": 10, "thoughtsTokenCount": 4}
    usage = {**counts, "cachedContentTokenCount": 60, "totalTokenCount": 110}
    about = {"uuid": "a1", "sessionId": "s1", "timestamp": AT, "type": "assistant", "model": "gpt-5-codex"}
    return {**about, "usageMetadata": usage}


def copilot() -> tuple[dict[str, Any], ...]:
    """A session of Copilot CLI that was not shut down."""
    counts = {"inputTokens": 100, "outputTokens": 10, "cacheReadTokens": 60, "cacheWriteTokens": 0}
    accounting = {"sourceSessionId": "s1", "sequence": 1, "usageId": "u1"}
    usage = {"model": "gpt-5-codex", **counts, "reasoningTokens": 4, "accounting": accounting}
    return (
        {"type": "session.start", "data": {"sessionId": "s1"}, "id": "e1", "timestamp": AT},
        {"type": "session.usage_record", "data": {"usage": usage}, "id": "e2", "timestamp": AT},
    )


SUBAGENT = ".claude/projects/-src/s1/subagents/agent-a1.jsonl"
A_MOMENT_LATER = "2026-06-01T10:00:00.400Z"
BEFORE = "2026-03-01T10:00:00.000Z"
LONG = {"input_tokens": 1, "output_tokens": 100, "cache_read_input_tokens": 200_000}
SEARCHES = {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 5}}
SMALL = {"input_tokens": 1, "output_tokens": 10}
OTHER = {"input_tokens": 2, "output_tokens": 20}
SETTINGS = {"type": "thread_settings_applied", "thread_settings": {"model": "gpt-5.5"}}

CASES = (
    Case(
        "no request id",
        "claude",
        {CLAUDE: (claude("m1", SMALL), claude("m1", SMALL, at=A_MOMENT_LATER))},
        (1, 10, 0, 0),
        0.000153,
        "counts each line of a response whose gateway passes no request id on",
    ),
    Case(
        "constant message id",
        "claude",
        {CLAUDE: (claude("relay", SMALL),), SUBAGENT: ({**claude("relay", OTHER), "isSidechain": True},)},
        (3, 30, 0, 0),
        0.000459,
        "takes a sub-agent's responses for replays where a relay gives all the same message id",
    ),
    Case(
        "NULs",
        "claude",
        {CLAUDE: (b"\0\0\0", claude("m1", SMALL, request_id="r1"))},
        (1, 10, 0, 0),
        0.000153,
        "drops the line behind a run of NULs",
    ),
    Case(
        "invalid UTF-8",
        "claude",
        {CLAUDE: (claude("m1", SMALL, request_id="r1", text="caf\udce9"),)},
        (1, 10, 0, 0),
        0.000153,
        "drops a line with a byte that is no UTF-8",
    ),
    Case(
        "a count that is null",
        "claude",
        {CLAUDE: (claude("m1", SMALL | {"cache_read_input_tokens": None}, request_id="r1"),)},
        (1, 10, 0, 0),
        0.000153,
        "drops a line whose unused count is null",
    ),
    Case(
        "null ids in arguments",
        "claude",
        {CLAUDE: (calling(claude("m1", SMALL, request_id="r1"), id=None),)},
        (1, 10, 0, 0),
        0.000153,
        'drops a response whose tool is called with `"id": null`',
    ),
    Case(
        "long context",
        "claude",
        {CLAUDE: (claude("m1", LONG, request_id="r1", at=BEFORE),)},
        (1, 100, 0, 200_000),
        0.122256,
        "moves only the tokens of a class above the threshold, not the whole request",
    ),
    Case(
        "long context, after its price ended",
        "claude",
        {CLAUDE: (claude("m1", LONG | {"cache_read_input_tokens": 300_000}, request_id="r1"),)},
        (1, 100, 0, 300_000),
        0.091503,
        "knows no dates: it keeps a long-context price that ended on 2026-04-30",
    ),
    Case(
        "web searches",
        "claude",
        {CLAUDE: (claude("m1", SEARCHES, request_id="r1"),)},
        (1, 1, 0, 0),
        0.050018,
        "leaves the price of web searches out",
    ),
    Case(
        "a total from zero again",
        "codex",
        {CODEX: (codex("turn_context", model="gpt-5-codex"), counter(100, 100), counter(30, None))},
        (0, 130, 0, 0),
        0.0013,
        "counts nothing where the total begins again and the last response is not told",
    ),
    Case(
        "a model in the settings",
        "codex",
        {CODEX: (codex("turn_context", model="gpt-5-codex"), codex("event_msg", **SETTINGS), counter(100, 100))},
        (0, 100, 0, 0),
        0.003,
        "does not see a model that changes with the settings",
    ),
    Case(
        "a model without a price",
        "codex",
        {CODEX: (codex("turn_context", model="gpt-6.1-sol"), counter(100, 100))},
        (0, 100, 0, 0),
        0.001,
        "has no price for it in this version, and adds $0 (the line is marked)",
    ),
    Case(
        "a fork",
        "opencode",
        {OPENCODE: (("ses_1", "msg_1", opencode(100, 10)), ("ses_2", "msg_2", opencode(100, 10)))},
        (100, 10, 0, 0),
        0.000225,
        "counts copied messages again",
    ),
    Case(
        "reasoning beside the output",
        "opencode",
        {OPENCODE: (("ses_1", "msg_1", opencode(100, 10, reasoning=4)),)},
        (100, 14, 0, 0),
        0.000265,
        "leaves reasoning out of the tokens (OpenCode's own cost, which it shows, has it)",
    ),
    Case(
        "thoughts",
        "gemini",
        {f"{GEMINI}.jsonl": (GEMINI_HEADER, gemini(4))},
        (40, 14, 0, 60),
        0.0001975,
        "leaves thoughts out of the tokens (they are in its cost)",
    ),
    Case(
        "one session in both formats",
        "gemini",
        {
            f"{GEMINI}.json": ({**GEMINI_HEADER, "messages": [gemini(0)]},),
            f"{GEMINI}.jsonl": (GEMINI_HEADER, gemini(0)),
        },
        (40, 10, 0, 60),
        0.0001575,
        "counts a session twice that lies there as JSON and as JSON lines",
    ),
    Case(
        "cached input",
        "qwen",
        {QWEN: (qwen_telemetry("c1"), qwen_assistant())},
        (40, 10, 0, 60),
        0.0001575,
        "counts what came from the cache a second time as input",
    ),
    Case(
        "background calls",
        "qwen",
        {QWEN: (qwen_telemetry("c1"),)},
        (40, 10, 0, 60),
        0.0001575,
        "sees only calls that an assistant line repeats",
    ),
    Case(
        "a session that runs",
        "copilot",
        {COPILOT: copilot()},
        (40, 10, 0, 60),
        0.0001575,
        "reads the sum at the end of a session alone: what runs, or crashed, is not there",
    ),
)


def shown(parts: tuple[Any, ...]) -> str:
    """The same for people: bytes that are no text stand as escapes, rows of a database as JSON."""
    lines = contents(parts).decode("utf-8", "backslashreplace").replace("\0", "\\0")
    return lines.replace("\\udce9", "\\xe9")


def write(case: Case, home: Path) -> None:
    """Write the files of a case."""
    for name, parts in case.files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".db":
            _write_database(path, parts)
        else:
            path.write_bytes(contents(parts))


def contents(parts: tuple[Any, ...]) -> bytes:
    """The bytes of a file: JSON lines, and between them bytes as they are."""
    return b"".join(part if isinstance(part, bytes) else _line(part) for part in parts)


def _line(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape") + b"\n"


def _write_database(path: Path, rows: tuple[Any, ...]) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE session (id text PRIMARY KEY, directory text, time_created integer)")
        connection.execute(
            "CREATE TABLE message (id text PRIMARY KEY, session_id text, time_created integer, time_updated integer,"
            " data text)"
        )
        for session, message, data in rows:
            connection.execute("INSERT OR IGNORE INTO session VALUES (?, '/src', ?)", (session, AT_MS))
            connection.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?)", (message, session, AT_MS, AT_MS, json.dumps(data))
            )
    connection.close()
