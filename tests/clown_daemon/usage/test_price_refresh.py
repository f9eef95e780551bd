import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from clown_daemon.errors import ClownError
from clown_daemon.usage import price_refresh
from clown_daemon.usage.price_refresh import read_published, refreshed_table
from clown_daemon.usage.pricing import PriceList
from tests.support.published_prices import PUBLISHED, published


@contextmanager
def site(content: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/data.json"
        finally:
            server.shutdown()
            thread.join()


def test_published_data_is_read_from_a_file_and_from_an_address(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_bytes(PUBLISHED)
    assert read_published(str(file)) == PUBLISHED
    with site(PUBLISHED) as address:
        assert read_published(address) == PUBLISHED


def test_a_table_is_made_of_it_and_says_so() -> None:
    table, left_out = refreshed_table(PUBLISHED, "2026-12-24")
    assert table.date == "2026-12-24"
    [match] = PriceList((table,)).find("gpt-x")
    assert match.label == "genai-prices refreshed (2026-12-24)"
    assert left_out == (
        "openrouter google/gemini-x: 0.0833333 US dollars per 1,000,000 is no whole number of picodollars",
    )


def test_what_resellers_sell_at_the_makers_price_is_listed_with_the_makers_prices() -> None:
    table, _ = refreshed_table(PUBLISHED, "2026-12-24")
    [match] = PriceList((table,)).find("anthropic/claude-x", "openrouter")
    assert match.seller == "openrouter"
    assert match.model.prices == table.models["anthropic"][0].prices


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "the data cannot be used: this is no data of genai-prices: JSON is malformed: invalid character"),
        (b"[]", "the data has no models of anthropic and openai and google"),
        (published(without="google"), "the data has no models of google"),
        (json.dumps({"providers": []}).encode(), "the data has no models of anthropic and openai and google"),
    ],
)
def test_other_data_and_half_of_it_are_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(ClownError) as raised:
        refreshed_table(content, "2026-12-24")
    assert str(raised.value).startswith(sentence)
    assert raised.value.hint == "the prices stay as they are"


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClownError, match=r"/data\.json cannot be read: No such file or directory"):
        read_published(str(tmp_path / "data.json"))
    monkeypatch.setattr(price_refresh, "MOST_BYTES", 10)
    (tmp_path / "data.json").write_bytes(bytes(11))
    with pytest.raises(ClownError, match=r"/data\.json has more than 0 MiB"):
        read_published(str(tmp_path / "data.json"))


def test_an_address_that_does_not_answer_well_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with site(b"", status=404) as address, pytest.raises(ClownError, match="answered 404"):
        read_published(address)
    with site(b"", status=302) as address, pytest.raises(ClownError, match="answered 302"):
        read_published(address)
    with pytest.raises(ClownError, match="cannot be fetched"):
        read_published(address)
    monkeypatch.setattr(price_refresh, "MOST_BYTES", 10)
    with site(bytes(100)) as address, pytest.raises(ClownError, match="has more than 0 MiB"):
        read_published(address)


@pytest.mark.parametrize("source", ["http://example.com/data.json", "ftp://127.0.0.1/data.json", "http:///x"])
def test_prices_are_fetched_over_https_or_from_this_machine(source: str) -> None:
    with pytest.raises(ClownError, match="is no https address"):
        read_published(source)
