import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.resources import ProxyMinute, ProxyRule, ProxySettings
from clown_daemon.store import proxies
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.proxies import MINUTE_MS, MINUTES_SHOWN, Living, Traffic

T = TypeVar("T")
pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "clown.db", ManualClock())
    yield opened
    await opened.close()


async def do(database: Database, change: Callable[[sqlite3.Connection], T]) -> T:
    return await database.write(lambda transaction: change(transaction.connection))


async def set_up(database: Database, profile: str = "work", port: int | None = 8081) -> None:
    await do(database, lambda connection: proxies.put_settings(connection, profile, ProxySettings(port=port)))


async def test_settings_come_back_and_are_the_defaults_before(database: Database) -> None:
    assert await database.read(lambda connection: proxies.read_settings(connection, "work")) == ProxySettings()
    settings = ProxySettings(enabled=True, port=8081, rules=(ProxyRule(to="b", model="x*"),), fallbacks=("c",))
    await do(database, lambda connection: proxies.put_settings(connection, "work", settings))
    assert await database.read(lambda connection: proxies.read_settings(connection, "work")) == settings
    assert await database.read(proxies.read_ports) == {8081}


async def test_a_port_belongs_to_one_profile(database: Database) -> None:
    await set_up(database)
    with pytest.raises(sqlite3.IntegrityError):
        await set_up(database, "play")


async def test_a_life_is_written_down(database: Database) -> None:
    await set_up(database)
    await do(database, lambda connection: proxies.set_starting(connection, "work"))
    assert await database.read(proxies.read_unsettled) == ("work",)
    await do(database, lambda connection: proxies.set_spawned(connection, "work", pid=5, process_start=1.5))
    assert await database.read(proxies.read_living) == (Living("work", 8081, 5, 1.5, serves=False),)
    await do(
        database,
        lambda connection: proxies.set_running(
            connection, "work", pid=5, process_start=1.5, restarts=2, now_ms=1_795_000_000_000
        ),
    )
    assert await database.read(proxies.read_living) == (Living("work", 8081, 5, 1.5, serves=True),)
    proxy = await database.read(lambda connection: proxies.read_proxy(connection, "work"))
    assert proxy is not None
    assert (proxy.status, proxy.pid, proxy.restarts, proxy.started_at) == ("running", 5, 2, "2026-11-18T11:06:40Z")
    await do(database, lambda connection: proxies.set_ended(connection, "work", "failed", error="why"))
    await do(database, lambda connection: proxies.set_ended(connection, "work", "stopped"))
    [proxy] = await database.read(proxies.read_proxies)
    assert (proxy.status, proxy.pid, proxy.started_at, proxy.last_error) == ("stopped", None, None, "why")
    assert await database.read(proxies.read_unsettled) == ()
    await do(database, lambda connection: proxies.set_starting(connection, "work"))
    [proxy] = await database.read(proxies.read_proxies)
    assert (proxy.last_error, proxy.restarts) == (None, 0)


async def test_traffic_is_in_no_figure_until_it_is_counted(database: Database) -> None:
    await set_up(database)
    minute = 1_795_000_020_000 // MINUTE_MS * MINUTE_MS
    ended = [
        Traffic(minute + 5, 200, 10.0),
        Traffic(minute + 9, 529, 30.0),
        Traffic(minute + 7, None, None),
        Traffic(minute + MINUTE_MS, 200, 7.0),
    ]
    await do(database, lambda connection: proxies.add_traffic(connection, "work", ended))
    [proxy] = await database.read(proxies.read_proxies)
    assert (proxy.requests, proxy.minutes) == (0, ())
    assert await database.read(proxies.read_waiting) == ("work",)
    assert await do(database, lambda connection: proxies.count_traffic(connection, "work")) == (4, 2)
    assert await do(database, lambda connection: proxies.count_traffic(connection, "work")) == (0, 0)
    [proxy] = await database.read(proxies.read_proxies)
    assert (proxy.requests, proxy.errors, proxy.last_status) == (4, 2, 200)
    assert proxy.last_request_ms == minute + MINUTE_MS
    assert proxy.minutes == (ProxyMinute(minute, 3, 2, 20.0), ProxyMinute(minute + MINUTE_MS, 1, 0, 7.0))
    assert await database.read(proxies.read_waiting) == ()


async def test_only_the_last_minutes_are_kept(database: Database) -> None:
    await set_up(database)
    for number in range(MINUTES_SHOWN + 5):
        traffic = [Traffic(number * MINUTE_MS, 200, 1.0)]
        await do(database, lambda connection, traffic=traffic: proxies.add_traffic(connection, "work", traffic))  # type: ignore[misc]
    await do(database, lambda connection: proxies.count_traffic(connection, "work"))
    [proxy] = await database.read(proxies.read_proxies)
    assert [minute.start_ms // MINUTE_MS for minute in proxy.minutes] == list(range(5, MINUTES_SHOWN + 5))
    assert proxy.requests == MINUTES_SHOWN + 5


async def test_traffic_of_a_profile_without_a_proxy_is_let_go(database: Database) -> None:
    await do(database, lambda connection: proxies.add_traffic(connection, "gone", [Traffic(1, 200, 1.0)]))
    assert await database.read(proxies.read_waiting) == ()


async def test_a_deleted_proxy_leaves_nothing_but_its_offsets(database: Database) -> None:
    await set_up(database)
    await do(database, lambda connection: proxies.add_traffic(connection, "work", [Traffic(1, 200, 1.0)]))
    await do(database, lambda connection: proxies.put_offset(connection, "work", "b-0.jsonl", 7))
    assert await database.read(proxies.read_forsaken) == ("work",)
    assert await do(database, lambda connection: proxies.delete_proxy(connection, "work"))
    assert not await do(database, lambda connection: proxies.delete_proxy(connection, "work"))
    assert await database.read(proxies.read_proxies) == ()
    assert await database.read(proxies.read_waiting) == ()
    assert await database.read(proxies.read_offsets) == {("work", "b-0.jsonl"): 7}
    await do(database, lambda connection: proxies.put_offset(connection, "work", "b-0.jsonl", 9))
    assert await database.read(proxies.read_offsets) == {("work", "b-0.jsonl"): 9}
    await do(database, lambda connection: proxies.delete_offset(connection, "work", "b-0.jsonl"))
    assert await database.read(proxies.read_offsets) == {}
