import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.clock import ManualClock
from clown_daemon.errors import StartError, StoreUnavailableError
from clown_daemon.protocol.events import UsageImported
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.event_log import EncodedEvent, read_after, read_head
from tests.support.waiting import until


class Store:
    """A database in a file, and what it announced."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = ManualClock()
        self.announced: list[EncodedEvent] = []
        self.threads: set[str] = set()

    async def open(self) -> Database:
        return await open_database(self.file, self.clock, self._announce)

    def _announce(self, events: Sequence[EncodedEvent]) -> None:
        self.threads.add(threading.current_thread().name)
        self.announced.extend(events)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "clown.db")


@pytest.fixture
async def database(store: Store) -> AsyncIterator[Database]:
    opened = await store.open()
    yield opened
    await opened.close()


def put(transaction: Transaction, source: str, count: int) -> int:
    """One row and the event that describes it."""
    transaction.connection.execute(
        "INSERT OR REPLACE INTO usage_imports (source, body) VALUES (?, ?)",
        (source, str(count).encode()),
    )
    return transaction.record(UsageImported(source=source, records_imported=count), None)


def rows(connection: sqlite3.Connection) -> dict[str, int]:
    return {row["source"]: int(row["body"]) for row in connection.execute("SELECT source, body FROM usage_imports")}


def events(connection: sqlite3.Connection) -> list[EncodedEvent]:
    return read_after(connection, 0, limit=1_000_000)


def data_of(event: EncodedEvent) -> tuple[str, int]:
    data = msgspec.json.decode(event.body)["data"]
    return data["source"], data["records_imported"]


async def test_rows_and_events_commit_together_and_are_announced_after(store: Store, database: Database) -> None:
    store.clock.advance(5)
    assert await database.write(lambda transaction: put(transaction, "a", 7)) == 1
    assert await database.read(rows) == {"a": 7}
    assert store.announced == await database.read(events)
    assert msgspec.json.decode(store.announced[0].body)["at_ms"] == store.clock.now_ms()
    assert store.threads == {"clown-writer"}


async def test_a_change_that_fails_leaves_neither_row_nor_event_nor_number(store: Store, database: Database) -> None:
    await database.write(lambda transaction: put(transaction, "a", 1))

    def fail(transaction: Transaction) -> None:
        assert put(transaction, "b", 2) == 2
        assert put(transaction, "c", 3) == 3
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fail)
    assert await database.read(rows) == {"a": 1}
    # Nobody was told the numbers 2 and 3, so they are used by what comes next: a reader sees no hole.
    assert await database.write(lambda transaction: put(transaction, "d", 4)) == 2
    assert [event.seq for event in store.announced] == [1, 2]
    assert store.announced == await database.read(events)


async def test_a_broken_rule_of_the_schema_is_the_changes_own_error(store: Store, database: Database) -> None:
    def fail(transaction: Transaction) -> None:
        put(transaction, "a", 1)
        transaction.connection.execute("INSERT INTO usage_imports (source, body) VALUES ('a', x'00')")

    with pytest.raises(sqlite3.IntegrityError):
        await database.write(fail)
    assert not store.announced
    assert await database.write(lambda transaction: put(transaction, "b", 1)) == 1


async def test_a_wrong_statement_is_unavailable_and_changes_nothing(store: Store, database: Database) -> None:
    def fail(transaction: Transaction) -> None:
        put(transaction, "a", 1)
        transaction.connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreUnavailableError):
        await database.write(fail)
    with pytest.raises(StoreUnavailableError):
        await database.read(lambda connection: connection.execute("SELECT * FROM nowhere").fetchall())
    assert not store.announced
    assert await database.read(rows) == {}


async def test_a_writer_that_was_cancelled_still_announces(store: Store, database: Database) -> None:
    entered, leave = threading.Event(), threading.Event()

    def change(transaction: Transaction) -> None:
        entered.set()
        leave.wait(10)
        put(transaction, "a", 1)

    task = asyncio.create_task(database.write(change), name="write")
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    leave.set()
    await until(lambda: len(store.announced) == 1)
    assert await database.read(rows) == {"a": 1}
    assert await database.write(lambda transaction: put(transaction, "b", 2)) == 2


async def test_concurrent_writes_are_ordered_and_numbered_without_holes(store: Store, database: Database) -> None:
    numbers = await asyncio.gather(
        *(database.write(lambda transaction, n=n: put(transaction, f"s{n}", n)) for n in range(200))  # type: ignore[misc]  # mypy cannot infer the default of a lambda
    )
    assert numbers == list(range(1, 201))
    assert [event.seq for event in store.announced] == numbers
    assert [data_of(event) for event in store.announced] == [(f"s{n}", n) for n in range(200)]


async def test_one_read_sees_one_instant(database: Database) -> None:
    await database.write(lambda transaction: put(transaction, "a", 1))
    began, changed = threading.Event(), threading.Event()

    def twice(connection: sqlite3.Connection) -> tuple[dict[str, int], int, dict[str, int], int]:
        first = rows(connection), read_head(connection)
        began.set()
        changed.wait(10)
        return *first, rows(connection), read_head(connection)

    reading = asyncio.create_task(database.read(twice), name="read")
    await asyncio.to_thread(began.wait, 10)
    await database.write(lambda transaction: put(transaction, "a", 2))
    changed.set()
    assert await reading == ({"a": 1}, 1, {"a": 1}, 1)
    assert await database.read(rows) == {"a": 2}


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await database.read(lambda connection: connection.execute("DELETE FROM events").fetchall())


async def test_reopening_keeps_the_log_its_head_and_everything_in_it(store: Store) -> None:
    database = await store.open()
    log = database.log
    await database.write(lambda transaction: put(transaction, "a", 1))
    await database.close()
    again = await store.open()
    assert again.log == log
    assert await again.read(rows) == {"a": 1}
    assert await again.write(lambda transaction: put(transaction, "b", 2)) == 2
    await again.close()


async def test_a_pruned_log_keeps_its_head(store: Store) -> None:
    database = await store.open()
    for n in range(3):
        await database.write(lambda transaction, n=n: put(transaction, "a", n))  # type: ignore[misc]  # see above
    await database.write(lambda transaction: transaction.connection.execute("DELETE FROM events").rowcount)
    await database.close()
    again = await store.open()
    assert await again.read(read_head) == 3
    assert await again.write(lambda transaction: put(transaction, "a", 9)) == 4
    await again.close()


async def test_what_was_queued_is_done_before_it_closes(store: Store) -> None:
    database = await store.open()
    writes = [
        asyncio.create_task(database.write(lambda transaction, n=n: put(transaction, f"s{n}", n)), name="write")  # type: ignore[misc]  # see above
        for n in range(50)
    ]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    assert len(store.announced) == 50
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.write(lambda _: None)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.read(rows)
    await database.close()


async def test_the_file_is_for_the_user_alone(store: Store, database: Database) -> None:
    assert store.file.stat().st_mode & 0o077 == 0
    await database.write(lambda transaction: put(transaction, "a", 1))
    assert all(file.stat().st_mode & 0o077 == 0 for file in store.file.parent.iterdir())


async def test_a_file_of_a_newer_clown_is_refused(store: Store) -> None:
    await (await store.open()).close()
    with sqlite3.connect(store.file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StartError, match="newer Clown") as caught:
        await store.open()
    assert caught.value.hint is not None


async def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be opened"):
        await Store(tmp_path / "missing" / "clown.db").open()


async def test_a_full_disk_is_told_and_heals(store: Store, database: Database) -> None:
    def fill(transaction: Transaction) -> None:
        for n in range(2000):
            put(transaction, f"s{n}" + "x" * 1000, n)

    def limit(pages: int) -> None:
        database._writer.connection.execute(f"PRAGMA max_page_count = {pages}")

    used = await database.read(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await database._writer.run(lambda: limit(used + 5))
    with pytest.raises(StoreUnavailableError, match="full") as caught:
        await database.write(fill)
    assert caught.value.hint is not None
    assert not store.announced
    assert await database.read(rows) == {}
    await database._writer.run(lambda: limit(1_000_000))
    assert await database.write(lambda transaction: put(transaction, "a", 1)) == 1


CHANGE = st.tuples(st.sampled_from("abc"), st.integers(0, 99), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.lists(CHANGE, min_size=1, max_size=4), max_size=15))
def test_events_added_up_are_the_rows(
    changes: list[list[tuple[str, int, bool]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(_add_up(changes, Store(tmp_path_factory.mktemp("store") / "clown.db")))


async def _add_up(changes: list[list[tuple[str, int, bool]]], store: Store) -> None:
    database = await store.open()
    for change in changes:
        if any(fails for _, _, fails in change):
            with pytest.raises(ZeroDivisionError):
                await database.write(lambda transaction, change=change: _all(transaction, change))  # type: ignore[misc]  # see above
        else:
            await database.write(lambda transaction, change=change: _all(transaction, change))  # type: ignore[misc]  # see above
    assert [event.seq for event in store.announced] == list(range(1, len(store.announced) + 1))
    assert dict(data_of(event) for event in store.announced) == await database.read(rows)
    assert store.announced == await database.read(events)
    await database.close()


def _all(transaction: Transaction, change: list[tuple[str, int, bool]]) -> None:
    for source, count, fails in change:
        put(transaction, source, count)
        if fails:
            raise ZeroDivisionError


WRITER = """
import asyncio, sys
from pathlib import Path
from clown_daemon.clock import SystemClock
from clown_daemon.protocol.events import UsageImported
from clown_daemon.store.database import open_database

