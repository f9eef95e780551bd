import asyncio
import random
import threading
from collections.abc import Sequence

import pytest

from clown_daemon import broadcaster as module
from clown_daemon import cursor as places
from clown_daemon import ring
from clown_daemon.broadcaster import Broadcaster, ExpiredError
from clown_daemon.cursor import Cursor
from clown_daemon.store.event_log import EncodedEvent
from tests.support.waiting import PATIENCE_SECONDS, until

NAMES = ("ProfileCreated", "ProfileDeleted", "UsageUpdated")


class FakeTransport:
    """Takes what it is given; `room` says how many bytes leave at once."""

    def __init__(self, room: int | None = None) -> None:
        self.written: list[bytes] = []
        self.unsent = 0
        self.room = room
        self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.aborted
        self.written.append(data)
        if self.room is not None:
            self.unsent += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True
        self.unsent = 0

    def drain(self) -> None:
        self.unsent = 0


def event(seq: int, size: int = 10) -> EncodedEvent:
    return EncodedEvent(seq, NAMES[seq % 3], None, b"%d;" % seq + b"x" * size)


def seqs(transport: FakeTransport) -> list[int]:
    """Read back the numbers of the events that were written."""
    data = b"".join(transport.written)
    found: list[int] = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        found.append(int(data[start : start + length].split(b";")[0]))
        data = data[start + length :]
    return found


class Bench:
    """A broadcaster over a log that is a list."""

    def __init__(self, head: int = 0, stall_seconds: float = 60) -> None:
        self.log = [event(seq) for seq in range(1, head + 1)]
        self.floor = 0
        self.broadcaster = Broadcaster(database_reader=self.read, log="l", head=head, stall_seconds=stall_seconds)

    async def read(self, seq: int, limit: int) -> Sequence[EncodedEvent]:
        await asyncio.sleep(0)
        return [one for one in self.log if one.seq > max(seq, self.floor)][:limit]

    def publish(self, count: int, size: int = 10) -> None:
        events = [event(len(self.log) + number, size) for number in range(1, count + 1)]
        self.log += events
        self.broadcaster.publish(events)

    def join(self, seq: int | None = None, names: frozenset[str] | None = None, room: int | None = None) -> "Client":
        transport = FakeTransport(room)
        cursor = Cursor(transport, self.broadcaster.head if seq is None else seq, names, passive=False)
        client = Client(transport, cursor)
        self.broadcaster.attach(cursor, client.close)
        return client


class Client:
    def __init__(self, transport: FakeTransport, cursor: Cursor) -> None:
        self.transport = transport
        self.cursor = cursor
        self.closed: str | None = None

    async def close(self, reason: str) -> None:
        self.closed = reason


async def test_events_of_one_tick_are_one_write_of_one_object() -> None:
    bench = Bench()
    clients = [bench.join() for _ in range(3)]
    bench.publish(5)
    bench.publish(2)
    bench.broadcaster.flush()
    assert [len(client.transport.written) for client in clients] == [1, 1, 1]
    assert clients[0].transport.written[0] is clients[2].transport.written[0]
    assert seqs(clients[0].transport) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_lone_event_goes_out_at_once_and_a_flood_in_fewer_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than any machine has been up, which is what the loop's clock says.
    monkeypatch.setattr(module, "TICK_SECONDS", 1e12)
    bench = Bench()
    client = bench.join()
    bench.publish(1)
    await until(lambda: client.cursor.seq == 1)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    for _ in range(20):
        bench.publish(1)
        await asyncio.sleep(0)
    await until(lambda: client.cursor.seq == 21)
    assert len(client.transport.written) < 20
    assert seqs(client.transport) == list(range(1, 22))


async def test_publishing_from_another_thread_wakes_the_loop_once() -> None:
    bench = Bench()
    client = bench.join()

    def publish_all() -> None:
        for _ in range(500):
            bench.publish(1)

    thread = threading.Thread(target=publish_all)
    thread.start()
    await until(lambda: client.cursor.seq == 500)
    thread.join()
    assert seqs(client.transport) == list(range(1, 501))


