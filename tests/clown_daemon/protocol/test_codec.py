import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol import codec
from clown_daemon.protocol.codec import DecodeError
from clown_daemon.protocol.events import EVENT_NAMES, Event, UnknownEvent
from clown_daemon.protocol.problems import STATUS, Problem, ProblemCode
from clown_daemon.protocol.replies import Message
from clown_daemon.protocol.requests import (
    CreateProfile,
    MetricsQuery,
    NoQuery,
    RunProfile,
    StreamQuery,
    UpdateProfile,
    UsageQuery,
)
from clown_daemon.protocol.stream import CONTROL_TYPES, Subscribe, Unsubscribe

CREATE = {"agent_id": "claude", "alias": "work", "provider_id": "anthropic"}


def refused(text: str | bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        codec.decode_body(text.encode() if isinstance(text, str) else text, CreateProfile)
    return caught.value


# -- strict on what comes in --


def test_a_body_is_read_with_its_defaults() -> None:
    assert codec.decode_body(json.dumps(CREATE).encode(), CreateProfile).api_key is None
    assert codec.decode_body(b"", RunProfile) == RunProfile()


def test_null_and_nothing_differ_where_a_field_can_be_emptied() -> None:
    assert codec.decode_body(b"{}", UpdateProfile).model is msgspec.UNSET
    assert codec.decode_body(b'{"model":null}', UpdateProfile).model is None


def test_an_unknown_field_is_refused_and_the_nearest_named() -> None:
    error = refused(json.dumps({**CREATE, "modle": "x"}))
    assert (error.code, error.field, error.hint) == ("unknown_field", "modle", "did you mean 'model'?")


def test_a_field_that_resembles_nothing_is_answered_with_all_names() -> None:
    error = refused(json.dumps({**CREATE, "zzz": 1}))
    assert error.hint is not None
    assert error.hint.startswith("known fields: agent_id, alias")


@pytest.mark.parametrize(
    ("change", "field"),
    [({"alias": 7}, "alias"), ({"model": []}, "model"), ({"agent_id": None}, "agent_id")],
)
def test_a_wrong_type_names_its_field(change: dict[str, Any], field: str) -> None:
    error = refused(json.dumps({**CREATE, **change}))
    assert (error.code, error.field) == ("invalid_field", field)


def test_a_missing_field_is_named() -> None:
    error = refused('{"agent_id":"claude","alias":"x"}')
    assert (error.code, error.field) == ("invalid_field", "provider_id")


@pytest.mark.parametrize("text", ["{", "nope", b"\xff\xfe"])
def test_what_is_not_json_is_called_so(text: str | bytes) -> None:
    assert refused(text).code == "bad_json"


def test_a_secret_never_shows_in_an_error() -> None:
    error = refused(json.dumps({**CREATE, "api_key": ["sk-secret"]}))
    assert "sk-secret" not in f"{error} {error.hint} {error.field}"
    assert "sk-secret" not in repr(
        codec.decode_body(json.dumps({**CREATE, "api_key": "sk-secret"}).encode(), CreateProfile)
    )
    assert "sk-secret" not in repr(UpdateProfile(api_key="sk-secret"))


def test_an_empty_body_is_an_empty_object_and_blanks_are_none() -> None:
    assert codec.decode_body(b"", RunProfile) == RunProfile()
    with pytest.raises(DecodeError) as caught:
        codec.decode_body(b" \r\n", RunProfile)
    assert caught.value.code == "bad_json"


def test_query_parameters_are_read_from_text() -> None:
    assert codec.decode_query({"period": "7d", "tz": "UTC"}, UsageQuery) == UsageQuery(period="7d", tz="UTC")


@pytest.mark.parametrize(
    ("query", "type_", "code", "hint"),
    [
        ({"perod": "7d"}, UsageQuery, "unknown_parameter", "did you mean 'period'?"),
        ({"x": "1"}, NoQuery, "unknown_parameter", "this call takes no parameters"),
        ({"period": "fortnight"}, UsageQuery, "invalid_field", None),
        ({"passive": "null"}, MetricsQuery, "invalid_field", None),
        ({"since": "NULL", "log": "l"}, StreamQuery, "invalid_field", None),
    ],
)
def test_a_wrong_query_is_refused(query: dict[str, str], type_: type, code: str, hint: str | None) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode_query(query, type_)
    assert caught.value.code == code
    if hint:
        assert caught.value.hint == hint


def test_the_word_null_is_a_text_like_any_other() -> None:
    assert codec.decode_query({"model": "null"}, UsageQuery) == UsageQuery(model="null")


def test_actions_are_read() -> None:
    assert codec.decode_action('{"action":"subscribe","events":["A","B*"]}') == Subscribe(events=("A", "B*"))
    assert codec.decode_action('{"action":"unsubscribe","events":[],"request_id":"7"}') == Unsubscribe(
        events=(), request_id="7"
    )


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "bad_json", None),
        ("{", "bad_json", None),
        ("[]", "bad_message", None),
        ('"subscribe"', "bad_message", None),
        ("{}", "bad_message", None),
        ('{"action":"shout"}', "unknown_action", "action"),
        ('{"action":7}', "unknown_action", "action"),
        ('{"action":[]}', "unknown_action", "action"),
        ('{"action":"subscribe"}', "invalid_field", "events"),
        ('{"action":"subscribe","events":"A"}', "invalid_field", "events"),
        ('{"action":"subscribe","events":["A",7]}', "invalid_field", "events[1]"),
    ],
)
def test_a_wrong_action_says_what_is_wrong(text: str, code: str, field: str | None) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode_action(text)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_what_is_nested_too_deep_is_refused() -> None:
    assert refused('{"agent_id":' + "[" * 100_000).code in {"bad_json", "invalid_field"}
    with pytest.raises(DecodeError) as caught:
        codec.decode_action("[" * 30_000)
    assert caught.value.code == "bad_json"
    deep = b"[" * 100_000
    with pytest.raises(DecodeError):
        codec.decode_frame(b'{"type":"MoonRose","timestamp":"t","seq":1,"log":"l","at_ms":1,"data":{"x":' + deep)
    with pytest.raises(DecodeError):
        codec.decode_reply(b'{"success":true,"data":' + deep, Message)


