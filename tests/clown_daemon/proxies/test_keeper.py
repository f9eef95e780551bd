import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from clown_daemon.clock import ManualClock
from clown_daemon.processes.child import SpawnError
from clown_daemon.processes.supervisor import Supervised
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, ProxyError, ProxyStarted, ProxyStopped
from clown_daemon.protocol.resources import Proxy, ProxySettings
from clown_daemon.proxies import ports, restarts
from clown_daemon.proxies.diary import Diary
from clown_daemon.proxies.keeper import Keeper
from clown_daemon.store import proxies
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@dataclass
class Bench:
    """A keeper over processes that exist in name only."""

    database: Database
    events: list[Event]
    keeper: Keeper = field(init=False)
    started: list[Supervised] = field(default_factory=list)
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: str | None = None
    cancelled: int = 0

    async def launch(self, listening: socket.socket) -> Supervised:
        assert listening.fileno() >= 0
        try:
            await self.may_start.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.refuses is not None:
            raise SpawnError(self.refuses)
        process = Supervised(100 + len(self.started), 1.0, None)
        self.started.append(process)
        return process

    async def end(self, process: Supervised) -> int | None:
        if not process.exited.is_set():
            self.die(process, 0)
        return process.exit_code

    def die(self, process: Supervised, exit_code: int = -9) -> None:
        process.exit_code = exit_code
        process.exited.set()

    def make(self, listening: socket.socket | None, bind: Callable[[int], socket.socket] = ports.bind) -> Keeper:
        port = 1 if listening is None else int(listening.getsockname()[1])
        self.keeper = Keeper(
            alias="work",
            port=port,
            listening=listening,
            launch=self.launch,
            end=self.end,
            bind=bind,
            diary=Diary(self.database),
        )
        return self.keeper

    def told(self) -> list[tuple[str, object]]:
        found: list[tuple[str, object]] = []
        for event in self.events:
            match event.data:
                case ProxyStarted(pid=pid):
                    found.append(("started", pid))
                case ProxyStopped(exit_code=code):
                    found.append(("stopped", code))
                case ProxyError(error=error):
                    found.append(("error", error))
                case _:
                    pass
        return found

    async def proxy(self) -> Proxy:
        [found] = await self.database.read(proxies.read_proxies)
        return found


@pytest_asyncio.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(restarts, "FIRST_REST_SECONDS", 0.001)
    events: list[Event] = []

    def announce(batch: Sequence[EncodedEvent]) -> None:
        frames = [codec.decode_frame(event.body) for event in batch]
        events.extend(frame for frame in frames if isinstance(frame, Event))

    database = await open_database(tmp_path / "clown.db", ManualClock(), announce)
    await database.write(lambda transaction: proxies.put_settings(transaction.connection, "work", ProxySettings()))
    made = Bench(database, events)
    made.may_start.set()
    yield made
    await database.close()


async def kept(bench: Bench) -> asyncio.Task[None]:
    bench.make(ports.bind(0))
    await bench.keeper.start()
    return asyncio.create_task(bench.keeper.keep())


async def test_a_stop_ends_it_and_closes_the_socket(bench: Bench) -> None:
    keeping = await kept(bench)
    await bench.keeper.stop()
    await keeping
    assert bench.told() == [("started", 100), ("stopped", 0)]
    assert (await bench.proxy()).status == "stopped"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", bench.keeper.port))


async def test_one_that_does_not_start_closes_the_socket_and_says_why(bench: Bench) -> None:
    bench.make(ports.bind(0))
    bench.refuses = "no memory"
    with pytest.raises(SpawnError, match="no memory"):
        await bench.keeper.start()
    assert bench.told() == [("error", "no memory")]
    assert (await bench.proxy()).status == "failed"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", bench.keeper.port))


async def test_one_that_ends_by_itself_is_started_again_on_the_same_socket(bench: Bench) -> None:
    keeping = await kept(bench)
    bench.die(bench.started[0])
    await until(lambda: len(bench.told()) == 3)
    assert bench.told() == [("started", 100), ("stopped", -9), ("started", 101)]
    assert ((await bench.proxy()).restarts, (await bench.proxy()).pid) == (1, 101)
    socket.create_connection(("127.0.0.1", bench.keeper.port)).close()
    await bench.keeper.stop()
    await keeping


