"""Damaged databases: moved aside, replaced, and what can be read of them saved."""

import asyncio
import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store import repair, usage
from clown_daemon.store.budgets import BudgetRow, put_row, read_rows
from clown_daemon.store.connection import connect, migrate
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.event_log import read_head
from clown_daemon.store.ledger import Costs, Entry, Response
from clown_daemon.store.profiles import NewProfile, insert_profile, read_aliases
from clown_daemon.store.runs import insert_run
from tests.support.ledger import check_sums, put_into_old_schema, read_rollups

PROFILES = 60
RESPONSES = 3000
PAGE = 4096
BUDGET = BudgetRow("total:day:usd", None, None, "day", 10**13, None, (80, 100), (80,), "2026-11-25")


def entry(number: int) -> Entry:
    response = Response(
        source="claude",
        agent_id="claude",
        key=f"anthropic|message-{number}|request-{number}",
        provider="anthropic",
        model="m" if number % 3 else "n",
        session=f"s{number // 100}",
        project=None,
        at_ms=1_790_000_000_000 + number * 60_000,
        input_tokens=number,
        output_tokens=2,
        cache_read_tokens=3,
        cache_write_5m_tokens=4,
        cache_write_1h_tokens=5,
    )
    return Entry(response, Costs(1, 2, 3, 4, 10, "t") if number % 2 else None, f"profile-{number % 7}")


def fill(transaction: Transaction) -> None:
    for number in range(PROFILES):
        profile = NewProfile(
            alias=f"profile-{number:03}",
            agent_id="claude",
            provider_id="anthropic",
            endpoint_id=None,
            model=None,
            home=f"/home/dev/{number}",
            has_api_key=number == 1,
        )
        insert_profile(transaction.connection, profile, now_ms=transaction.now_ms)
        insert_run(transaction.connection, f"run-{number}", profile.alias, now_ms=transaction.now_ms)
        transaction.record(ProxyError(profile=profile.alias, error="e"), None)
    usage.add_entries(transaction.connection, [entry(number) for number in range(RESPONSES)])
    put_row(transaction.connection, BUDGET)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database, closed."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        database = await open_database(folder / "clown.db", ManualClock())
        await database.write(fill)
        await database.close()

    asyncio.run(make())
    return folder


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    """A copy that nothing was done to yet; as good as the original to everybody but the identity."""
    shutil.copytree(template, tmp_path / "state")
    return tmp_path / "state" / "clown.db"


async def reopen(file: Path) -> Database:
    return await open_database(file, ManualClock())


def aside(file: Path) -> Path:
    (found,) = (path for path in file.parent.glob("clown.db.damaged-*") if not path.name.endswith(("-wal", "-shm")))
    return found


def count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # our own names


