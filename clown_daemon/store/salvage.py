"""What can still be read of a damaged database: profiles, runs, proxies, budgets and the ledger, into a new one.

Each table is read from its beginning up to the first page that cannot be read, then from its end back. The new tables
have the same schema, which is brought up to date afterwards; sums are made again from rows. Agents are detected anew.
How far the agents' logs were read is left behind on purpose: they are all read again, what is in the ledger adds
nothing, and what was lost of it comes back as far as the agents still have their logs.
"""

import contextlib
import itertools
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from clown_daemon.store.connection import migrate
from clown_daemon.store.usage_replays import settle_replays
from clown_daemon.store.usage_rollups import rebuild

BATCH_ROWS = 1000
MOST_BYTES = 64 * 1024**3
"""A header that tells of more is damaged itself."""

TABLES = (
    *("profiles", "runs", "budgets", "proxies", "proxied_runs"),
    *("usage_series", "usage_sessions", "usage_projects", "usage_price_tables", "usage_records"),
)
"""What is saved; older schemas have not all of them."""

logger = logging.getLogger(__name__)


class Saved(NamedTuple):
    """How many rows came over."""

    profiles: int = 0
    runs: int = 0
    usage_records: int = 0
    whole: bool = False
    """Whether every row could be read."""


def salvage(damaged: Path, connection: sqlite3.Connection) -> Saved:
    """Copy what can be read into a new database, and bring that up to date.

    Args:
        damaged: the file, with its write-ahead log beside it; a file that is no database at all saves nothing.
        connection: to the new database, which is empty.

    Raises:
        sqlite3.Error: the new database cannot be written.
    """
    if not damaged.is_file():
        migrate(connection)
        return Saved()
    _fill_up(damaged)
    with contextlib.closing(sqlite3.connect(damaged, isolation_level=None)) as source:
        migrate(connection, to=_schema_of(source))
        connection.execute("BEGIN IMMEDIATE")
        copied = {table: _copy(source, connection, table) for table in TABLES if _columns(connection, table)}
        connection.execute("COMMIT")
    migrate(connection)
    connection.execute("BEGIN IMMEDIATE")
    orphans = _leave_orphans(connection)
    _name_lost_price_tables(connection)
    settle_replays(connection)
    rebuild(connection)
    connection.execute("COMMIT")
    profiles, runs, usage_records = (copied[table][0] for table in ("profiles", "runs", "usage_records"))
    return Saved(
        profiles, runs, usage_records - orphans, whole=all(whole for _, whole in copied.values()) and not orphans
    )


def _schema_of(source: sqlite3.Connection) -> int | None:
    """The version of its schema; None when even that cannot be read."""
    try:
        return int(source.execute("PRAGMA user_version").fetchone()[0]) or None
    except sqlite3.Error:
        return None


def _leave_orphans(connection: sqlite3.Connection) -> int:
    """Leave rows behind whose series, session or project could not be read: nobody knows whose they are.

    Answers how many.
    They come back from the agents' logs, as everything else that is lost.
    """
    return connection.execute(
        "DELETE FROM usage_records WHERE series NOT IN (SELECT series FROM usage_series)"
        " OR session NOT IN (SELECT session FROM usage_sessions)"
        " OR project NOT IN (SELECT project FROM usage_projects)"
    ).rowcount


def _name_lost_price_tables(connection: sqlite3.Connection) -> None:
    """Costs stay costs when the name of the table that they came from is lost."""
    connection.execute(
        "INSERT INTO usage_price_tables (price_table, label) SELECT DISTINCT price_table, 'lost ' || price_table"
        " FROM usage_records WHERE price_table IS NOT NULL"
        " AND price_table NOT IN (SELECT price_table FROM usage_price_tables)"
    )


def _fill_up(damaged: Path) -> None:
    """Give a file that was cut its old length, with nothing in it: SQLite reads none of it otherwise."""
    with damaged.open("r+b") as file:
        header = file.read(100)
        page_bytes = int.from_bytes(header[16:18]) or 1
        # Of 65,536 the format keeps the upper half.
        length = int.from_bytes(header[28:32]) * (65_536 if page_bytes == 1 else page_bytes)
        if header.startswith(b"SQLite format 3\0") and damaged.stat().st_size < length <= MOST_BYTES:
            file.truncate(length)


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, bool]:
    """The columns of a table, and whether they are its key; empty when there is no such table."""
    return {row[1]: bool(row[5]) for row in connection.execute(f"PRAGMA table_info({table})")}


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """Copy one table; answer how many rows, and whether that was all."""
    wanted = _columns(target, table)
    [key] = [name for name, is_key in wanted.items() if is_key]
    try:
        names = _columns(source, table)
    except sqlite3.Error as error:
        logger.warning("nothing of %s can be read: %s", table, error)
        return 0, False
    columns = [name for name in wanted if name in names and name != key]
    if key not in names:
        return 0, False
    reading = _Reading(source, table, key, columns)
    placeholders = ", ".join("?" * (len(columns) + 1))
    insert = f"INSERT INTO {table} ({', '.join([key, *columns])}) VALUES ({placeholders})"  # noqa: S608  # our own names
    before = target.total_changes
    rows = reading.rows()
    refused = 0
    while batch := list(itertools.islice(rows, BATCH_ROWS)):
        refused += _insert(target, insert, batch)
    return target.total_changes - before, reading.whole and not refused


def _insert(target: sqlite3.Connection, insert: str, batch: Sequence[tuple[object, ...]]) -> int:
    """Insert rows; answer how many the schema refused, since damage can also look like a row."""
    target.execute("SAVEPOINT batch")
    try:
        target.executemany(insert, batch)
    except sqlite3.IntegrityError:
        target.execute("ROLLBACK TO batch")
    else:
        target.execute("RELEASE batch")
        return 0
    refused = 0
    for row in batch:
        try:
            target.execute(insert, row)
        except sqlite3.IntegrityError as error:
            logger.warning("a damaged row was left behind: %s", error)
            refused += 1
    target.execute("RELEASE batch")
    return refused


class _Reading:
    """One table from both ends."""

    def __init__(self, source: sqlite3.Connection, table: str, key: str, columns: Sequence[str]) -> None:
        self.whole = True
        self._source = source
        self._table = table
        self._query = f"SELECT {', '.join([key, *columns])} FROM {table} ORDER BY {key}"  # noqa: S608  # our own names
        self._last: object = None

    def rows(self) -> Iterator[tuple[object, ...]]:
        for row in self._until_damage("ASC"):
            self._last = row[0]
            yield row
        if not self.whole:
            for row in self._until_damage("DESC"):
                if self._last is not None and row[0] <= self._last:  # type: ignore[operator]  # keys of one type
                    return
                yield row

    def _until_damage(self, order: str) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._source.execute(f"{self._query} {order}")
        except sqlite3.Error as error:
            logger.warning("%s cannot be read on (%s): %s", self._table, order, error)
            self.whole = False
