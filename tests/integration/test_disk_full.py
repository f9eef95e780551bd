"""A daemon whose disk is full: it refuses changes, goes on serving, and forgets nothing of what happens meanwhile."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from clown_daemon.protocol.timestamps import epoch_ms
from tests.support import faulty_io
from tests.support.real_daemon import RealDaemon
from tests.support.transcripts import line
from tests.support.waiting import until

PROFILE = {"alias": "work", "agent_id": "fake", "provider_id": "anthropic"}
WAITER = """\
#!/bin/sh
[ "$1" = --version ] && echo "fake 1.0.0" && exit 0
while [ ! -e {leave} ]; do sleep 0.02; done
exit 7
"""


class Disk:
    """The disk below a daemon's folder."""

    def __init__(self, flag: Path) -> None:
        self._flag = flag

    def fill(self) -> None:
        self._flag.touch()

    def free(self) -> None:
        self._flag.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "full")


@pytest.fixture
async def daemon(tmp_path: Path, disk: Disk) -> AsyncIterator[RealDaemon]:
    library = faulty_io.compiled(tmp_path)
    # Not judged: what does not work is in snapshots before the event that tells it can be recorded.
    daemon = RealDaemon(
        tmp_path, recorded=False, **faulty_io.environment(library, tmp_path / "clown", tmp_path / "full")
    )
    daemon.add_agent("fake", WAITER.format(leave=tmp_path / "leave"))
    await daemon.start()
    # The first look for agents is over, whose event or failure would else come into the midst of a test.
    await until(lambda: has_found_the_agent(daemon))
    yield daemon
    with contextlib.suppress(FileNotFoundError):
        disk.free()
    (tmp_path / "leave").touch()
    assert await daemon.stop() == 0


async def has_found_the_agent(daemon: RealDaemon) -> bool:
    return bool((await daemon.ask("GET", "/api/agents/fake"))["installed"])


async def status_of(daemon: RealDaemon) -> tuple[str, str]:
    found = (await daemon.ask("GET", "/api/snapshot"))["daemon"]
    return found["status"], " ".join(found["problems"])


async def is_degraded(daemon: RealDaemon) -> bool:
    status, problems = await status_of(daemon)
    return status == "degraded" and "full" in problems


async def is_well(daemon: RealDaemon) -> bool:
    return (await status_of(daemon))[0] == "running"


async def events(daemon: RealDaemon, since: int, types: str = "*") -> list[Any]:
    return list((await daemon.ask("GET", f"/api/events?since={since}&types={types}&limit=1000"))["events"])


async def test_changes_are_refused_and_everything_else_goes_on(daemon: RealDaemon, disk: Disk) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    url = f"ws://127.0.0.1:{daemon.port}/ws?hello=1"
    async with connect(url, proxy=None, compression=None) as client:
        head = json.loads(await client.recv())["data"]["seq"]
        tag = (await daemon.call("GET", "/api/snapshot")).headers["ETag"]
        disk.fill()
        for method, path, body in (
            ("POST", "/api/profiles", {**PROFILE, "alias": "other"}),
            ("PATCH", "/api/profiles/work", {"model": "m"}),
            ("DELETE", "/api/profiles/work", None),
        ):
            reply = await daemon.call(method, path, body, headers={"Content-Type": "application/json"})
            assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable"), (path, reply.text)
            assert "space" in reply.json()["hint"]
        await until(lambda: is_degraded(daemon))
        changed = await daemon.call("GET", "/api/snapshot", headers={"If-None-Match": tag})
        assert changed.status_code == 200, "a client that asks whether something changed is told"
        assert (await daemon.ask("GET", "/api/daemon/status"))["status"] == "degraded"
        assert [profile["alias"] for profile in await daemon.ask("GET", "/api/profiles")] == ["work"]
        await client.send('{"action": "subscribe", "events": ["*"]}')
        assert json.loads(await client.recv())["type"] == "Subscribed"

        disk.free()
        await until(lambda: is_well(daemon))
        assert (await daemon.call("PATCH", "/api/profiles/work", {"model": "m"})).status_code == 200
        frames: list[Any] = []
        while not frames or frames[-1]["type"] != "ProfileUpdated":
            frames.append(json.loads(await asyncio.wait_for(client.recv(), 20)))
    assert [frame["seq"] for frame in frames] == list(range(head + 1, head + 1 + len(frames)))
    told = [frame["resource"]["status"] for frame in frames if frame["type"] == "DaemonUpdated"]
    assert told == ["degraded", "running"], "the outage is in the history"


async def test_a_run_that_ends_meanwhile_is_ended_with_its_code_and_its_time(
    daemon: RealDaemon, disk: Disk, tmp_path: Path
) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    await daemon.ask("POST", "/api/profiles/work/run", {"args": []})
    head = (await daemon.ask("GET", "/api/snapshot"))["seq"]
    disk.fill()
    (tmp_path / "leave").touch()
    await until(lambda: is_degraded(daemon))
    reply = await daemon.call("POST", "/api/profiles/work/stop", headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable"), reply.text
    assert "has ended" in reply.json()["error"]
    assert await events(daemon, head) == []
    # Instants of resources are whole seconds: another one has to begin before the end can be written.
    over = time.time()
    await until(lambda: time.time() > over + 1)
    disk.free()

    async def ended() -> bool:
        return bool(await events(daemon, head, "ProfileStopped"))

    await until(ended)
    (stopped,) = await events(daemon, head, "ProfileStopped")
    run = stopped["resource"]["run"]
    assert (run["state"], run["exit_code"], stopped["data"]["exit_code"]) == ("exited", 7, 7)
    assert epoch_ms(run["ended_at"]) <= over * 1000 < stopped["at_ms"]
    await until(lambda: is_well(daemon))


async def test_usage_that_is_written_meanwhile_is_counted_once(daemon: RealDaemon, disk: Disk, tmp_path: Path) -> None:
    logs = tmp_path / "home" / ".claude" / "projects" / "-home-dev-project"
    logs.mkdir(parents=True)
    (logs / "a.jsonl").write_bytes(line("m1", "r1", session="a"))

    async def counts(output: int) -> bool:
        usage = await daemon.ask("GET", "/api/usage?period=all")
        return bool(usage["total_tokens"]["output_tokens"] == output)

    await until(lambda: counts(20))
    disk.fill()
    with (logs / "a.jsonl").open("ab") as file:
        file.write(line("m2", "r2", session="a"))
    await until(lambda: is_degraded(daemon))
    (logs / "b.jsonl").write_bytes(line("m3", "r3", session="b"))
    assert await counts(20)
    disk.free()
    await until(lambda: counts(60), seconds=40)
    await until(lambda: is_well(daemon))