async def test_it_is_given_up_after_too_many_crashes(bench: Bench) -> None:
    keeping = await kept(bench)
    bench.refuses = "still no memory"
    bench.die(bench.started[0])
    await keeping
    assert [kind for kind, _ in bench.told()] == ["started", "stopped", "error", "error", "error", "error", "error"]
    reason = "it ended 5 times within 60 s and is not started again: still no memory"
    assert bench.told()[-1] == ("error", reason)
    assert (await bench.proxy()).last_error == reason
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", bench.keeper.port))


async def test_a_stop_while_it_rests_leaves_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST_REST_SECONDS", 30.0)
    keeping = await kept(bench)
    bench.die(bench.started[0])
    await until(lambda: ("stopped", -9) in bench.told())
    assert (await bench.proxy()).status == "backing_off"
    await bench.keeper.stop()
    await keeping
    assert (await bench.proxy()).status == "stopped"
    assert len(bench.started) == 1


async def test_a_stop_while_it_starts_again_cancels_the_start(bench: Bench) -> None:
    keeping = await kept(bench)
    bench.may_start.clear()
    bench.die(bench.started[0])
    await until(lambda: ("stopped", -9) in bench.told())
    await asyncio.sleep(0.05)  # into the start; either way nobody may be left
    await bench.keeper.stop()
    await keeping
    assert len(bench.started) == 1
    assert (await bench.proxy()).status == "stopped"
    assert all(kind != "error" for kind, _ in bench.told())


async def test_a_restart_tells_both_and_counts_as_none(bench: Bench) -> None:
    keeping = await kept(bench)
    await bench.keeper.replace()
    assert bench.told() == [("started", 100), ("stopped", 0), ("started", 101)]
    assert (await bench.proxy()).restarts == 0
    bench.die(bench.started[1])
    await until(lambda: len(bench.started) == 3)
    await bench.keeper.stop()
    await keeping


async def test_a_restart_that_fails_is_tried_again(bench: Bench) -> None:
    keeping = await kept(bench)
    bench.refuses = "no memory"
    with pytest.raises(SpawnError, match="no memory"):
        await bench.keeper.replace()
    bench.refuses = None
    await until(lambda: len(bench.started) == 2)
    await until(lambda: bench.told()[-1] == ("started", 101))
    await bench.keeper.stop()
    await keeping


async def test_a_restart_of_one_that_is_being_started_again_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "FIRST_REST_SECONDS", 30.0)
    keeping = await kept(bench)
    bench.die(bench.started[0])
    await until(lambda: ("stopped", -9) in bench.told())
    with pytest.raises(SpawnError, match="it is being started anew already"):
        await bench.keeper.replace()
    await bench.keeper.stop()
    await keeping


async def test_one_that_is_no_use_any_more_is_stopped_with_its_reason(bench: Bench) -> None:
    keeping = await kept(bench)
    await bench.keeper.stop("its profile has no address any more")
    await keeping
    assert bench.told()[1:] == [("stopped", 0), ("error", "its profile has no address any more")]
    assert (await bench.proxy()).status == "failed"


async def test_an_adopted_one_binds_the_port_when_it_ends(bench: Bench) -> None:
    with ports.bind(0) as probe:
        port = int(probe.getsockname()[1])
    keeper = bench.make(None, lambda _: ports.bind(port))
    process = Supervised(7, 1.0, None)
    keeper.adopt(process)
    keeping = asyncio.create_task(keeper.keep())
    bench.die(process)
    await until(lambda: len(bench.started) == 1)
    socket.create_connection(("127.0.0.1", port)).close()
    await keeper.stop()
    await keeping


async def test_an_adopted_one_whose_port_was_taken_says_by_whom(bench: Bench) -> None:
    with ports.bind(0) as taken:
        port = int(taken.getsockname()[1])
        keeper = bench.make(None, lambda _: ports.bind(port))
        process = Supervised(7, 1.0, None)
        keeper.adopt(process)
        keeping = asyncio.create_task(keeper.keep())
        bench.die(process)
        await keeping
    assert f"Port {port} already in use by" in str(bench.told()[-1])