def overwrite(file: Path, offset: int, size: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xa5" * size)


def pages_of(file: Path, table: str) -> list[int]:
    """The numbers of a table's pages, from the file's own map; needs a whole file."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    data = file.read_bytes()
    found, todo = [], [root]
    while todo:
        page = todo.pop()
        found.append(page)
        start = (page - 1) * PAGE
        header = start + (100 if page == 1 else 0)
        if data[header] in {2, 5}:  # an inner page: its cells begin with the number of a page below
            cells = int.from_bytes(data[header + 3 : header + 5])
            todo.append(int.from_bytes(data[header + 8 : header + 12]))
            for cell in range(cells):
                pointer = header + 12 + 2 * cell
                at = start + int.from_bytes(data[pointer : pointer + 2])
                todo.append(int.from_bytes(data[at : at + 4]))
    return found


def _cut(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size * 3 // 4 // PAGE * PAGE)


def _garbage_header(file: Path) -> None:
    overwrite(file, 0, 100)


def _no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "inside").write_text("kept")


@pytest.mark.parametrize("spoil", [_garbage_header, _no_database, _empty, _directory])
async def test_what_is_no_database_any_more_is_moved_aside(
    file: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(file)
    database = await reopen(file)
    try:
        (problem,) = database.problems
        assert "was damaged" in problem
        assert aside(file).name in problem
        assert "nothing could be saved" in problem
        assert problem in [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert await database.read(read_head) == 0
        assert await database.write(lambda one: one.record(ProxyError(profile="b", error="e"), None)) == 1
    finally:
        await database.close()
    again = await reopen(file)
    assert (again.problems, again.log) == ((), database.log)
    await again.close()


async def test_a_file_that_was_cut_is_saved_as_far_as_it_goes(file: Path) -> None:
    _cut(file)
    database = await reopen(file)
    assert "was damaged" in database.problems[0]
    assert "nothing could be saved" not in database.problems[0]
    assert await database.read(read_head) == 0
    await database.close()
    assert aside(file).exists()


async def test_flipped_pages_cost_only_what_was_on_them(file: Path) -> None:
    leaves = pages_of(file, "usage_records")
    overwrite(file, (leaves[len(leaves) // 2] - 1) * PAGE, PAGE)
    before = _bytes_of(file)
    database = await reopen(file)
    try:
        (problem,) = database.problems
        assert f"{PROFILES} profiles, {PROFILES} runs and" in problem
        assert "others could not be read" in problem
        assert len(await database.read(read_aliases)) == PROFILES
        saved = await database.read(lambda connection: count(connection, "usage_records"))
        assert RESPONSES - 100 < saved < RESPONSES
        assert str(saved) in problem
        # What was lost comes back from the agents' logs, each response once: they are read again from the start.
        assert await database.read(lambda connection: count(connection, "usage_files")) == 0
        entries = [entry(number) for number in range(RESPONSES)]
        added = await database.write(lambda one: usage.add_entries(one.connection, entries))
        assert sum(found.responses for found in added.values()) == RESPONSES - saved
    finally:
        await database.close()
    assert _bytes_of(aside(file)) == before, "the damaged file is left as it is"


async def test_the_sums_of_a_saved_ledger_are_those_of_the_old_one(file: Path, template: Path) -> None:
    events = pages_of(file, "events")
    overwrite(file, (events[-1] - 1) * PAGE, PAGE)
    database = await reopen(file)
    problem = database.problems[0]
    sums = await database.read(read_rollups)
    budgets = await database.read(read_rows)
    await database.close()
    assert budgets == (BUDGET,), "a threshold that was told once is not told again"
    assert f"{RESPONSES} usage records were saved" in problem
    assert "others" not in problem
    with contextlib.closing(sqlite3.connect(template / "clown.db")) as connection:
        assert sums == read_rollups(connection)
    assert len(sums["usage_quarters"]) > 100


async def test_a_ledger_of_an_older_schema_is_saved_and_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "clown.db"
    with contextlib.closing(connect(file)) as connection:
        migrate(connection, to=3)
        connection.execute("BEGIN")
        put_into_old_schema(connection, [entry(number) for number in range(RESPONSES)])
        connection.execute("COMMIT")
    overwrite(file, (pages_of(file, "usage_quarters")[-1] - 1) * PAGE, PAGE)
    database = await reopen(file)
    try:
        assert f"{RESPONSES} usage records were saved" in database.problems[0]
        await database.read(check_sums)
        entries = [entry(number) for number in range(RESPONSES)]
        assert await database.write(lambda one: usage.add_entries(one.connection, entries)) == {}
    finally:
        await database.close()


async def test_a_replay_counts_when_what_it_repeats_is_lost(file: Path) -> None:
    first = entry(0).response
    copies = [
        Entry(first._replace(key="1", session="parent", twin="t"), None, "p"),
        Entry(first._replace(key="2", session="child", twin="t", parent_session="parent"), None, "p"),
    ]
    with contextlib.closing(connect(file)) as connection:
        [added] = usage.add_entries(connection, copies).values()
        assert added.responses == 1
        # Damage that took the page with the parent's name: nobody knows whose its responses are.
        connection.execute("DELETE FROM usage_sessions WHERE name = 'parent'")
    overwrite(file, (pages_of(file, "events")[-1] - 1) * PAGE, PAGE)
    database = await reopen(file)
    try:
        assert "others could not be read" in database.problems[0]
        await database.read(check_sums)
        sessions = "SELECT responses FROM usage_sessions WHERE name = 'child'"
        assert await database.read(lambda connection: connection.execute(sessions).fetchone()[0]) == 1
        assert await database.write(lambda one: usage.add_entries(one.connection, copies)) == {}
    finally:
        await database.close()


async def test_a_cost_stays_when_the_name_of_its_price_table_is_lost(file: Path) -> None:
    with contextlib.closing(connect(file)) as connection:
        connection.execute("DELETE FROM usage_price_tables")
    overwrite(file, (pages_of(file, "events")[-1] - 1) * PAGE, PAGE)
    database = await reopen(file)
    try:
        later = entry(1)._replace(response=entry(1).response._replace(at_ms=1_790_000_000_000))
        added = await database.write(lambda one: usage.add_entries(one.connection, [later]))
        assert [found.sums.total_pico for found in added.values()] == []
        await database.read(check_sums)
        costs = "SELECT sum(total_pico) FROM usage_records"
        assert await database.read(lambda connection: connection.execute(costs).fetchone()[0]) == 10 * RESPONSES // 2
    finally:
        await database.close()


def _bytes_of(file: Path) -> bytes:
    return file.read_bytes()


async def test_what_the_write_ahead_log_holds_is_saved_too(file: Path, tmp_path: Path) -> None:
    database = await reopen(file)
    await database.write(
        lambda one: insert_profile(
            one.connection,
            NewProfile(
                alias="newest",
                agent_id="claude",
                provider_id="anthropic",
                endpoint_id=None,
                model=None,
                home="/h",
                has_api_key=False,
            ),
            now_ms=1,
        )
    )
    killed = tmp_path / "killed"
    shutil.copytree(file.parent, killed)  # as a kill would have left it
    await database.close()
    events = pages_of(file, "events")
    overwrite(killed / "clown.db", (events[-1] - 1) * PAGE, PAGE)
    again = await reopen(killed / "clown.db")
    assert "was damaged" in again.problems[0]
    assert "newest" in await again.read(read_aliases)
    await again.close()
    assert not list(killed.glob("clown.db.rebuilt*"))


async def test_a_crash_between_the_moves_is_finished_by_the_next_start(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(file, (pages_of(file, "events")[-1] - 1) * PAGE, PAGE)
    original = repair._move_aside

    def crash(path: Path) -> Path:
        original(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(repair, "_move_aside", crash)
    with pytest.raises(KeyboardInterrupt):
        await reopen(file)
    monkeypatch.undo()
    assert not await asyncio.to_thread(file.exists)
    database = await reopen(file)
    assert len(await database.read(read_aliases)) == PROFILES
    await database.close()


async def test_damage_met_at_run_time_refuses_changes_and_is_repaired_by_a_restart(file: Path) -> None:
    await (await reopen(file)).close()
    table = pages_of(file, "usage_records")
    database = await reopen(file)
    overwrite(file, (table[len(table) // 2] - 1) * PAGE, PAGE)
    with pytest.raises(StoreUnavailableError, match="damaged") as caught:
        await database.read(
            lambda connection: connection.execute("SELECT sum(output_tokens) FROM usage_records").fetchone()
        )
    assert "restart" in (caught.value.hint or "")
    with pytest.raises(StoreUnavailableError, match="nothing can be changed"):
        await database.write(lambda one: one.record(ProxyError(profile="b", error="e"), None))
    assert len(await database.read(read_aliases)) == PROFILES, "reads that work go on"
    assert "damaged" in database.problems[0]
    log = database.log
    await database.close()
    again = await reopen(file)
    assert f"{PROFILES} profiles" in again.problems[0]
    assert again.log != log
    assert await again.write(lambda one: one.record(ProxyError(profile="b", error="e"), None)) == 1
    await again.close()


async def test_a_large_file_that_is_sound_passes_the_look(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clown_daemon.store.opening.CHECK_BYTES", 0)
    database = await reopen(file)
    await database.check()
    assert database.problems == ()
    await database.close()
    again = await reopen(file)
    assert again.log == database.log, "the look left the file as it was"
    await again.close()


async def test_a_large_file_is_looked_at_beside_the_work(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clown_daemon.store.opening.CHECK_BYTES", 0)
    await (await reopen(file)).close()
    table = pages_of(file, "usage_records")
    overwrite(file, (table[len(table) // 2] - 1) * PAGE, PAGE)
    database = await reopen(file)
    assert not database.problems
    await database.check()
    assert "damaged" in database.problems[0]
    await database.close()
    again = await reopen(file)
    assert f"{PROFILES} profiles" in again.problems[0], "what was met makes the next start look"
    await again.close()


async def test_a_suspicion_that_proves_wrong_changes_nothing(file: Path) -> None:
    database = await reopen(file)
    log = database.log
    database._found_damage("a page that is right again")
    await database.close()
    again = await reopen(file)
    assert (again.problems, again.log) == ((), log)
    assert await again.write(lambda one: one.record(ProxyError(profile="b", error="e"), None)) == PROFILES + 1
    await again.close()
