"""Fetching newer prices when the user asks for it: the published data of genai-prices, from a file or an address.

Nothing else of Clown fetches prices. What was fetched becomes a table like the shipped one, and is checked as a whole.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from clown_daemon.errors import ClownError
from clown_daemon.usage.prices import genai
from clown_daemon.usage.prices.genai_data import decode_providers
from clown_daemon.usage.prices.rates import PriceDataError
from clown_daemon.usage.prices.resellers import split_by_price
from clown_daemon.usage.prices.tables import table_of
from clown_daemon.usage.pricing import Source, Table

PUBLISHED_AT = "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"
MOST_BYTES = 32 * 2**20
"""Of data; what is published has half a mebibyte."""
EXPECTED = ("anthropic", "openai", "google")
"""Data without these sellers is not all of it."""
_TIMEOUT_SECONDS = 20
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Refreshed(NamedTuple):
    """A table of fetched prices, and the models whose price could not be told, a line each."""

    table: Table
    left_out: tuple[str, ...]


def read_published(source: str) -> bytes:
    """Read a file, or fetch from an address. Blocking.

    Raises:
        ClownError: it cannot be had.
    """
    if "://" not in source:
        return _read_file(Path(source))
    address = urlsplit(source)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
        raise ClownError(f"{source} is no https address", hint="prices that anybody may have changed are no good")
    return _fetch(source)


def refreshed_table(content: bytes, day: str) -> Refreshed:
    """Make a table of published data.

    Args:
        content: the data.
        day: the UTC day of today, which becomes the table's.

    Raises:
        ClownError: it is something else, not all of it, or not sound.
    """
    left_out: list[str] = []
    try:
        own, at_makers_price = split_by_price(list(genai.entries(decode_providers(content), left_out)))
        # Those stay in the table, or an older price of theirs in the shipped one would come before the maker's.
        table = table_of(day, (Source("genai-prices", "refreshed", "MIT"),), (*own, *at_makers_price))
    except PriceDataError as error:
        raise ClownError(f"the data cannot be used: {error}", hint="the prices stay as they are") from None
    missing = [seller for seller in EXPECTED if not table.models.get(seller)]
    if missing:
        raise ClownError(f"the data has no models of {_listed(missing)}", hint="the prices stay as they are")
    return Refreshed(table, tuple(left_out))


def _read_file(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise ClownError(f"{file} cannot be read: {error.strerror}") from error
    return _bounded(content, str(file))


def _fetch(address: str) -> bytes:
    content = bytearray()
    try:
        with httpx.stream("GET", address, timeout=_TIMEOUT_SECONDS, follow_redirects=False) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    break
    except httpx.HTTPStatusError as error:
        raise ClownError(f"{address} answered {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ClownError(f"{address} cannot be fetched: {error}") from error
    return _bounded(bytes(content), address)


def _bounded(content: bytes, where: str) -> bytes:
    if len(content) > MOST_BYTES:
        raise ClownError(f"{where} has more than {MOST_BYTES // 2**20} MiB, which no price data has")
    return content


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
