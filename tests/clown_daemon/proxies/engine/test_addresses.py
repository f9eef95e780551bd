import pytest

from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.engine.addresses import address, split_token


@pytest.mark.parametrize(
    ("base", "wire", "path", "query", "expected"),
    [
        ("https://api.anthropic.com", "anthropic", "/v1/messages", "beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("https://api.z.ai/api/anthropic", "anthropic", "/v1/messages", "", "https://api.z.ai/api/anthropic/v1/messages"),
        ("https://api.anthropic.com/", "anthropic", "/messages", "", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "anthropic", "/v1/messages", "", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com", "anthropic", "/v1/v1/messages", "", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com", "anthropic", "/v1/files/f%2F1", "", "https://api.anthropic.com/v1/files/f%2F1"),
        ("https://api.openai.com/v1", "openai", "/v1/responses", "", "https://api.openai.com/v1/responses"),
        ("https://api.openai.com/v1", "openai", "/responses", "", "https://api.openai.com/v1/responses"),
        ("https://open.example/api/paas/v4", "openai-chat", "/v1/chat/completions", "", "https://open.example/api/paas/v4/chat/completions"),
        ("http://127.0.0.1:11434", "openai-chat", "/v1/chat/completions", "", "http://127.0.0.1:11434/v1/chat/completions"),
        ("https://g.example", "gemini", "/v1beta/models/m:generateContent", "key=local&alt=sse", "https://g.example/v1beta/models/m:generateContent?alt=sse"),
        ("https://g.example", "gemini", "/v1/models/m:generateContent", "", "https://g.example/v1/models/m:generateContent"),
    ],
)  # fmt: skip
def test_the_version_stands_once_and_the_token_never(
    base: str, wire: Wire, path: str, query: str, expected: str
) -> None:
    assert address(base, wire, path, query) == expected


def test_a_token_in_the_path_is_taken_out_of_it() -> None:
    assert split_token("/p/secret/v1/messages") == ("secret", "/v1/messages")
    assert split_token("/p/secret") == ("secret", "/")
    assert split_token("/v1/messages") == (None, "/v1/messages")
