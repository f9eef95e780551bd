import json
from typing import Any

import pytest

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.qwen import QwenParser
from tests.support.log_samples import Totals, read, totals
from tests.support.transcripts import LOGS

SAMPLE = (LOGS / "qwen_0.15.10_chat.jsonl").read_bytes()
LONG_ID = "chatcmpl-0123456789abcdef01234567"


def telemetry(uuid: str = "line-1", *, event: Any = None, line: Any = None, **counts: Any) -> bytes:
    ui_event = {
        "event.name": "qwen-code.api_response",
        "event.timestamp": "2026-11-23T10:00:00.000Z",
        "response_id": LONG_ID,
        "model": "qwen3-coder-plus",
        "input_token_count": 5001,
        "output_token_count": 61,
        "cached_content_token_count": 3000,
        "thoughts_token_count": 20,
        "total_token_count": 5062,
        "auth_type": "openai",
        **counts,
    }
    content = {
        "uuid": uuid,
        "sessionId": "session-1",
        "timestamp": "2026-11-23T10:00:01.000Z",
        "type": "system",
        "cwd": "/home/dev/project",
        "subtype": "ui_telemetry",
        "systemPayload": {"uiEvent": {**ui_event, **(event or {})}},
        **(line or {}),
    }
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def parse(*rows: bytes) -> list[Response]:
    responses, broken = read(QwenParser(), b"".join(rows))
    assert broken == 0
    return responses


def test_a_real_chat_bills_the_call_in_the_background_too() -> None:
    # 5001 - 3000 and 5002 - 3000 in; 61 and 62 out, with the thoughts
    assert totals(parse(SAMPLE)) == Totals(2, 4003, 123, 6000, 0)


def test_an_event_becomes_a_response_in_classes_that_do_not_overlap() -> None:
    [response] = parse(telemetry())
    assert (response.input_tokens, response.output_tokens, response.cache_read_tokens) == (2001, 61, 3000)
    assert response.cache_write_tokens == 0
    assert response.reasoning_tokens == 20
    assert (response.source, response.agent_id, response.provider) == ("qwen", "qwen", "openai-compatible")
    assert (response.model, response.session) == ("qwen3-coder-plus", "session-1")
    assert response.project == "/home/dev/project"
    assert response.at_ms == 1_795_428_000_000
    assert (response.key, response.response_id) == (f"openai|{LONG_ID}", LONG_ID)
    assert not response.sidechain


def test_thoughts_beside_the_output_are_added_to_it() -> None:
    [response] = parse(telemetry(auth_type="gemini", total_token_count=5082))
    assert (response.output_tokens, response.reasoning_tokens) == (81, 20)
    assert response.provider == "google"
    assert response.key == f"google|{LONG_ID}"


def test_a_call_of_a_sub_agent_is_a_side_conversation() -> None:
    [response] = parse(telemetry(subagent_name="managed-auto-memory-extractor"))
    assert response.sidechain


@pytest.mark.parametrize(
    ("sign_in", "provider"),
    [("openai", "openai-compatible"), ("qwen-oauth", "qwen"), ("vertex-ai", "google"), ("anthropic", "anthropic")],
)
def test_how_the_user_signed_in_tells_the_provider(sign_in: str, provider: str) -> None:
    assert [response.provider for response in parse(telemetry(auth_type=sign_in))] == [provider]


def test_a_copy_in_a_forked_session_is_the_same_response_of_the_first_session() -> None:
    for response_id in (LONG_ID, "chatcmpl-1", ""):
        own = telemetry(response_id=response_id)
        copy = telemetry(
            response_id=response_id,
            line={"sessionId": "session-2", "forkedFrom": {"sessionId": "session-1", "messageUuid": "line-1"}},
        )
        assert parse(own) == parse(copy)


def test_ids_that_a_local_server_draws_twice_do_not_merge_responses() -> None:
    rows = (telemetry("line-1", response_id="chatcmpl-417"), telemetry("line-2", response_id="chatcmpl-417"))
    assert totals(parse(*rows)).responses == 2


@pytest.mark.parametrize(
    "quiet",
    [
        b'{"type":"assistant","usageMetadata":{"promptTokenCount":5001},"x":"qwen-code.api_response"}\n',
        telemetry(event={"event.name": "qwen-code.tool_call", "function": "qwen-code.api_response"}),
        telemetry(line={"subtype": "slash_command", "systemPayload": {"uiEvent": {"event.name": 5}}}),
        b'{"type":"user","message":"qwen-code.api_response","subtype":"ui_telemetry"}\n',
    ],
)
def test_what_only_looks_like_usage_bills_nothing_and_is_not_broken(quiet: bytes) -> None:
    assert parse(quiet) == []


@pytest.mark.parametrize(
    "broken",
    [
        telemetry()[:-9] + b"\n",
        telemetry(input_token_count="5001"),
        telemetry(input_token_count=2**25),
        telemetry(output_token_count=-1),
        telemetry(cached_content_token_count=5002),
        telemetry(event={"event.timestamp": None}),
        telemetry(event={"event.timestamp": "yesterday"}),
        telemetry(line={"systemPayload": ["qwen-code.api_response"]}),
        b'"qwen-code.api_response"\n',
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(broken: bytes) -> None:
    responses, lines_broken = read(QwenParser(), broken + telemetry(response_id="chatcmpl-good"))
    assert [response.response_id for response in responses] == ["chatcmpl-good"]
    assert lines_broken == 1
