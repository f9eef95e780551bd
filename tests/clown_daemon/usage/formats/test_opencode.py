import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.opencode import (
    OpenCodeParser,
    Session,
    bill,
    read_answer,
    read_message,
    read_step,
)
from tests.support.opencode import AT_MS, answer, as_json, message, samples, unfinished

SESSION = Session("ses_1", "/home/dev/elsewhere")


def billed(data: dict[str, Any] | bytes, session: Session = SESSION) -> Response | None:
    read = read_message(data if isinstance(data, bytes) else as_json(data))
    return None if read is None else bill(read, session)


def parse(document: bytes) -> tuple[list[Response], int]:
    parser = OpenCodeParser()
    parser.feed(document)
    return parser.unfinished(), parser.lines_broken


def test_a_message_becomes_a_response() -> None:
    response = billed(message(tokens=(19, 209, 15009, 2009), total=17246))
    assert response is not None
    assert response.provider == "anthropic"
    assert response.model == "claude-sonnet-4-5"
    assert response.session == "ses_1"
    assert response.project == "/home/dev/project"
    assert response.at_ms == AT_MS
    assert (response.input_tokens, response.output_tokens, response.cache_read_tokens) == (19, 209, 15009)
    assert (response.cache_write_5m_tokens, response.cache_write_1h_tokens) == (2009, 0)
    assert not response.sidechain


def test_a_session_tells_whether_it_is_a_subagents_and_where_it_was_if_the_message_does_not() -> None:
    response = billed(message(path=None), Session("ses_2", "/home/dev/elsewhere", subagent=True))
    assert response is not None
    assert response.project == "/home/dev/elsewhere"
    assert response.sidechain


def test_what_a_fork_copied_has_the_same_key() -> None:
    original, copy = billed(message()), billed(message(), Session("ses_fork"))
    assert original is not None
    assert copy is not None
    assert original.key == copy.key
    assert original.session != copy.session


@pytest.mark.parametrize(
    "other",
    [
        {"at_ms": AT_MS + 1},
        {"model": "claude-opus-5"},
        {"provider": "bedrock"},
        {"tokens": (11, 20, 30, 40)},
        {"tokens": (10, 21, 30, 40)},
        {"tokens": (10, 20, 31, 40)},
        {"tokens": (10, 20, 30, 41)},
        {"reasoning": 1},
    ],
)
def test_another_response_has_another_key(other: dict[str, Any]) -> None:
    first, second = billed(message()), billed(message(**other))
    assert first is not None
    assert second is not None
    assert first.key != second.key


def test_an_answer_that_has_not_ended_bills_nothing_and_later_what_it_had() -> None:
    read = read_message(as_json(unfinished()))
    assert read is not None
    assert read.unfinished
    assert bill(read, SESSION) is None
    assert billed(message(finished=False)) == billed(message())


def test_a_message_without_tokens_bills_nothing() -> None:
    read = read_message(as_json(message() | {"tokens": None}))
    assert read is not None
    assert bill(read, SESSION) is None
    assert not read.unfinished
    begun = read_message(as_json(unfinished() | {"tokens": None}))
    assert begun is not None
    assert begun.unfinished


def test_an_answer_that_was_cut_off_bills_nothing_and_is_not_waited_for() -> None:
    aborted = message(tokens=(0, 0, 0, 0), error={"name": "MessageAbortedError", "data": {"message": "Aborted"}})
    read = read_message(as_json(aborted))
    assert read is not None
    assert not read.unfinished
    assert bill(read, SESSION) is None


@pytest.mark.parametrize(
    "quiet",
    [
        b'{"role":"user","time":{"created":1},"model":{"providerID":"a","modelID":"b"}}',
        b'{"role":"user","time":"odd","text":"an \\"assistant\\" was here"}',
        b'{"role":"user","time":{"created":1},"agent":"assistant","x":"\\"assistant\\""}',
    ],
)
def test_messages_of_users_bill_nothing(quiet: bytes) -> None:
    assert billed(quiet) is None


# What providers and versions mean by `output`, with 315 tokens of which 104 are reasoning: as those versions wrote it.


@pytest.mark.parametrize(
    ("tokens", "reasoning", "more"),
    [
        pytest.param((25, 315, 2000, 0), 104, {"provider": "openai"}, id="1.0: the provider counts it in"),
        pytest.param((25, 211, 2000, 0), 104, {"provider": "google"}, id="1.0: Google does not"),
        pytest.param((25, 211, 2000, 0), 104, {"provider": "google-vertex", "total": 2236}, id="nor on Vertex"),
        pytest.param((25, 211, 2000, 0), 104, {"provider": "xai", "total": 2236}, id="nor xAI, not even in its sum"),
        pytest.param((25, 315, 2000, 0), 104, {"provider": "openai", "total": 2340}, id="1.1 to 1.3: the sum shows it"),
        pytest.param((25, 211, 2000, 0), 104, {"provider": "openai", "total": 2340}, id="since 1.14: apart"),
        pytest.param((25, 211, 2000, 0), 104, {"provider": "relay", "total": 7}, id="since 1.14, with an odd sum"),
        pytest.param((25, 15, 2000, 0), 300, {"provider": "relay"}, id="more reasoning than output"),
    ],
)
def test_reasoning_is_a_part_of_the_output_and_counted_once(
    tokens: tuple[int, int, int, int], reasoning: int, more: dict[str, Any]
) -> None:
    response = billed(message(tokens=tokens, reasoning=reasoning, **more))
    assert response is not None
    assert (response.output_tokens, response.reasoning_tokens) == (315, reasoning)


