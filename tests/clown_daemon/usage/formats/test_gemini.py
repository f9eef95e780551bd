import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.gemini import GeminiDocumentParser, GeminiParser
from tests.support.log_samples import Totals, read, read_put_aside, totals
from tests.support.transcripts import LOGS

SAMPLE = (LOGS / "gemini_0.61_chat.jsonl").read_bytes()
HEADER = {"sessionId": "session-1", "projectHash": "981f", "startTime": "2026-11-23T10:00:00.000Z", "kind": "main"}
TOKENS = {"input": 8010, "output": 60, "cached": 6000, "thoughts": 100, "tool": 0, "total": 8170}


def message(message_id: str = "message-1", tokens: Any = TOKENS, **fields: Any) -> dict[str, Any]:
    kind = {"id": message_id, "timestamp": "2026-11-23T10:00:00.000Z", "type": "gemini", "content": ""}
    return {**kind, "tokens": tokens, "model": "gemini-2.5-pro", **fields}


def line(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def parse(*contents: object) -> list[Response]:
    responses, broken = read(GeminiParser(), b"".join(line(content) for content in (HEADER, *contents)))
    assert broken == 0
    return responses


def read_document(content: bytes) -> tuple[list[Response], int]:
    parser = GeminiDocumentParser()
    parser.feed(content)
    return parser.unfinished(), parser.lines_broken


def test_a_real_chat_bills() -> None:
    responses, broken = read(GeminiParser(), SAMPLE)
    # 8010 - 6000 and 8011 - 6000 in; 60 + 100 and 61 + 100 out
    assert totals(responses) == Totals(2, 4021, 321, 12_000, 0)
    assert broken == 0


def test_a_real_chat_of_an_older_version_bills() -> None:
    responses, broken = read_document((LOGS / "gemini_0.20_chat.json").read_bytes())
    # 2108 - 2007, 2116 - 2014 and 2124 - 2021 in; 32 + 11, 34 + 12 and 36 + 13 out
    assert totals(responses) == Totals(3, 306, 138, 6042, 0)
    assert broken == 0


def test_a_message_becomes_a_response_in_classes_that_do_not_overlap() -> None:
    [response] = parse(message())
    assert (response.input_tokens, response.output_tokens, response.cache_read_tokens) == (2010, 160, 6000)
    assert response.cache_write_tokens == 0
    assert response.reasoning_tokens == 100
    assert (response.source, response.agent_id, response.provider) == ("gemini", "gemini", "google")
    assert (response.model, response.session, response.project) == ("gemini-2.5-pro", "session-1", None)
    assert response.at_ms == 1_795_428_000_000
    assert not response.sidechain


def test_a_message_that_is_written_again_for_its_tool_calls_is_billed_once() -> None:
    responses = parse(message(tokens=None), message(), message(toolCalls=[{"id": "call", "tokens": {"input": 5}}]))
    assert totals(responses) == Totals(1, 2010, 160, 6000, 0)


def test_a_history_that_is_written_anew_bills_what_was_not_there_before() -> None:
    history = [{"type": "user", "tokens": "none"}, message("message-1"), message("message-2")]
    assert totals(parse(message("message-1"), {"$set": {"messages": history}})).responses == 2


def test_a_rewound_message_stays_billed() -> None:
    assert len(parse(message(), {"$rewindTo": "message-1"}, message("message-2"))) == 2


def test_a_broken_message_does_not_hide_the_others_of_its_line() -> None:
    history = [message("1"), message("2", {"input": -1}), message("3", timestamp=None), message("4")]
    responses, broken = read(GeminiParser(), line(HEADER) + line({"$set": {"messages": history}}))
    assert [response.key for response in responses] == ["gemini|session-1|1", "gemini|session-1|4"]
    assert broken == 2


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"input": 100, "output": 10, "tool": 7, "total": 117}, 107),
        ({"input": 100, "output": 10, "tool": 7, "total": 110}, 100),
        ({"input": 100, "output": 10, "tool": 7}, 107),
    ],
)
def test_what_tools_put_into_the_prompt_is_input_unless_it_is_in_it_already(tokens: object, expected: int) -> None:
    [response] = parse(message(tokens=tokens))
    assert response.input_tokens == expected


