import json
from typing import Any

import pytest

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.copilot import CopilotParser
from tests.support.log_samples import Totals, read, read_put_aside, totals
from tests.support.transcripts import LOGS


def event(kind: str, data: Any, event_id: str | None = "event-1", at: Any = "2026-11-23T10:00:00.000Z") -> bytes:
    content = {"type": kind, "data": data, "id": event_id, "timestamp": at, "parentId": None}
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def start(session: str = "session-1") -> bytes:
    return event("session.start", {"sessionId": session, "context": {"cwd": "/home/dev/project", "branch": "main"}})


def record(
    sequence: int = 1, event_id: str | None = "event-1", at: Any = "2026-11-23T10:00:00.000Z", **usage: Any
) -> bytes:
    accounting = {"sourceSessionId": "session-1", "sequence": sequence, "usageId": "chatcmpl-3"}
    told = {
        "model": "gpt-5-codex",
        "inputTokens": 5003,
        "outputTokens": 63,
        "cacheReadTokens": 3000,
        "cacheWriteTokens": 400,
        "reasoningTokens": 20,
        "apiCallId": "chatcmpl-3",
        "accounting": accounting,
    }
    return event("session.usage_record", {"usage": {**told, **usage}}, event_id, at)


SHUTDOWN = event("session.shutdown", {"modelMetrics": {"gpt-5-codex": {"usage": {"inputTokens": 5003}}}})


def parse(*rows: bytes) -> list[Response]:
    responses, broken = read(CopilotParser(), b"".join(rows))
    assert broken == 0
    return responses


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.0.102_events", Totals(1, 2003, 63, 3000, 0)),
        # two runs of 2125 with 2000 from the cache and 100 into it; the second shutdown says 4250
        ("1.0.102_resumed", Totals(2, 50, 30, 4000, 200)),
    ],
)
def test_a_real_session_bills(name: str, expected: Totals) -> None:
    assert totals(parse((LOGS / f"copilot_{name}.jsonl").read_bytes())) == expected


@pytest.mark.parametrize("version", ["1.0.54", "1.0.86"])
def test_a_real_session_of_which_only_sums_are_told_is_not_guessed_but_said(version: str) -> None:
    # Both had the same two calls: the second sum of 1.0.54 is of the second run alone, that of 1.0.86 of both.
    assert read(CopilotParser(), (LOGS / f"copilot_{version}_resumed.jsonl").read_bytes()) == ([], 2)


def test_a_record_becomes_a_response_in_classes_that_do_not_overlap() -> None:
    [response] = parse(start(), record())
    assert (response.input_tokens, response.output_tokens) == (1603, 63)
    assert (response.cache_read_tokens, response.cache_write_5m_tokens) == (3000, 400)
    assert response.reasoning_tokens == 20
    assert (response.source, response.agent_id, response.provider) == ("copilot", "copilot", "github-copilot")
    assert (response.model, response.session) == ("gpt-5-codex", "session-1")
    assert response.project == "/home/dev/project"
    assert response.at_ms == 1_795_428_000_000
    assert response.key == "copilot|session-1|1|chatcmpl-3"
    assert response.response_id == "chatcmpl-3"


def test_what_a_shutdown_sums_up_is_not_billed_again() -> None:
    assert len(parse(start(), record(), SHUTDOWN, event("session.resume", {}), record(2), SHUTDOWN)) == 2


def test_a_run_without_a_call_sums_up_nothing() -> None:
    assert parse(start(), event("session.shutdown", {"modelMetrics": {}})) == []


def test_a_record_that_is_copied_is_the_same_response_of_the_session_that_was_billed() -> None:
    [own], [copy] = parse(start(), record()), parse(start("session-2"), record(event_id="event-9"))
    assert own == copy


def test_without_accounting_the_event_tells_one_response_from_another() -> None:
    responses = parse(start(), *[record(event_id=name, accounting=None) for name in ("a", "b", "b")])
    assert len({response.key for response in responses}) == 2


def test_with_a_key_of_the_user_the_provider_bills_and_not_github() -> None:
    [response] = parse(start(), record(isByok=True, providerType="Anthropic"))
    assert response.provider == "anthropic"
    for fields in ({}, {"isByok": True}, {"isByok": False, "providerType": "openai"}):
        assert [response.provider for response in parse(start(), record(**fields))] == ["github-copilot"]


def test_a_session_that_is_resumed_elsewhere_has_another_project_from_there() -> None:
    resumed = event("session.resume", {"context": {"cwd": "/home/dev/other"}})
    assert [response.project for response in parse(start(), record(), resumed, record(2))] == [
        "/home/dev/project",
        "/home/dev/other",
    ]


def test_after_a_restart_in_the_middle_everything_before_is_still_known() -> None:
    content = start() + record() + SHUTDOWN + event("session.resume", {}) + record(2)
    whole = read(CopilotParser(), content)
    assert {response.session for response in whole[0]} == {"session-1"}
    assert whole[1] == 0
    for cut in range(len(content) + 1):
        assert read_put_aside(CopilotParser, content, [cut]) == whole


@pytest.mark.parametrize(
    "quiet",
    [
        event("tool.execution_complete", {"result": '"session.usage_record"', "usage": 5}),
        event("tool.execution_complete", {"type": "session.usage_record", "usage": "session.start"}),
        b'{"data":{"kind":"session.shutdown"},"type":"assistant.message"}\n',
    ],
)
def test_what_only_looks_like_usage_bills_nothing_and_is_not_broken(quiet: bytes) -> None:
    assert parse(quiet) == []


@pytest.mark.parametrize(
    "broken",
    [
        record()[:-9] + b"\n",
        record(inputTokens="5003"),
        record(inputTokens=2**25),
        record(outputTokens=-1),
        record(cacheReadTokens=5003),
        record(at=None),
        record(at="yesterday"),
        record(event_id=None, accounting=None),
        record(accounting={"sequence": "first"}),
        event("session.start", {"sessionId": 5}),
        event("session.usage_record", None),
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(broken: bytes) -> None:
    responses, lines_broken = read(CopilotParser(), broken + record(7))
    assert [response.key for response in responses] == ["copilot|session-1|7|chatcmpl-3"]
    assert lines_broken == 1
