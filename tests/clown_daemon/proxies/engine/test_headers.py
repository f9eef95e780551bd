from clown_daemon.proxies.engine.headers import to_agent, to_upstream
from clown_daemon.proxies.engine.instructions import KeyHeader, Upstream

TOKEN = "clown-local"


def upstream(key_header: KeyHeader, key: str | None = "REAL") -> Upstream:
    return Upstream(provider="p", url="http://x", wire="anthropic", key=key, key_header=key_header)


def test_order_case_and_repetition_stay() -> None:
    sent = [("anthropic-beta", "a"), ("X-Custom", "1"), ("anthropic-beta", "b"), ("User-Agent", "claude/2")]
    assert to_upstream(sent, upstream("x-api-key"), TOKEN) == [*sent, ("x-api-key", "REAL")]
    answered = [("Set-Cookie", "a=1"), ("request-id", "req_1"), ("Set-Cookie", "b=2")]
    assert to_agent(answered) == answered


def test_every_credential_of_the_agent_is_taken_out() -> None:
    shown = [(name, "local") for name in ("Authorization", "X-Api-Key", "x-goog-api-key", "api-key", "Cookie")]
    assert to_upstream(shown, upstream("bearer"), TOKEN) == [("Authorization", "Bearer REAL")]
    assert to_upstream(shown, upstream("x-goog-api-key"), TOKEN) == [("x-goog-api-key", "REAL")]
    assert to_upstream(shown, upstream("bearer", None), TOKEN) == []


def test_an_agent_with_a_login_of_its_own_keeps_it() -> None:
    own = ("Authorization", "Bearer oauth")
    assert to_upstream([own], upstream("none"), TOKEN) == [own]
    assert to_upstream([("X-Any", f"Bearer {TOKEN}"), own], upstream("none"), TOKEN) == [own]


def test_what_belongs_to_one_connection_stays_on_it() -> None:
    sent = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "5"),
        ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "x"),
        ("Host", "127.0.0.1:1"),
        ("Content-Length", "3"),
        ("X-Kept", "1"),
    ]
    assert to_upstream(sent, upstream("none"), TOKEN) == [("X-Kept", "1")]
    assert to_agent([("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-Kept", "1")]) == [("X-Kept", "1")]


def test_only_encodings_that_can_be_metered_are_asked_for() -> None:
    usual = ("Accept-Encoding", "gzip, deflate, br, zstd")
    assert to_upstream([usual], upstream("none"), TOKEN) == [usual]
    assert to_upstream([("accept-encoding", "dcb, gzip;q=0.5")], upstream("none"), TOKEN) == [
        ("accept-encoding", "gzip;q=0.5")
    ]
    assert to_upstream([("accept-encoding", "dcb")], upstream("none"), TOKEN) == [("accept-encoding", "identity")]
