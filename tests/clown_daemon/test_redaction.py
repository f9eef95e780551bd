import secrets
from urllib.parse import quote

import pytest

from clown_daemon.redaction import hide_secrets, looks_like_key

KEYS = [
    "sk-ant-api03-0a1b2c3d4e5f6g7h8i9j",
    "sk-proj-abcdefghijklmnopqrst",
    "sk_live_abcdefghijklmnop",
    "gsk_abcdefghijklmnopqrstuvwx",
    "xai-abcdefghijklmnopqrstuvwx",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "0123456789abcdef0123456789abcdef",
    "kJ8xQ2mZpL0vN4tR7wY1cB5dF9gH3sA6eU-_iOoP",
    "QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgbW9yZSBvZiBpdA",
]
WORDS = [
    "there is no profile 'my-rather-long-project-name-of-the-year-2026'",
    "claude-sonnet-4-5-20250929 is no model of this provider, but claude-opus-4-5-20251101 is",
    "/home/dev/.local/share/clown/profiles/my-project cannot be written",
    "known parameters: since, types, profile, limit; did you mean 'profile'?",
    "unknown event 'UsageImportProgresed'; did you mean 'UsageImportProgressed'?",
    "task-list-of-the-risk-desk",
    "log 9f8e7d6c5b4a3021, run 0123456789abcdef",
    "0b9f2c1a-8d7e-4c3b-9a5f-6e7d8c9b0a1f",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("text", ["{}", "there is no profile '{}'", "/api/profiles/{}/run", "x={}&y=1", '{{"k":"{}"}}'])
def test_a_key_is_hidden_wherever_it_stands(text: str, key: str) -> None:
    assert hide_secrets(text.format(key)) == text.format("[secret]")
    assert looks_like_key(text.format(key))


def test_a_key_is_hidden_also_in_the_letters_of_an_address() -> None:
    assert hide_secrets(quote("sk-ant-api03-0a1b2c3d4e5f").replace("-", "%2D")) == "[secret]"


def test_every_access_token_is_hidden() -> None:
    for _ in range(2000):
        assert hide_secrets(f"Bearer {secrets.token_urlsafe(32)}") == "Bearer [secret]"


@pytest.mark.parametrize("text", WORDS)
def test_what_people_write_stays(text: str) -> None:
    assert hide_secrets(text) == text
