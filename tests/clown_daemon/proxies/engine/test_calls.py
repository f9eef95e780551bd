import pytest

from clown_daemon.proxies.engine.calls import OTHER, Call, recognise


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/v1/messages", Call("generate", "anthropic")),
        ("/api/anthropic/v1/messages/", Call("generate", "anthropic")),
        ("/v1/messages/count_tokens", Call("count", "anthropic")),
        ("/v1/responses", Call("generate", "openai")),
        ("/v1/chat/completions", Call("generate", "openai-chat")),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", Call("generate", "gemini", "gemini-2.5-pro")),
        ("/v1beta/models/gemini-2.5-pro:generateContent", Call("generate", "gemini", "gemini-2.5-pro")),
        ("/v1beta/models/gemini-2.5-pro:countTokens", Call("count", "gemini", "gemini-2.5-pro")),
        ("/v1beta/models/gemini-2.5-pro:embedContent", OTHER),
        ("/v1/models", OTHER),
        ("/v1/files", OTHER),
        ("/", OTHER),
    ],
)
def test_a_post_is_told_by_the_end_of_its_path(path: str, call: Call) -> None:
    assert recognise("POST", path) == call


def test_only_a_post_bills() -> None:
    assert recognise("GET", "/v1/messages") == OTHER
