import pytest

from clown_daemon.client.address import checked_url, stream_url
from clown_daemon.client.continuity import Resume
from clown_daemon.client.errors import IncompatibleError


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765", "https://h", "http://[::1]:1/", "http://h/below/"])
def test_addresses_lose_the_slash_at_their_end(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "127.0.0.1:8765", "ftp://h:1", "http://", "http://h:0", "http://h:99999", "http://h:x"]
)
def test_what_is_no_address_is_told_with_an_example(url: str) -> None:
    with pytest.raises(IncompatibleError, match="is no address") as caught:
        checked_url(url)
    assert caught.value.hint == "use one like http://127.0.0.1:8765"


@pytest.mark.parametrize(
    ("url", "resume", "events", "passive", "expected"),
    [
        ("http://127.0.0.1:1", None, None, False, "ws://127.0.0.1:1/ws?hello=1"),
        ("https://h:1/", None, None, True, "wss://h:1/ws?hello=1&passive=1"),
        ("http://h", Resume(7, "l"), ("A", "B*"), False, "ws://h/ws?hello=1&since=7&log=l&events=A%2CB%2A"),
    ],
)
def test_the_address_of_the_stream(
    url: str, resume: Resume | None, events: tuple[str, ...] | None, passive: bool, expected: str
) -> None:
    assert stream_url(url, resume, events, passive=passive) == expected
