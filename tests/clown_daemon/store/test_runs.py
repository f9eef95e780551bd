"""Rows of runs: open, closed, pruned."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.store import runs
from clown_daemon.store.database import Database, Transaction, open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "clown.db", ManualClock())
    yield database
    await database.close()


async def test_a_run_is_open_until_its_end_is_written(database: Database) -> None:
    def change(transaction: Transaction) -> int:
        connection = transaction.connection
        runs.insert_run(connection, "r1", "work", now_ms=1_000)
        runs.set_running(connection, "r1", pid=7, process_start=0.5)
        (opened,) = runs.read_open_runs(connection)
        assert (opened.pid, opened.process_start, opened.announced) == (7, 0.5, True)
        return runs.close_run(connection, "r1", "exited", ended_ms=4_999, exit_code=-15)

    assert await database.write(change) == 3
    assert await database.read(runs.read_open_runs) == ()


async def test_a_clock_that_goes_back_gives_no_negative_time(database: Database) -> None:
    def change(transaction: Transaction) -> int:
        runs.insert_run(transaction.connection, "r1", "work", now_ms=9_000)
        return runs.close_run(transaction.connection, "r1", "lost", ended_ms=0)

    assert await database.write(change) == 0


async def test_old_runs_go_but_never_open_ones_or_those_of_others(database: Database) -> None:
    def change(transaction: Transaction) -> list[str]:
        connection = transaction.connection
        runs.insert_run(connection, "open", "work", now_ms=0)
        runs.insert_run(connection, "other", "else", now_ms=0)
        runs.close_run(connection, "other", "exited", ended_ms=0)
        for number in range(runs.RUNS_KEPT + 5):
            runs.insert_run(connection, f"r{number}", "work", now_ms=number)
            runs.close_run(connection, f"r{number}", "exited", ended_ms=number)
        return [row["run_id"] for row in connection.execute("SELECT run_id FROM runs ORDER BY number")]

    kept = await database.write(change)
    assert kept[:2] == ["open", "other"]
    assert len(kept) == runs.RUNS_KEPT + 2
    assert kept[-1] == f"r{runs.RUNS_KEPT + 4}"
