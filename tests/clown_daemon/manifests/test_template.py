"""Templates: what is replaced, what stays, what is left out whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.manifests.template import render, render_args, render_env

VALUES = {"model": "m", "base_url": "https://x", "api_key": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--model={model}", "--model=m"),
        ("{base_url}/v1", "https://x/v1"),
        ("{model:json}", '"m"'),
        ('{"a":{},"b":{model:json},"c":"{env:KEY}","d":"${KEY}"}', '{"a":{},"b":"m","c":"{env:KEY}","d":"${KEY}"}'),
        ("{api_key}", None),
        ("{model}{alias}", None),
        ("", ""),
    ],
)
def test_known_variables_are_replaced_and_other_braces_stay(text: str, expected: str | None) -> None:
    assert render(text, VALUES) == expected


def test_a_group_of_words_goes_as_one() -> None:
    args = ("-q", ("--key", "{api_key}"), ("--model", "{model}"), "{api_key}")
    assert render_args(args, VALUES) == ("-q", "--model", "m")


def test_a_variable_without_a_value_is_not_set() -> None:
    assert render_env({"A": "{api_key}", "B": "1"}, VALUES) == {"B": "1"}


@given(st.text())
def test_a_json_value_comes_back_as_it_was_and_is_never_filled_in_twice(value: str) -> None:
    text = render("{model:json}", {"model": value, "alias": "a"})
    assert text is not None
    assert json.loads(text) == value
