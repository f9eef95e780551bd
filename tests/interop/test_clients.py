"""Every client of `clients.txt` follows the plain stream of a real daemon. Run by `make interop`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.conftest import QUICK_AGENT
from tests.interop.clients import clients
from tests.interop.following import assert_plain_stream, following
from tests.support.many_changes import make_events
from tests.support.real_daemon import RealDaemon

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

EVENTS = 10_000
IDLE_SECONDS = 65
"""Longer than any client's own idea of when a silent connection is dead (websockets: 20 s and 20 s more)."""
CLIENTS = clients()


@pytest_asyncio.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    running = RealDaemon(tmp_path)
    running.add_agent("quick", QUICK_AGENT)
    await running.start()
    yield running
    await running.stop()


async def test_every_client_follows_10_000_events(daemon: RealDaemon, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{daemon.port}/ws"
    async with following(CLIENTS, url, EVENTS, tmp_path, ping_seconds=5) as followers:
        await make_events(daemon.port, EVENTS)
        for follower in followers:
            assert_plain_stream(follower.client.name, await follower.events(), count=EVENTS)
            assert follower.extensions == "none", f"{follower.client.name} negotiated {follower.extensions}"


async def test_every_client_stays_through_a_silent_minute(daemon: RealDaemon, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{daemon.port}/ws"
    often, seldom = tmp_path / "often", tmp_path / "seldom"
    often.mkdir()
    seldom.mkdir()
    async with (
        following(CLIENTS, url, 2, often, ping_seconds=0.5) as nervous,
        following(CLIENTS, url, 2, seldom, ping_seconds=20) as calm,
    ):
        await asyncio.sleep(IDLE_SECONDS)
        await make_events(daemon.port, 2)
        for follower in (*nervous, *calm):
            assert_plain_stream(follower.client.name, await follower.events(), count=2)
