"""The shapes are those that other readers of Amp's threads describe; no run of Amp wrote them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.amp import AmpParser

USAGE = {
    "model": "claude-haiku-4-5-20251001",
    "inputTokens": 10,
    "outputTokens": 178,
    "cacheCreationInputTokens": 986,
    "cacheReadInputTokens": 11372,
    "totalInputTokens": 12368,
    "timestamp": "2026-01-19T11:42:10.652Z",
}
CREATED_MS = 1_768_822_000_000


def usage(number: int | None = None, **more: object) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text"}], "usage": USAGE | more}
    return message if number is None else message | {"messageId": number}


def event(number: int | None = None, **more: object) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": "event-1",
        "timestamp": "2026-01-20T00:00:00.000Z",
        "model": "claude-haiku-4-5-20251001",
        "credits": 0.75,
        "tokens": {"input": 10, "output": 178},
        "operationType": "inference",
    }
    if number is not None:
        content["toMessageId"] = number
    return content | more


def thread(*messages: object, events: list[object] | None = None, **more: object) -> dict[str, Any]:
    content: dict[str, Any] = {"id": "T-1", "created": CREATED_MS, "messages": [{"role": "user"}, *messages]}
    if events is not None:
        content["usageLedger"] = {"events": events}
    return content | more


def read(document: dict[str, Any] | bytes) -> tuple[list[Response], int]:
    parser = AmpParser()
    parser.feed(document if isinstance(document, bytes) else json.dumps(document).encode())
    return parser.unfinished(), parser.lines_broken


def counts(response: Response) -> tuple[int, int, int, int]:
    return (
        response.input_tokens,
        response.output_tokens,
        response.cache_read_tokens,
        response.cache_write_5m_tokens,
    )


def test_a_message_with_usage_is_a_response() -> None:
    [response], broken = read(thread(usage(2)))
    assert broken == 0
    assert (response.model, response.session, response.provider) == ("claude-haiku-4-5-20251001", "T-1", "amp")
    assert response.at_ms == 1_768_822_930_652
    assert counts(response) == (10, 178, 11372, 986)


def test_an_event_of_the_ledger_tells_when_and_its_message_what() -> None:
    [response], broken = read(thread(usage(2), events=[event(2)]))
    assert broken == 0
    assert response.at_ms == 1_768_867_200_000
    assert counts(response) == (10, 178, 11372, 986)


def test_a_ledger_that_stopped_is_completed_by_the_messages() -> None:
    responses, broken = read(thread(usage(2), usage(4, inputTokens=11), events=[event(2)]))
    assert [response.input_tokens for response in responses] == [10, 11]
    assert broken == 0


def test_messages_that_are_gone_are_told_by_the_ledger() -> None:
    [response], _ = read(thread(events=[event(2)]))
    assert counts(response) == (10, 178, 0, 0)


def test_the_key_is_the_same_whichever_place_told_of_it_first() -> None:
    keys = {
        read(document)[0][0].key
        for document in (thread(usage(2)), thread(events=[event(2)]), thread(usage(2), events=[event(2)]))
    }
    assert keys == {"amp|T-1|2"}


def test_two_events_to_one_message_are_two_responses() -> None:
    responses, _ = read(thread(usage(2), events=[event(2), event(2, id="event-2", tokens={"input": 7, "output": 8})]))
    assert [counts(response)[:2] for response in responses] == [(10, 178), (7, 8)]
    assert len({response.key for response in responses}) == 2


def test_responses_without_numbers_are_told_apart() -> None:
    responses, _ = read(thread(usage(), usage(inputTokens=11), events=[event(id=None)]))
    assert len({response.key for response in responses}) == 3


def test_without_an_instant_it_was_when_the_thread_began() -> None:
    [response], _ = read(thread(usage(2, timestamp=None)))
    assert response.at_ms == CREATED_MS


@pytest.mark.parametrize(
    "quiet",
    [
        thread(),
        thread(events=[]),
        thread({"role": "assistant", "messageId": 1}),
        thread(usage(2, inputTokens=0, outputTokens=0, cacheReadInputTokens=0, cacheCreationInputTokens=None)),
        thread(events=[event(2, tokens=None)]),
        thread(usage(2) | {"role": "user"}),
    ],
)
def test_what_has_no_tokens_bills_nothing(quiet: dict[str, Any]) -> None:
    assert read(quiet) == ([], 0)


@pytest.mark.parametrize(
    "broken",
    [
        thread(usage(2, inputTokens="10")),
        thread(usage(2, outputTokens=-1)),
        thread(usage(2, timestamp="yesterday")),
        thread(usage(2, timestamp=None), created=None),
        thread(events=[event(2, tokens={"total": 345})]),
        thread(events=["odd"]),
        thread(7),
        {"id": "T-1", "future": []},
        {"messages": []},
        thread(usageLedger=[]),
    ],
)
def test_what_is_not_understood_is_broken_and_not_guessed(broken: dict[str, Any]) -> None:
    assert read(broken) == ([], 1)


def test_a_model_that_is_not_named_is_unknown() -> None:
    assert [response.model for response in read(thread(usage(2, model=None)))[0]] == ["unknown"]


def test_a_broken_part_hides_no_other() -> None:
    responses, broken = read(thread(usage(2, inputTokens="10"), usage(4), events=[event(6, timestamp="?")]))
    assert ([response.key for response in responses], broken) == (["amp|T-1|4"], 2)


def test_damaged_text_drops_nothing_and_counts_what_is_broken_once() -> None:
    damaged = json.dumps(thread(7, usage(2, model="claude?"), usage(4))).encode().replace(b"claude?", b"claude\xff")
    responses, broken = read(damaged)
    assert ([response.model for response in responses], broken) == (["claude\ufffd", "claude-haiku-4-5-20251001"], 1)


@given(st.lists(st.binary(max_size=100) | st.sampled_from([b'{"id":"T"', b'"usage":']), max_size=10))
def test_no_bytes_whatsoever_raise(pieces: list[bytes]) -> None:
    read(b"".join(pieces))
