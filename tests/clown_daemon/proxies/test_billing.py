import msgspec
import pytest

from clown_daemon.proxies.billing import left_open, response_of, traffic_of
from clown_daemon.proxies.metering.measured import Counts
from clown_daemon.proxies.records import Record
from clown_daemon.store.response_keys import is_shared

COUNTS = Counts(
    input_tokens=10,
    output_tokens=7,
    cache_read_tokens=5,
    cache_write_5m_tokens=2,
    cache_write_1h_tokens=1,
    reasoning_tokens=3,
    web_searches=1,
)
END = Record(
    id="boot:1",
    kind="end",
    at_ms=1_795_000_000_000,
    profile="work",
    agent_id="claude",
    provider="zai",
    wire="anthropic",
    session="s1",
    model_requested="opus",
    model="glm-4.7",
    response_id="msg_1",
    request_id="req_1",
    status=200,
    ended="whole",
    counts=COUNTS,
    tier="priority",
    complete=True,
    first_ms=12.5,
)


def changed(**fields: object) -> Record:
    return msgspec.structs.replace(END, **fields)


def key_of(record: Record) -> str:
    response = response_of(record)
    assert response is not None
    return response.key


def test_a_record_bills_what_it_says() -> None:
    response = response_of(END)
    assert response is not None
    assert response._asdict() == {
        "source": "proxy",
        "agent_id": "claude",
        "key": "anthropic|msg_1|req_1",
        "provider": "zai",
        "model": "glm-4.7",
        "session": "s1",
        "project": None,
        "at_ms": END.at_ms,
        "input_tokens": 10,
        "output_tokens": 7,
        "cache_read_tokens": 5,
        "cache_write_5m_tokens": 2,
        "cache_write_1h_tokens": 1,
        "reasoning_tokens": 3,
        "web_searches": 1,
        "tier": "priority",
        "sidechain": False,
        "complete": True,
        "response_id": "msg_1",
        "twin": None,
        "parent_session": None,
    }


def test_where_the_answer_names_no_model_the_one_that_was_asked_for_is_meant() -> None:
    for record, model in ((changed(model=None), "opus"), (changed(model=None, model_requested=None), "unknown")):
        response = response_of(record)
        assert response is not None
        assert response.model == model


@pytest.mark.parametrize("record", [changed(kind="begin"), changed(counts=None), changed(call="count")])
def test_what_bills_nothing_is_no_response(record: Record) -> None:
    assert response_of(record) is None


LONG = "resp_0123456789abcdef0123456789"


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (END, "anthropic|msg_1|req_1"),
        (changed(wire="openai", response_id=LONG), f"openai|{LONG}"),
        (changed(wire="openai-chat", response_id=LONG), f"openai|{LONG}"),
        (changed(wire="gemini", response_id=LONG), f"google|{LONG}"),
    ],
)
def test_a_key_that_logs_have_too_is_made_of_the_providers_ids(record: Record, key: str) -> None:
    assert key_of(record) == key
    assert is_shared(key)


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (changed(request_id=None), "anthropic|msg_1|10|3|5"),
        (changed(response_id=None), "proxy|boot:1"),
        (changed(wire="openai", response_id="chatcmpl-7"), "openai|chatcmpl-7|proxy|boot:1"),
        (changed(wire="gemini", response_id=None), "google||proxy|boot:1"),
    ],
)
def test_other_keys_are_as_unique_as_can_be(record: Record, key: str) -> None:
    assert key_of(record) == key
    assert not is_shared(key)


def test_the_beginning_of_a_stream_bills_at_once_where_its_end_will_have_the_same_key() -> None:
    assert response_of(changed(kind="partial")) is not None
    assert response_of(changed(kind="partial", wire="gemini", request_id=None)) is not None
    assert response_of(changed(kind="partial", request_id=None)) is None


def test_what_never_ended_bills_the_last_that_is_known() -> None:
    begun = [changed(id=f"boot:{number}", kind="partial", request_id=None) for number in (1, 2, 3)]
    ended = [changed(id="boot:2", request_id=None), changed(id="boot:4", kind="begin", counts=None)]
    assert [response.key for response in left_open([*begun, *ended])] == ["anthropic|msg_1|10|3|5"] * 2
    assert left_open([changed(kind="partial", counts=None)]) == ()


@pytest.mark.parametrize(
    ("record", "status", "failed"),
    [
        (END, 200, False),
        (changed(status=529), 529, True),
        (changed(ended="cancelled"), 200, False),
        (changed(ended="cancelled", status=None, first_ms=None), None, True),
        (changed(ended="failed", status=502, first_ms=None), None, True),
        (changed(ended="refused", status=429, first_ms=None), 429, True),
    ],
)
def test_traffic_says_whether_the_provider_answered(
    record: Record, status: int | None, failed: bool
) -> None:  # a column
    traffic = traffic_of(record)
    assert (traffic.status, traffic.failed, traffic.at_ms) == (status, failed, record.at_ms)
