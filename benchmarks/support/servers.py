"""The two servers that are compared: Clown's own listener, and `websockets` with its `broadcast`. Same interface."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from websockets.asyncio.server import ServerConnection, broadcast, serve

from clown_daemon.access_token import AccessToken
from clown_daemon.api import app as api
from clown_daemon.api import listener
from clown_daemon.api.access import Gate
from clown_daemon.broadcaster import Broadcaster
from clown_daemon.clock import SystemClock
from clown_daemon.store.database import open_database
from clown_daemon.store.event_log import EncodedEvent

MOST_UNSENT_BYTES = 256 * 1024
"""Publishing rests while a client has more than this unsent: both servers are offered what they can carry."""


class Server(Protocol):
    """A server that tells every client."""

    port: int

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Hand over events."""

    def crowded(self) -> bool:
        """Whether a client has much unsent."""


class Nothing:
    """Stands where a service would; a stream needs only `touch`, `version` and `instance`."""

    version = instance = "benchmark"

    def touch(self) -> None:
        pass


class ClownServer:
    """The daemon's listener; events enter where a commit is announced."""

    def __init__(self, broadcaster: Broadcaster, port: int) -> None:
        self.port = port
        self._broadcaster = broadcaster
        self._seq = 0

    def publish(self, bodies: Sequence[bytes]) -> None:
        events = [EncodedEvent(self._seq + n, "ProfileDeleted", None, body) for n, body in enumerate(bodies, start=1)]
        self._seq += len(events)
        self._broadcaster.publish(events)

    def crowded(self) -> bool:
        slowest = min((cursor.seq for cursor in self._broadcaster.cursors), default=self._seq)
        return self._seq - slowest > 2048


class WebsocketsServer:
    """The `websockets` server; one `broadcast` an event, as its documentation has it."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: set[ServerConnection] = set()

    def publish(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            broadcast(self.connections, body.decode())

    def crowded(self) -> bool:
        return any(one.transport.get_write_buffer_size() > MOST_UNSENT_BYTES for one in self.connections)


@contextlib.asynccontextmanager
async def clown() -> AsyncIterator[Server]:
    """Serve `/ws` as the daemon does."""
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(Path(folder) / "clown.db", SystemClock("UTC"))

        async def read_log(_seq: int, _limit: int) -> list[EncodedEvent]:
            return []  # a client that fell out of the ring would be told, and the count would fail

        broadcaster = Broadcaster(database_reader=read_log, log=database.log, head=0)
        nothing = cast("Any", Nothing())
        services = api.Services(
            profiles=nothing,
            agents=nothing,
            providers=nothing,
            proxies=nothing,
            runs=nothing,
            usage=nothing,
            reports=nothing,
            windows=nothing,
            budgets=nothing,
            daemon=nothing,
            database=database,
            broadcaster=broadcaster,
            clock=SystemClock("UTC"),
        )
        gate = Gate(auth="auto", token=AccessToken(Path(folder) / "token"), lookup=None)
        app = api.build_app(services, gate)
        runner, port = await listener.serve(app, 0)
        try:
            yield ClownServer(broadcaster, port)
        finally:
            await broadcaster.close("stop")
            await runner.cleanup()
            await database.close()


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Server]:
    """Serve with `websockets`, compression off as it is on Clown's side."""
    server = WebsocketsServer()

    async def handle(connection: ServerConnection) -> None:
        server.connections.add(connection)
        await connection.wait_closed()
        server.connections.discard(connection)

    # No pings: on a busy machine a run outlasts their interval, and the clients count text frames.
    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as listening:
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server


async def count(
    server: Server, clients: int, frames: int, feed: Callable[[Server], Any], *options: str
) -> dict[str, float]:
    """Connect counting clients from another process, feed the server, answer what the clients saw."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.support.counting", str(server.port), str(clients), str(frames), *options),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    await feed(server)
    report = await process.stdout.readline()
    await process.wait()
    return cast("dict[str, float]", json.loads(report))
