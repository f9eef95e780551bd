"""A daemon that keeps few events: what is gone is said to be gone, to everybody who asks for it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from clown_daemon.clock import SystemClock
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store.database import open_database
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

KEPT = 100


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    daemon = RealDaemon(tmp_path, CLOWN_RETENTION_EVENTS=str(KEPT))
    yield daemon
    await daemon.stop()


async def record(daemon: RealDaemon, count: int, *, size: int = 10) -> str:
    """Put events into the log of a daemon that does not run, and answer the log's name."""
    daemon.state_dir.mkdir(parents=True, exist_ok=True)
    database = await open_database(daemon.state_dir / "clown.db", SystemClock("UTC"))
    for _ in range(count):
        await database.write(lambda one: one.record(ProxyError(profile="p", error="x" * size), None))
    await database.close()
    return database.log


async def page(daemon: RealDaemon, since: int = 0, limit: int = 1000) -> Any:
    return await daemon.ask("GET", f"/api/events?since={since}&limit={limit}")


async def pruned(daemon: RealDaemon, floor: int) -> None:
    async def is_pruned() -> bool:
        return bool((await page(daemon, limit=1))["floor"] >= floor)

    await until(is_pruned)


def stream(daemon: RealDaemon, query: str = "", *, queue: int | None = None) -> connect:
    url = f"ws://127.0.0.1:{daemon.port}/ws{query}"
    return connect(url, proxy=None, compression=None, max_queue=queue, ping_interval=None)


async def until_closed(client: ClientConnection) -> list[Any]:
    """Everything that comes before the end."""
    frames = []
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionClosed):
            while True:
                frames.append(json.loads(await client.recv()))
    return frames


async def change(daemon: RealDaemon, times: int) -> None:
    """That many events."""
    body = {"alias": "work", "agent_id": "claude", "provider_id": "anthropic"}
    if times:
        await daemon.ask("POST", "/api/profiles", body)
    for number in range(times - 1):
        await daemon.ask("PATCH", "/api/profiles/work", {"model": f"m{number}"})


async def test_what_was_pruned_is_gone_for_history_and_resume(daemon: RealDaemon) -> None:
    log = await record(daemon, 3 * KEPT)
    await daemon.start()
    await pruned(daemon, 2 * KEPT)
    history = await page(daemon)
    floor, head = history["floor"], history["head"]
    assert [event["seq"] for event in history["events"]] == list(range(floor + 1, head + 1))
    assert head - floor <= KEPT + 1

    reply = await daemon.call("GET", f"/api/events?since={floor - 1}")
    assert (reply.status_code, reply.json()["code"]) == (410, "gone")
    assert "snapshot" in reply.json()["hint"]
    assert (await page(daemon, floor))["events"] == history["events"]

    for since in (0, 1, floor - 1):
        async with stream(daemon, f"?since={since}&log={log}") as client:
            hello = json.loads(await client.recv())["data"]
            assert (hello["resumed"], hello["reason"]) == (False, "expired"), since
            assert (hello["floor"], hello["seq"]) == (floor, hello["head"]), since
    async with stream(daemon, f"?since={floor}&log={log}") as client:
        assert json.loads(await client.recv())["data"]["resumed"] is True
        assert json.loads(await client.recv())["seq"] == floor + 1


async def test_a_number_is_not_used_again_after_everything_was_pruned_and_a_kill(daemon: RealDaemon) -> None:
    daemon.environ["CLOWN_RETENTION_EVENTS"] = "1"
    log = await record(daemon, 20)
    await daemon.start()
    await pruned(daemon, 20)
    head = (await page(daemon))["head"]
    await daemon.kill()
    await daemon.start()
    after = await page(daemon)
    assert after["log"] == log
    assert after["head"] > head
    assert min(event["seq"] for event in after["events"]) >= head


async def test_a_client_that_is_overtaken_by_pruning_is_told(daemon: RealDaemon) -> None:
    # 20 MB that wait for the client: more than every buffer between the log and it.
    log = await record(daemon, KEPT - 5, size=200_000)
    await daemon.start()
    async with stream(daemon, f"?since=1&log={log}", queue=1) as client:
        await change(daemon, KEPT)
        await pruned(daemon, KEPT - 10)
        frames = await until_closed(client)
    assert (client.close_code, client.close_reason) == (4008, "expired")
    assert frames[-1]["type"] == "Resync"
    assert frames[-1]["data"] == {"reason": "expired"}
    numbers = [frame["seq"] for frame in frames if "seq" in frame]
    assert numbers == list(range(2, len(numbers) + 2)), "what was sent before has no hole"
    assert len(numbers) < KEPT
