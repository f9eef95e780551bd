import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.proxies.engine.bodies import Asked, read_body, with_model, with_model_in_path, with_usage_asked


def test_what_routing_looks_at_is_read() -> None:
    body = b'{"model":"m","stream":true,"thinking":{"type":"enabled","budget_tokens":9},"tools":[{},{}]}'
    assert read_body(body) == Asked(model="m", stream=True, thinking=True, tools=2)
    assert read_body(b'{"reasoning":{"effort":"high"}}').thinking
    assert read_body(b'{"reasoning_effort":"low"}').thinking
    assert not read_body(b'{"thinking":{"type":"disabled"}}').thinking
    assert read_body(b'{"stream_options":{"include_usage":true}}').wants_usage


@pytest.mark.parametrize("garbage", [b"", b"[1]", b"{", b"\xff", b'{"model": 7}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_asks_for_nothing(garbage: bytes) -> None:
    assert read_body(garbage) == Asked()


def test_only_the_outermost_model_is_replaced_and_nothing_else_touched() -> None:
    body = b'{ "messages":[{"model":"old"}], "tools": [{"x": "\\"model\\":\\"old\\""}],\n "model" :"old","z":1.50}'
    assert with_model(body, "old", "new") == body.replace(b'"model" :"old"', b'"model" :"new"')


def test_a_model_that_is_not_there_changes_nothing() -> None:
    assert with_model(b'{"messages":[{"model":"old"}]}', "old", "new") == b'{"messages":[{"model":"old"}]}'


@given(
    st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())),
    st.text(min_size=1),
    st.text(min_size=1),
)
def test_whatever_a_body_holds_only_its_model_changes(rest: dict[str, object], old: str, new: str) -> None:
    body = json.dumps({**rest, "stream": True, "thinking": None, "tools": None, "model": old}).encode()
    if read_body(body).model != old:
        return  # a field of another shape than the format's: such a body is passed on as it is
    changed = json.loads(with_model(body, old, new))
    assert changed == {**json.loads(body), "model": new}


def test_a_stream_is_asked_for_its_usage_without_touching_the_rest() -> None:
    assert with_usage_asked(b' {"model":"m","stream":true}') == (
        b' {"stream_options":{"include_usage":true},"model":"m","stream":true}'
    )
    assert with_usage_asked(b"{}") == b'{"stream_options":{"include_usage":true}}'
    refused = b'{"stream":true,"stream_options":{"include_usage":false}}'
    assert with_usage_asked(refused) == refused


def test_gemini_names_its_model_in_the_path() -> None:
    path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent"
    assert with_model_in_path(path, "gemini", "gemini-2.5-pro", "x") == "/v1beta/models/x:streamGenerateContent"
    assert with_model_in_path(path, "anthropic", "gemini-2.5-pro", "x") == path