# -- tolerant of what a newer daemon sends --


def test_an_unknown_event_is_kept() -> None:
    frame = codec.decode_frame(
        b'{"type":"MoonRose","timestamp":"t","data":{"x":[1]},"seq":3,"log":"l","at_ms":4,"new":{}}'
    )
    assert frame == UnknownEvent(type="MoonRose", timestamp="t", data={"x": [1]}, seq=3, log="l", at_ms=4)


def test_unknown_fields_are_skipped() -> None:
    frame = codec.decode_frame(
        b'{"type":"ProfileDeleted","timestamp":"t","data":{"alias":"a","why":"x"},"seq":3,"log":"l","at_ms":4,"more":1}'
    )
    assert isinstance(frame, Event)
    assert frame.resource is None
    reply = codec.decode_reply(b'{"success":true,"data":{"message":"m","tone":"x"},"took":1}', Message)
    assert reply == Message(message="m")


def test_an_unknown_control_frame_can_be_told_from_garbage() -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode_frame(b'{"type":"Novelty","timestamp":"t","data":{}}')
    assert caught.value.code == "unknown_control"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b"[]", "bad_message"),
        (b'{"type":1}', "bad_message"),
        (b'{"type":"ProfileDeleted","timestamp":"t","data":{},"seq":1,"log":"l","at_ms":1}', "bad_message"),
        (b'{"type":"MoonRose","timestamp":"t","data":7,"seq":1,"log":"l","at_ms":1}', "bad_message"),
    ],
)
def test_a_frame_that_is_none_is_refused(frame: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode_frame(frame)
    assert caught.value.code == code


def test_a_problem_is_answered_as_one() -> None:
    reply = codec.decode_reply(b'{"success":false,"error":"e","code":"new_code","hint":"h","extra":1}', Message)
    assert reply == Problem(success=False, error="e", code="new_code", hint="h")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":1}', b'{"success":true,"data":{}}'])
def test_what_is_no_reply_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode_reply(body, Message)


def test_every_problem_code_has_a_status() -> None:
    assert set(STATUS) == set(ProblemCode)
    assert all(400 <= status < 600 and status != 422 for status in STATUS.values())


# -- whatever comes --

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ENVELOPE = st.fixed_dictionaries(
    {"type": st.sampled_from([*EVENT_NAMES, *CONTROL_TYPES, "Other"]) | JSON},
    optional=dict.fromkeys(("timestamp", "data", "seq", "log", "at_ms", "resource"), JSON),
)
ACTION = st.fixed_dictionaries(
    {"action": st.sampled_from(["subscribe", "unsubscribe"]) | JSON},
    optional={"events": JSON, "request_id": JSON, "more": JSON},
)


def quietly(read: Any, *arguments: Any) -> None:
    try:
        read(*arguments)
    except DecodeError as error:
        assert str(error)  # noqa: PT017  # whatever it is, it has a sentence


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    quietly(codec.decode_frame, payload)
    quietly(codec.decode_body, payload, CreateProfile)
    quietly(codec.decode_reply, payload, Message)
    quietly(codec.decode_action, payload.decode("utf-8", errors="replace"))


@given(JSON | ENVELOPE | ACTION)
def test_any_json_is_read_or_refused(value: Any) -> None:
    payload = json.dumps(value)
    quietly(codec.decode_frame, payload.encode())
    quietly(codec.decode_frame, payload)
    quietly(codec.decode_body, payload.encode(), CreateProfile)
    quietly(codec.decode_body, payload.encode(), UpdateProfile)
    quietly(codec.decode_reply, payload.encode(), Message)
    quietly(codec.decode_action, payload)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["period", "tz"]), st.text(max_size=8), max_size=3))
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    quietly(codec.decode_query, query, UsageQuery)