async def test_a_filter_lets_through_what_it_names_and_the_cursor_moves_on() -> None:
    bench = Bench()
    client = bench.join(names=frozenset({"UsageUpdated"}))
    bench.publish(9)
    bench.broadcaster.flush()
    assert seqs(client.transport) == [2, 5, 8]
    assert (client.cursor.seq, client.cursor.sent) == (9, 3)


async def test_a_full_client_stands_still_and_others_do_not() -> None:
    bench = Bench()
    slow, fast = bench.join(room=0), bench.join()
    carrying = asyncio.create_task(bench.broadcaster.catch_up(slow.cursor), name="carry")
    for _ in range(20):
        bench.publish(20, size=2000)
        bench.broadcaster.flush()
    assert seqs(fast.transport) == list(range(1, 401))
    assert slow.transport.unsent < places.HIGH_WATER_BYTES + 2 * ring.BATCH_BYTES
    while slow.cursor.seq < 400:
        slow.transport.drain()
        await asyncio.sleep(0.001)
    assert seqs(slow.transport) == list(range(1, 401))
    carrying.cancel()


async def test_a_client_behind_the_ring_reads_the_log_and_joins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "RING_EVENTS", 8)
    bench = Bench(head=1000)
    client = bench.join(seq=0)
    carrying = asyncio.create_task(bench.broadcaster.catch_up(client.cursor), name="carry")
    bench.publish(50)
    await until(lambda: client.cursor.seq == 1050)
    bench.publish(1)
    await until(lambda: client.cursor.seq == 1051)
    assert seqs(client.transport) == list(range(1, 1052))
    carrying.cancel()


async def test_what_the_log_no_longer_holds_is_told() -> None:
    bench = Bench(head=100)
    bench.floor = 50
    client = bench.join(seq=10)
    with pytest.raises(ExpiredError):
        await bench.broadcaster.catch_up(client.cursor)
    assert client.transport.written == []


async def test_a_client_that_takes_nothing_is_cut() -> None:
    bench = Bench(stall_seconds=0.05)
    client = bench.join(room=0)
    bench.publish(400, size=2000)
    bench.broadcaster.flush()
    async with asyncio.timeout(10):
        await bench.broadcaster.catch_up(client.cursor)
    assert client.transport.aborted


async def test_the_end_waits_for_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
    bench = Bench()
    stalled, good = bench.join(room=0), bench.join()
    bench.publish(400, size=2000)
    await bench.broadcaster.close("signal")
    assert stalled.transport.aborted
    assert good.closed == "signal"
    assert seqs(good.transport) == list(range(1, 401))
    assert (bench.broadcaster.connections, bench.broadcaster.closing) == (0, "signal")
    bench.publish(1)
    bench.broadcaster.flush()
    assert good.cursor.seq == 400


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_is_lost_or_doubled_whatever_happens(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "RING_EVENTS", 16)
    monkeypatch.setattr(places, "HIGH_WATER_BYTES", 400)
    monkeypatch.setattr(ring, "BATCH_BYTES", 300)
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    monkeypatch.setattr(module, "LOG_PAGE_EVENTS", 7)
    dice = random.Random(seed)  # noqa: S311  # a repeatable walk, no secret
    bench = Bench(head=dice.randrange(50))
    began: dict[Client, int] = {}
    async with asyncio.TaskGroup() as tasks:
        carrying = []
        for _ in range(600):
            match dice.randrange(6):
                case 0 if len(began) < 12:
                    start = dice.randint(0, bench.broadcaster.head)
                    names = dice.choice([None, None, frozenset({"UsageUpdated"}), frozenset(NAMES[:2])])
                    client = bench.join(start, names, room=dice.choice([None, 0]))
                    began[client] = start
                    carrying.append(tasks.create_task(bench.broadcaster.catch_up(client.cursor), name="carry"))
                case 1 | 2:
                    bench.publish(dice.randint(1, 30))
                case 3:
                    for client in began:
                        client.transport.drain()
                case _:
                    await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(client.cursor.seq < len(bench.log) for client in began):
                for client in began:
                    client.transport.drain()
                await asyncio.sleep(0)
        for task in carrying:
            task.cancel()
    for client, start in began.items():
        names = client.cursor.names or frozenset(NAMES)
        assert seqs(client.transport) == [one.seq for one in bench.log if one.seq > start and one.type in names]
