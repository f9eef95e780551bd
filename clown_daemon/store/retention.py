"""How long events are kept: until there are too many, they are too old, or they fill too much, whichever comes first.

Pruning takes the oldest in transactions of a few milliseconds, and other changes go in between. The number of events is
head minus floor, since numbers have no holes; their bytes are added up once after a start and from then on by what
came and went, so nothing ever reads the whole log again. The newest event always stays: it tells a later daemon when
this one was last alive.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from clown_daemon.clock import Clock
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.event_log import read_floor, read_head

LOOK_SECONDS = 2.0
"""How often the log is looked at."""
SLACK = 100
"""A bound may be passed by a hundredth, so that a quiet log is not pruned event by event."""
BATCH_EVENTS = 256
BATCH_BYTES = 1024 * 1024
"""One transaction ends with the event that passes either."""
COUNT_EVENTS = 5_000
"""How many events are added up in one read."""
FREE_PAGES = 1024
"""Fewer free pages than this are left for what comes next."""
VACUUM_PAGES = 256
"""How many pages one transaction gives back to the file system."""

logger = logging.getLogger(__name__)


class Limits(NamedTuple):
    """The bounds of the log; the first that is passed counts."""

    events: int
    age_ms: int
    bytes: int
    """Of the encoded events alone; the file is somewhat larger."""

    def with_slack(self) -> "Limits":
        """The bounds at which pruning begins; it ends at the bounds themselves."""
        return Limits(*(limit + limit // SLACK for limit in self))


class Row(NamedTuple):
    """What decides whether an event stays."""

    seq: int
    at_ms: int
    bytes: int


class Cut(NamedTuple):
    """The oldest events that go."""

    upto: int
    """The number of the last one; 0 when all stay."""
    bytes: int


def cut(oldest: Iterable[Row], *, head: int, log_bytes: int, now_ms: int, limits: Limits) -> Cut:
    """Say which of the oldest events go; pure.

    Args:
        oldest: the oldest events, oldest first.
        head: the number of the newest event, which stays.
        log_bytes: of all events.
        now_ms: the time.
        limits: what is to be kept.
    """
    upto = size = 0
    for row in oldest:
        too_many = head - row.seq >= limits.events
        too_old = row.at_ms < now_ms - limits.age_ms
        too_large = log_bytes - size > limits.bytes
        if row.seq >= head or size > BATCH_BYTES or not (too_many or too_old or too_large):
            break
        upto, size = row.seq, size + row.bytes
    return Cut(upto, size)


class Pruner:
    """Keeps the log within its bounds; `watch` runs for ever beside the others."""

    def __init__(self, *, database: Database, clock: Clock, limits: Limits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._counted = 0
        """The number up to which `_bytes` is right."""
        self._bytes = 0

    @property
    def log_bytes(self) -> int:
        """How much the events of the log filled at the last look."""
        return self._bytes

    async def watch(self) -> None:
        """Look and prune, for ever.

        Raises:
            StoreUnavailableError: the database refuses; call it again later.
        """
        # What a failed attempt deleted is not known here, so each beginning counts anew.
        self._counted = await self._database.read(read_floor)
        self._bytes = 0
        while True:
            await self.prune()
            await asyncio.sleep(LOOK_SECONDS)

    async def prune(self) -> int:
        """Bring the log back within its bounds, if it passed one, and answer how many events went.

        Raises:
            StoreUnavailableError: the database refuses.
        """
        await self._count()
        first = await self._database.read(lambda connection: self._cut(connection, self._limits.with_slack()))
        if not first.upto:
            return 0
        before = await self._database.read(read_floor)
        while (done := await self._database.write(self._delete)).upto:
            self._bytes -= done.bytes
        await self._give_back()
        gone = await self._database.read(read_floor) - before
        logger.info("%d events were pruned, %.1f MB are left", gone, self._bytes / 1e6)
        return gone

    async def _count(self) -> None:
        """Add up what came since the last look."""
        head = await self._database.read(read_head)
        while self._counted < head:
            upto = min(self._counted + COUNT_EVENTS, head)
            self._bytes += await self._database.read(
                lambda connection, after=self._counted, upto=upto: _read_bytes(connection, after, upto)  # type: ignore[misc]  # mypy cannot infer the default of a lambda
            )
            self._counted = upto

    def _cut(self, connection: sqlite3.Connection, limits: Limits) -> Cut:
        return cut(
            _read_oldest(connection),
            head=read_head(connection),
            log_bytes=self._bytes,
            now_ms=self._clock.now_ms(),
            limits=limits,
        )

    def _delete(self, transaction: Transaction) -> Cut:
        found = self._cut(transaction.connection, self._limits)
        if found.upto:
            transaction.connection.execute("DELETE FROM events WHERE seq <= ?", (found.upto,))
        return found

    async def _give_back(self) -> None:
        """Give the file system what is free, unless it is little: the next events need it."""
        free, pages = await self._database.read(_read_pages)
        while free > max(FREE_PAGES, pages // 4):
            await self._database.write(_vacuum)
            left, pages = await self._database.read(_read_pages)
            if left >= free:
                return  # a file that was made without this ability
            free = left


def _read_oldest(connection: sqlite3.Connection) -> list[Row]:
    rows = connection.execute(
        "SELECT seq, at_ms, length(body) AS bytes FROM events ORDER BY seq LIMIT ?", (BATCH_EVENTS,)
    )
    return [Row(row["seq"], row["at_ms"], row["bytes"]) for row in rows]


def _read_bytes(connection: sqlite3.Connection, after: int, upto: int) -> int:
    query = "SELECT sum(length(body)) AS bytes FROM events WHERE seq > ? AND seq <= ?"
    return connection.execute(query, (after, upto)).fetchone()["bytes"] or 0


def _read_pages(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many pages are free, and how many there are."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return int(free), int(connection.execute("PRAGMA page_count").fetchone()[0])


def _vacuum(transaction: Transaction) -> None:
    # It works row by row and stops when nobody fetches.
    transaction.connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
