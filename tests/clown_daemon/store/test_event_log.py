from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, ProfileDeleted, ProxyError, UsageImported
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import read_after, read_floor, read_head, read_identity

DONE = UsageImport(source="claude", state="done")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "clown.db", ManualClock())
    yield opened
    await opened.close()


async def fill(database: Database) -> None:
    """Six events: a deletion of `a`, an error of `b`, an import, twice."""
    for _ in range(2):
        await database.write(lambda transaction: transaction.record(ProfileDeleted(alias="a"), None))
        await database.write(lambda transaction: transaction.record(ProxyError(profile="b", error="e"), None))
        await database.write(
            lambda transaction: transaction.record(UsageImported(source="claude", records_imported=1), DONE)
        )


async def test_an_empty_log_has_no_head_and_no_floor(database: Database) -> None:
    assert await database.read(read_head) == 0
    assert await database.read(read_floor) == 0
    assert await database.read(read_identity) == database.log
    assert await database.read(lambda connection: read_after(connection, 0, limit=9)) == []


async def test_what_is_stored_is_what_is_sent(database: Database) -> None:
    await fill(database)
    stored = await database.read(lambda connection: read_after(connection, 2, limit=1))
    assert [(event.seq, event.type, event.profile) for event in stored] == [(3, "UsageImported", None)]
    event = codec.decode_frame(stored[0].body)
    assert isinstance(event, Event)
    assert (event.seq, event.log, event.resource) == (3, database.log, DONE)


async def test_reading_goes_on_after_a_number_oldest_first(database: Database) -> None:
    await fill(database)
    read = await database.read(lambda connection: read_after(connection, 1, limit=3))
    assert [event.seq for event in read] == [2, 3, 4]


async def test_reading_ends_with_the_event_that_passes_the_bytes(database: Database) -> None:
    await fill(database)
    sizes = [len(event.body) for event in await database.read(lambda connection: read_after(connection, 0, limit=9))]
    for most_bytes, numbers in (
        (0, [1]),
        (sizes[0], [1, 2]),
        (sum(sizes[:3]) - 1, [1, 2, 3]),
        (10**6, list(range(1, 7))),
    ):
        read = await database.read(lambda one, most=most_bytes: read_after(one, 0, limit=9, most_bytes=most))  # type: ignore[misc]  # mypy cannot infer the default of a lambda
        assert [event.seq for event in read] == numbers


@pytest.mark.parametrize(
    ("types", "profile", "numbers"),
    [
        ({"ProxyError"}, None, [2, 5]),
        ({"ProxyError", "ProfileDeleted"}, None, [1, 2, 4, 5]),
        (None, "a", [1, 4]),
        ({"ProxyError"}, "a", []),
        (set(), None, []),
    ],
)
async def test_reading_can_be_narrowed(
    database: Database, types: set[str] | None, profile: str | None, numbers: list[int]
) -> None:
    await fill(database)
    read = await database.read(lambda connection: read_after(connection, 0, limit=9, types=types, profile=profile))
    assert [event.seq for event in read] == numbers


async def test_a_pruned_log_tells_its_floor_and_keeps_its_head(database: Database) -> None:
    await fill(database)
    await database.write(lambda transaction: transaction.connection.execute("DELETE FROM events WHERE seq <= 4"))
    assert (await database.read(read_floor), await database.read(read_head)) == (4, 6)
    await database.write(lambda transaction: transaction.connection.execute("DELETE FROM events"))
    assert (await database.read(read_floor), await database.read(read_head)) == (6, 6)


async def test_two_databases_have_two_logs(database: Database, tmp_path: Path) -> None:
    other = await open_database(tmp_path / "other.db", ManualClock())
    assert other.log != database.log
    await other.close()