def test_a_message_without_a_model_is_of_an_unknown_one() -> None:
    assert [response.model for response in parse(message(model=None))] == ["unknown"]


def test_a_sub_agents_chat_is_a_side_conversation() -> None:
    responses, _ = read(GeminiParser(), line({**HEADER, "kind": "subagent"}) + line(message()))
    assert [response.sidechain for response in responses] == [True]


def test_the_same_id_in_two_sessions_is_two_responses() -> None:
    one = parse(message())
    other, _ = read(GeminiParser(), line({**HEADER, "sessionId": "session-2"}) + line(message()))
    assert totals(one + other).responses == 2


def test_after_a_restart_in_the_middle_the_session_is_still_known() -> None:
    content = line({**HEADER, "kind": "subagent"}) + line(message()) + line({"$set": {"messages": [message("2")]}})
    whole = read(GeminiParser(), content)
    assert {response.session for response in whole[0]} == {"session-1"}
    for cut in range(len(content) + 1):
        assert read_put_aside(GeminiParser, content, [cut]) == whole


@pytest.mark.parametrize(
    "quiet",
    [
        {"id": "1", "timestamp": "x", "type": "user", "content": [{"text": '"tokens" "projectHash"'}], "tokens": 5},
        {"type": "info", "tokens": [], "timestamp": 4, "id": None},
        {"$set": {"summary": "x", "tokens": {"input": 5}}},
        {"$set": {"messages": [{"type": "user", "tokens": 4}]}},
    ],
)
def test_what_only_looks_like_usage_bills_nothing_and_is_not_broken(quiet: object) -> None:
    assert parse(quiet) == []


@pytest.mark.parametrize(
    "broken",
    [
        line(message())[:-20] + b"\n",
        line(message(tokens={"input": "8010"})),
        line(message(tokens={"input": 2**25})),
        line(message(tokens={"input": 5, "cached": 6})),
        line(message(timestamp="yesterday")),
        line(message("")),
        line([message()]),
        line({"$set": {"messages": {"tokens": 1}}}),
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(broken: bytes) -> None:
    responses, lines_broken = read(GeminiParser(), line(HEADER) + broken + line(message("good")))
    assert [response.key for response in responses] == ["gemini|session-1|good"]
    assert lines_broken == 1


def test_a_document_of_an_older_version_says_the_same_as_the_lines_it_became() -> None:
    messages = [{"type": "user", "content": "hi"}, message("1"), message("2", tokens=None), message("3")]
    document = json.dumps({**HEADER, "messages": messages, "lastUpdated": "x"}, indent=2).encode()
    assert read_document(document) == (parse(*messages), 0)
    assert read_document(document)[0]


def test_a_broken_message_does_not_hide_the_others_of_its_document() -> None:
    messages = [message("1"), message("2", {"input": -1}), message("3")]
    responses, broken = read_document(json.dumps({**HEADER, "messages": messages}).encode())
    assert [response.key for response in responses] == ["gemini|session-1|1", "gemini|session-1|3"]
    assert broken == 1


def test_bytes_that_are_no_text_drop_nothing_of_a_document() -> None:
    document = json.dumps({**HEADER, "messages": [message(content="TEXT"), message("2")]}).encode()
    responses, broken = read_document(document.replace(b"TEXT", b"\xff").replace(b"2.5-pro", b"2.5-\xfe", 1))
    assert [response.model for response in responses] == ["gemini-2.5-\ufffd", "gemini-2.5-pro"]
    assert broken == 0


@pytest.mark.parametrize("document", [b"[]", b'{"messages":5}', b'{"messages":[', b"nothing"])
def test_what_is_no_chat_is_a_broken_document(document: bytes) -> None:
    assert read_document(document) == ([], 1)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_damage_of_a_document_raises(damage: bytes, at: int) -> None:
    document = json.dumps({**HEADER, "messages": [message()]}).encode()
    read_document(document[:at] + damage + document[at + len(damage) :])
