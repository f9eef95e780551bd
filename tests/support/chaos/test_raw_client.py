"""The raw client writes down what it read, not what its library had read for it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from websockets.asyncio.server import ServerConnection, serve

from clown_daemon.protocol.stream import CloseCode
from tests.support.chaos.history import Disconnected, History, Told
from tests.support.chaos.raw_client import Habits, RawClient
from tests.support.waiting import until

HELLO = {"log": "a", "seq": 0, "floor": 0, "head": 2, "resumed": False, "reason": None}
FRAMES = [
    {"type": "Hello", "data": HELLO},
    *({"type": "ProfileDeleted", "data": {}, "seq": seq, "log": "a"} for seq in (1, 2)),
]


@contextlib.asynccontextmanager
async def client_of_a_daemon_that_stops(*, leaves: bool) -> AsyncIterator[History]:
    """The history of a client that was sent two events and a goodbye; it may hang up after the greeting."""
    has_all = asyncio.Event()

    async def say_all(connection: ServerConnection) -> None:
        for frame in FRAMES:
            await connection.send(json.dumps(frame))
        # Returns when the client's library has answered: it has read everything.
        await connection.close(CloseCode.SHUTDOWN)
        has_all.set()

    class Leaver(RawClient):
        async def _misbehave(self) -> bool:
            await has_all.wait()
            return leaves

    history = History()
    async with serve(say_all, "127.0.0.1", 0) as server, asyncio.TaskGroup() as tasks:
        port = server.sockets[0].getsockname()[1]
        client = Leaver("leaver", f"http://127.0.0.1:{port}", history, Habits(), seed=1)
        running = tasks.create_task(client.run(), name="client")
        await until(lambda: bool(history.of(Disconnected)))
        client.end()
        await running
        yield history


async def test_who_read_to_the_end_was_told_goodbye() -> None:
    async with client_of_a_daemon_that_stops(leaves=False) as history:
        assert [entry.seq for entry in history.of(Told)] == [1, 2]
        assert history.of(Disconnected)[0].code == CloseCode.SHUTDOWN


async def test_who_hung_up_before_it_read_the_goodbye_was_told_none() -> None:
    async with client_of_a_daemon_that_stops(leaves=True) as history:
        assert history.of(Told) == []
        assert history.of(Disconnected)[0].code is None