def put(transaction, n):
    transaction.connection.execute(
        "INSERT INTO usage_imports (source, body) VALUES (?, ?)", (f"s{n}", str(n).encode()))
    transaction.record(UsageImported(source=f"s{n}", records_imported=n), None)

async def main():
    announce = lambda events: print(events[-1].seq, flush=True)
    database = await open_database(Path(sys.argv[1]), SystemClock("UTC"), announce)
    n = int(sys.argv[2])
    while True:
        await asyncio.gather(*(database.write(lambda t, n=n + i: put(t, n)) for i in range(20)))
        n += 20

asyncio.run(main())
"""


async def test_a_writer_that_is_killed_leaves_rows_and_events_that_agree(store: Store, tmp_path: Path) -> None:
    program = tmp_path / "writer.py"
    program.write_text(WRITER)
    log = ""
    for round_number in range(4):
        told = await asyncio.to_thread(_write_until_killed, program, store.file, round_number)
        database = await store.open()
        kept = await database.read(events)
        table = await database.read(rows)
        assert dict(map(data_of, kept)) == table
        assert [event.seq for event in kept] == list(range(1, len(kept) + 1))
        assert told <= len(kept), "an event was announced and then lost"
        assert log in {"", database.log}
        log = database.log
        await database.close()


def _write_until_killed(program: Path, file: Path, round_number: int) -> int:
    """Let the writer write for a while, kill it in the middle, and answer the last number it announced."""
    process = subprocess.Popen(
        [sys.executable, str(program), str(file), str(round_number * 1_000_000)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    told = int(process.stdout.readline())
    time.sleep(0.01 + 0.037 * round_number)  # not a wait for anything: the moment of the kill
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split(b"\n")
    process.wait()
    process.stdout.close()
    # The last line may be half written.
    return max([told, *(int(line) for line in rest[:-1] if line)])