@pytest.mark.parametrize("version", ["1.0.162", "1.1.58", "1.2.20", "1.3.0", "1.14.34", "1.18.33"])
def test_every_version_tells_the_same_of_the_same_answer(version: str) -> None:
    rows = samples(version, "file", "message")
    responses = [response for row in rows if (response := billed(row["data"].encode())) is not None]
    by_provider = {response.provider: response for response in responses if response.input_tokens == 25}
    counts = {
        provider: (response.input_tokens, response.cache_read_tokens, response.output_tokens, response.reasoning_tokens)
        for provider, response in by_provider.items()
    }
    assert counts == {
        "stub": (25, 2000, 315, 104),
        "openai": (25, 2000, 315, 104),
        "google": (25, 2000, 315, 104),
        "anthropic": (25, 2000, 315, 0),
    }


def test_more_read_from_a_cache_than_was_sent_is_no_input() -> None:
    response = billed(message(tokens=(-423, 20, 84160, 0)))
    assert response is not None
    assert (response.input_tokens, response.cache_read_tokens) == (0, 84160)


def test_opencode_2_names_the_model_elsewhere_and_keeps_reasoning_apart() -> None:
    read = read_answer(as_json(answer(tokens=(25, 211, 2000, 7), reasoning=104)))
    response = bill(read, SESSION)
    assert response is not None
    assert (response.provider, response.model) == ("anthropic", "claude-sonnet-4-5")
    assert (response.input_tokens, response.output_tokens, response.reasoning_tokens) == (25, 315, 104)
    assert response.project == "/home/dev/elsewhere"


def test_what_opencode_2_took_over_has_the_same_key() -> None:
    old, new = read_message(as_json(message())), read_answer(as_json(answer()))
    assert old is not None
    before, after = bill(old, SESSION), bill(new, SESSION)
    assert before is not None
    assert after is not None
    assert before.key == after.key


def test_each_step_of_a_message_is_a_response_of_its_own() -> None:
    [row] = samples("0.5.29", "file")
    read = read_message(row["data"].encode())
    assert read is not None
    steps = [read_step(part["data"].encode()) for part in samples("0.5.29", "part")]
    responses = [bill(read, SESSION, step, repetition) for repetition, step in enumerate(steps)]
    assert [response and response.output_tokens for response in responses] == [201, 201]
    assert len({response.key for response in responses if response}) == 2
    assert responses[0] == bill(read, SESSION)


@pytest.mark.parametrize("part", [b'{"type":"text","text":"\\"step-finish\\""}', b'{"type":"step-start"}'])
def test_other_parts_are_no_steps(part: bytes) -> None:
    assert read_step(part) is None


@pytest.mark.parametrize(
    "broken",
    [
        message(tokens=(1, -2, 3, 4)),
        message(tokens=(2**40, 2, 3, 4)),
        message(reasoning=-1),
        message(at_ms=-1),
        message(time={"created": 1e300}),
        message(time={}),
        message(time=None),
        message(tokens=(1, 2, 3, 4)) | {"tokens": {"input": "1"}},
        message() | {"tokens": {"input": 1.5}},
    ],
)
def test_what_cannot_be_counted_is_broken(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of many kinds
        billed(broken)
    assert parse(as_json(broken)) == ([], 1)


def test_counts_that_are_not_told_and_unknown_fields_do_not_matter() -> None:
    data = message() | {"tokens": {"input": 5, "output": None, "future": {}}, "future": [1]}
    response = billed(data)
    assert response is not None
    assert (response.input_tokens, response.output_tokens, response.cache_read_tokens) == (5, 0, 0)


def test_a_model_that_is_not_named_is_unknown() -> None:
    response = billed(message(model="", providerID=None))
    assert response is not None
    assert (response.model, response.provider) == ("unknown", "opencode")


# Files of before 1.2.


def test_a_file_tells_its_own_session() -> None:
    [row, *_] = samples("1.1.58", "file")
    [response], broken = parse(row["data"].encode())
    assert broken == 0
    assert response.session == json.loads(row["data"])["sessionID"]
    assert response.project == "/home/dev/src/proj"


def test_a_file_that_was_migrated_has_the_keys_of_its_row() -> None:
    for row in samples("1.1.58", "file"):
        [response], _ = parse(row["data"].encode())
        moved = {name: value for name, value in json.loads(row["data"]).items() if name not in {"id", "sessionID"}}
        migrated = billed(moved)
        assert migrated is not None
        assert response.key == migrated.key


def test_invalid_utf8_drops_nothing() -> None:
    [response], broken = parse(as_json(message()).replace(b"/home/dev", b"/home/\xff"))
    assert (response.input_tokens, broken) == (10, 0)


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b'"assistant"', b"{", b'"step-finish"']), max_size=12))
def test_no_bytes_whatsoever_raise(pieces: list[bytes]) -> None:
    parse(b"".join(pieces))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["time", "tokens", "modelID", "providerID", "path", "role", "sessionID", "model"]),
)
def test_values_of_wrong_types_are_broken_at_most(value: object, name: str) -> None:
    responses, broken = parse(as_json(message() | {name: value}))
    assert len(responses) + broken <= 1
