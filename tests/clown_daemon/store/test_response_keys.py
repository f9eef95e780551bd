import pytest

from clown_daemon.store.response_keys import input_counts, is_shared, message_key, response_key

LONG = "resp_0123456789abcdef0123456789"


def test_a_long_id_is_a_key_by_itself_and_a_short_one_needs_more() -> None:
    assert response_key("openai", LONG, lambda: "more") == f"openai|{LONG}"
    assert response_key("openai", "7", lambda: "more") == "openai|7|more"
    assert response_key("openai", None, lambda: "more") == "openai||more"


def test_a_message_goes_by_its_request_where_that_has_an_id() -> None:
    assert message_key("msg_1", "req_1", input_counts(1, 2, 3)) == "anthropic|msg_1|req_1"
    assert message_key("msg_1", None, input_counts(1, 2, 3)) == "anthropic|msg_1|1|2|3"


@pytest.mark.parametrize("key", ["anthropic|msg_1|req_1", f"openai|{LONG}", f"google|{LONG}"])
def test_keys_of_providers_ids_alone_are_a_proxys_too(key: str) -> None:
    assert is_shared(key)


@pytest.mark.parametrize(
    "key",
    ["anthropic|msg_1|1|2|3", "openai|7|thread|5", "gemini|session|message", "codex|thread|counts", "proxy|boot:1", ""],
)
def test_other_keys_are_the_logs_own(key: str) -> None:
    assert not is_shared(key)
