import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import read_after, read_floor, read_head
from clown_daemon.store.retention import BATCH_EVENTS, Cut, Limits, Pruner, Row, cut
from tests.support.waiting import until

DAY_MS = 86_400_000
MANY = Limits(events=10**6, age_ms=7 * DAY_MS, bytes=10**9)
"""Bounds that nothing here reaches."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "clown.db", clock)
    yield opened
    await opened.close()


async def fill(database: Database, count: int, *, size: int = 100) -> None:
    await database.write(
        lambda transaction: [
            transaction.record(ProxyError(profile="b", error="e" * size), None) for _ in range(count)
        ].clear()
    )


async def kept(database: Database) -> list[int]:
    return [event.seq for event in await database.read(lambda one: read_after(one, 0, limit=10**6))]


async def bytes_of(database: Database) -> int:
    return sum(len(event.body) for event in await database.read(lambda one: read_after(one, 0, limit=10**6)))


def pruner(database: Database, clock: ManualClock, limits: Limits) -> Pruner:
    return Pruner(database=database, clock=clock, limits=limits)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (MANY, Cut(0, 0)),
        (MANY._replace(events=4), Cut(2, 20)),
        (MANY._replace(events=6), Cut(0, 0)),
        (MANY._replace(age_ms=2), Cut(3, 30)),
        (MANY._replace(bytes=25), Cut(4, 40)),
        (MANY._replace(bytes=60), Cut(0, 0)),
        (MANY._replace(events=5, age_ms=2, bytes=25), Cut(4, 40)),
        (Limits(events=1, age_ms=-9, bytes=0), Cut(5, 50)),
    ],
    ids=["all fit", "too many", "just enough", "too old", "too large", "just fits", "first bound", "newest stays"],
)
def test_the_oldest_go_until_all_bounds_hold(limits: Limits, expected: Cut) -> None:
    rows = [Row(seq, at_ms=seq, bytes=10) for seq in range(1, 7)]
    assert cut(rows, head=6, log_bytes=60, now_ms=6, limits=limits) == expected


def test_an_event_of_the_future_is_not_old() -> None:
    rows = [Row(1, at_ms=9 * DAY_MS, bytes=1), Row(2, at_ms=0, bytes=1), Row(3, at_ms=0, bytes=1)]
    assert cut(rows, head=3, log_bytes=3, now_ms=8 * DAY_MS, limits=MANY) == Cut(0, 0)


async def test_too_many_events_are_pruned_to_the_bound(database: Database, clock: ManualClock) -> None:
    await fill(database, 3 * BATCH_EVENTS)
    assert await pruner(database, clock, MANY._replace(events=10)).prune() == 3 * BATCH_EVENTS - 10
    head = 3 * BATCH_EVENTS
    assert await kept(database) == list(range(head - 9, head + 1))
    assert (await database.read(read_floor), await database.read(read_head)) == (head - 10, head)
    await fill(database, 1)
    assert await database.read(read_head) == head + 1


async def test_old_events_are_pruned_but_for_the_newest(database: Database, clock: ManualClock) -> None:
    keeper = pruner(database, clock, MANY)
    await fill(database, 5)
    clock.advance(6 * 86_400)
    await fill(database, 3)
    assert await keeper.prune() == 0
    clock.advance(2 * 86_400)
    assert await keeper.prune() == 5
    assert await kept(database) == [6, 7, 8]
    clock.advance(30 * 86_400)
    assert await keeper.prune() == 2
    assert await kept(database) == [8]
    assert await keeper.prune() == 0
    assert (await database.read(read_floor), await database.read(read_head)) == (7, 8)


async def test_bytes_are_counted_as_events_come_and_go(database: Database, clock: ManualClock) -> None:
    keeper = pruner(database, clock, MANY._replace(bytes=100_000))
    for _ in range(5):
        await fill(database, 40, size=1000)
        await keeper.prune()
        assert keeper.log_bytes == await bytes_of(database) <= 101_000
    assert len(await kept(database)) < 100
    again = pruner(database, clock, MANY)
    await again.prune()
    assert again.log_bytes == keeper.log_bytes


async def test_pruning_begins_a_hundredth_above_the_bound(database: Database, clock: ManualClock) -> None:
    keeper = pruner(database, clock, MANY._replace(events=200))
    await fill(database, 202)
    assert await keeper.prune() == 0
    await fill(database, 1)
    assert await keeper.prune() == 3
    assert len(await kept(database)) == 200


async def test_other_changes_go_in_between(database: Database, clock: ManualClock) -> None:
    await fill(database, 8 * BATCH_EVENTS)
    began = asyncio.Event()

    async def write() -> list[int]:
        """What is left whenever a change got its turn."""
        seen = []
        while not began.is_set():
            await fill(database, 1)
            seen.append(await database.read(read_floor))
        return seen

    writing = asyncio.create_task(write(), name="write")
    await pruner(database, clock, MANY._replace(events=1)).prune()
    began.set()
    floors = await writing
    assert any(0 < floor < 7 * BATCH_EVENTS for floor in floors), floors


async def test_pruning_gives_space_back_and_keeps_a_little(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "clown.db"
    await fill(database, 300, size=60_000)
    assert file.stat().st_size > 18_000_000
    await pruner(database, clock, MANY._replace(events=10)).prune()
    free = await database.read(lambda connection: connection.execute("PRAGMA freelist_count").fetchone()[0])
    await database.close()
    assert 0 < free * 4096 < file.stat().st_size < 6_000_000
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


async def test_the_write_ahead_log_is_cut_back(database: Database, tmp_path: Path) -> None:
    wal = tmp_path / "clown.db-wal"
    await fill(database, 300, size=60_000)
    assert wal.stat().st_size > 18_000_000
    await fill(database, 1)
    await fill(database, 1)
    assert wal.stat().st_size <= 8 * 1024 * 1024


async def test_watching_counts_anew_and_goes_on(database: Database, clock: ManualClock) -> None:
    await fill(database, 50)
    keeper = pruner(database, clock, MANY._replace(events=20))
    watching = asyncio.create_task(keeper.watch(), name="retention")

    async def pruned() -> bool:
        return await database.read(read_floor) == 30

    try:
        await until(pruned)
        await until(lambda: not watching.done())
    finally:
        watching.cancel()
    assert keeper.log_bytes == await bytes_of(database)
