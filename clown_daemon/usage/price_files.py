"""The files that prices come from: the user's own, which wins, a table that the user had fetched, and the shipped one.

A file that cannot be used becomes one sentence, and the others serve. Blocking, some milliseconds.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import msgspec

from clown_daemon.paths import Paths
from clown_daemon.usage.prices.rates import PriceDataError
from clown_daemon.usage.prices.tables import decode_table
from clown_daemon.usage.pricing import PriceList, Table
from clown_daemon.usage.user_prices import PricesError, read_user_table

Fingerprint = tuple[tuple[int, int, int] | None, ...]


class PriceFiles(NamedTuple):
    """Where a user's prices are."""

    user: Path
    """`prices.toml`."""
    refreshed: Path
    """The table that `clown-daemon prices refresh` wrote."""

    @classmethod
    def of(cls, paths: Paths) -> "PriceFiles":
        return cls(paths.prices_file, paths.prices_table_file)

    def fingerprint(self) -> Fingerprint:
        """Answer something that differs once a file was changed; taken before they are loaded, it misses nothing."""
        return tuple(_mark(file) for file in self)


def shipped_table() -> Table:
    """Read the table that is part of the package; the tests have looked at all of it."""
    content = resources.files("clown_daemon.usage.prices").joinpath("table.json").read_bytes()
    return msgspec.json.decode(content, type=Table)


def load_prices(files: PriceFiles, registry: Iterable[Table] = ()) -> tuple[PriceList, tuple[str, ...]]:
    """Read all prices there are.

    Args:
        files: the user's.
        registry: tables that go before the refreshed and the shipped one, and after the user's own.

    Returns:
        The prices, and what does not work, one sentence each.
    """
    shipped = shipped_table()
    problems: list[str] = []
    tables = (own_table(files.user, problems), *registry, newer_table(files.refreshed, shipped, problems), shipped)
    return PriceList(table for table in tables if table is not None), tuple(problems)


def newer_table(file: Path, shipped: Table, problems: list[str]) -> Table | None:
    """Answer the refreshed table; None where there is none, or where a newer one came with a newer release."""
    try:
        table = decode_table(file.read_bytes())
    except FileNotFoundError:
        return None
    except (PriceDataError, OSError) as error:
        problems.append(f"the refreshed prices in {file} are not used: {_reason(error)}")
        return None
    return table if table.date >= shipped.date else None


def own_table(file: Path, problems: list[str]) -> Table | None:
    """Answer the user's own prices; None where there are none, or a mistake in them."""
    try:
        return read_user_table(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (PricesError, OSError, UnicodeDecodeError) as error:
        problems.append(f"your prices in {file} are not used: {_reason(error)}")
        return None


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
