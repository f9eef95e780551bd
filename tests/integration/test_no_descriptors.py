"""A daemon that has no file descriptors left: streams go on, the log stays readable, and it comes back by itself."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.support.raw_client import raw_client
from tests.support.real_daemon import RealDaemon, running_daemon
from tests.support.waiting import until

if sys.platform == "linux":
    from resource import RLIMIT_NOFILE, prlimit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")

LEFT = 10
CALLERS = 60
"""Silent ones; more than there are descriptors for, and fewer than the strangers that may be here."""
COMPLAINT = "out of system resource"


def complaints(daemon: RealDaemon) -> int:
    return sum(file.read_text().count(COMPLAINT) for file in (daemon.root / "clown" / "logs").iterdir())


def leave_few_descriptors(daemon: RealDaemon) -> None:
    used = sum(1 for _ in Path(f"/proc/{daemon.pid}/fd").iterdir())
    _, hard = prlimit(daemon.pid, RLIMIT_NOFILE)
    prlimit(daemon.pid, RLIMIT_NOFILE, (used + LEFT, hard))


async def test_it_says_so_once_and_comes_back_when_callers_leave(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        url = f"ws://127.0.0.1:{daemon.port}/ws"
        async with connect(url, proxy=None, compression=None) as stream:
            leave_few_descriptors(daemon)
            async with contextlib.AsyncExitStack() as callers:
                for _ in range(CALLERS):
                    await callers.enter_async_context(raw_client(daemon.port))
                await until(lambda: complaints(daemon) > 0)
            await daemon.ask("POST", "/api/profiles", {"alias": "a", "agent_id": "claude", "provider_id": "anthropic"})
            created = json.loads(await asyncio.wait_for(stream.recv(), 20))
            while created["type"] != "ProfileCreated":
                created = json.loads(await asyncio.wait_for(stream.recv(), 20))
    assert complaints(daemon) < 3, "once a minute, not 500 times a second"
