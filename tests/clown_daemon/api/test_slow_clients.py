"""Clients that do not read, over real sockets: they cost little, they are cut, and nobody else misses a thing."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from clown_daemon.api import websocket
from clown_daemon.cursor import HIGH_WATER_BYTES
from clown_daemon.protocol.stream import MAX_MESSAGE_BYTES
from clown_daemon.ring import BATCH_BYTES
from tests.support.api_server import ApiServer, running_api
from tests.support.raw_stream import RawStream
from tests.support.waiting import until

TEXT, BINARY, PING = 1, 2, 9
WAIT = 20


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path, stall_seconds=1) as server:
        yield server


def follow(api: ApiServer, query: str = "") -> connect:
    return connect(api.stream_url + query, proxy=None, compression=None)


async def attached(api: ApiServer, count: int) -> None:
    await until(lambda: api.broadcaster.connections == count)


async def receive(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(WAIT):
        return [json.loads(await client.recv()) for _ in range(count)]


async def record_much(api: ApiServer) -> None:
    """Record 8 MB of events, more than the kernel keeps for anybody."""
    for _ in range(40):
        await api.record(*("x" * 2000 for _ in range(100)))


async def test_a_client_that_takes_nothing_is_cut_and_others_miss_nothing(api: ApiServer) -> None:
    async with follow(api) as client:
        with RawStream(api.port):
            await attached(api, 2)
            # Read meanwhile: a client that waits for the end of the recording is a stalled one too.
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(receive(client, 4000), name="reading")
                await record_much(api)
            await attached(api, 1)
    assert [event["seq"] for event in reading.result()] == list(range(1, 4001))
    assert api.broadcaster.stalled == 1


async def test_a_stalled_client_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running_api(tmp_path) as api:
        with RawStream(api.port):
            await attached(api, 1)
            await record_much(api)
            async with asyncio.timeout(WAIT):
                await api.broadcaster.close("stop")
            await attached(api, 0)


async def test_a_client_that_was_cut_resumes_without_a_hole(api: ApiServer) -> None:
    with RawStream(api.port, "?hello=1") as stalled:
        await attached(api, 1)
        await record_much(api)
        await attached(api, 0)
        taken = await asyncio.to_thread(stalled.read_to_the_end)
    last = max(int(part.split(b",")[0]) for part in taken.split(b'"seq":')[1:] if b"," in part[:6])
    assert 0 < last < 4000
    async with follow(api, f"?since={last}&log={api.database.log}") as client:
        hello, *events = await receive(client, 1 + 4000 - last)
    assert hello["data"]["resumed"] is True
    assert [event["seq"] for event in events] == list(range(last + 1, 4001))


FLOODS = {
    "pings": (PING, b"x" * 125),
    "messages": (TEXT, b'{"action": "subscribe", "events": ["*"]}'),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_answers_do_not_pile_up_for_a_client_that_floods_and_never_reads(
    api: ApiServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opcode, payload = FLOODS[name]
    # The bound of messages a second is not what is tested here.
    monkeypatch.setattr("clown_daemon.api.subscription.MESSAGES_PER_SECOND", 1_000_000)
    monkeypatch.setattr("clown_daemon.api.subscription.MESSAGE_BURST", 1_000_000)
    largest = 0
    flooded = threading.Event()

    def flood(client: RawStream) -> None:
        try:
            while not flooded.is_set():
                client.send(opcode, payload)
        except OSError:
            pass  # it was cut, which is the point
        finally:
            flooded.set()

    with RawStream(api.port, "?hello=1") as client:
        await attached(api, 1)
        (cursor,) = api.broadcaster.cursors
        flooding = asyncio.create_task(asyncio.to_thread(flood, client), name="flood")
        async with asyncio.timeout(WAIT):
            while api.broadcaster.connections:
                largest = max(largest, cursor.unsent)
                await asyncio.sleep(0.001)
        flooded.set()
        await flooding
    assert api.broadcaster.stalled == 1
    assert 0 < largest <= HIGH_WATER_BYTES + BATCH_BYTES + MAX_MESSAGE_BYTES


async def test_a_client_that_takes_nothing_is_cut_though_little_waits_for_it(tmp_path: Path) -> None:
    async with running_api(tmp_path, stall_seconds=1, heartbeat_seconds=0.05) as api:
        with RawStream(api.port, "?hello=1"):
            await attached(api, 1)
            (cursor,) = api.broadcaster.cursors
            while not cursor.unsent:
                await api.record("x" * 2000)
            # From here on nothing but heartbeats, far from the bound at which a client counts as full.
            assert not cursor.full
            await attached(api, 0)
            assert api.broadcaster.stalled == 1


async def test_a_closed_client_that_takes_nothing_does_not_keep_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_SECONDS", 0.2)
    async with running_api(tmp_path) as api:
        with RawStream(api.port) as client:
            await attached(api, 1)
            (cursor,) = api.broadcaster.cursors
            while not cursor.unsent:
                await api.record("x" * 2000)
            await asyncio.to_thread(client.send, BINARY, b"x")
            await attached(api, 0)
            # Aborted: what it never took is gone.
            await until(lambda: cursor.unsent == 0)


async def test_pings_are_answered_among_the_events(api: ApiServer) -> None:
    async with follow(api) as client:
        await attached(api, 1)
        await api.record("a")
        async with asyncio.timeout(WAIT):
            await (await client.ping(b"are you there"))
        await api.record("b")
        assert [event["seq"] for event in await receive(client, 2)] == [1, 2]
