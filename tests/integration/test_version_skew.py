"""A daemon of another version than the program that finds it: told, and replaced only when nobody needs it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from clown_daemon import __version__
from clown_daemon.client.launcher import start_daemon
from clown_daemon.client.states import Phase, SnapshotLoaded
from clown_daemon.client.sync import Follower
from tests.support.command_line import clown_daemon
from tests.support.following import Told
from tests.support.other_version import copied_program
from tests.support.real_daemon import RealDaemon, clean_environment


@pytest.fixture
async def daemon(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[RealDaemon]:
    """A daemon of another version, older unless the test says which."""
    version = getattr(request, "param", "0.0.9")
    other = RealDaemon(tmp_path, PYTHONPATH=copied_program(tmp_path, version))
    await other.start()
    yield other
    await other.stop()
    await clown_daemon(clean_environment(tmp_path), "stop", cwd=tmp_path)


async def rest_of(connection: websockets.ClientConnection) -> list[dict[str, Any]]:
    """Every frame until the daemon ends the stream."""
    frames = []
    with pytest.raises(websockets.ConnectionClosedOK):
        while True:
            frames.append(json.loads(await connection.recv()))  # it ends by raising
    return frames


async def test_an_older_daemon_that_nobody_needs_is_replaced(daemon: RealDaemon, tmp_path: Path) -> None:
    environ = clean_environment(tmp_path)
    status = await clown_daemon(environ, "status", cwd=tmp_path)
    assert f"version  0.0.9, and this program is {__version__}: clown-daemon restart" in status.out
    async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws?passive=1", proxy=None) as connection:
        started = await clown_daemon(environ, "start", "--port", str(daemon.port), "--json", cwd=tmp_path)
        last = (await rest_of(connection))[-1]
        assert (last["type"], last["data"]) == ("DaemonShuttingDown", {"reason": "upgrade"})
        assert (connection.close_code, connection.close_reason) == (1001, "upgrade")
    assert started.code == 0, started.err
    assert started.err == ""
    assert json.loads(started.out)["version"] == __version__
    assert json.loads(started.out)["pid"] != daemon.pid


async def test_a_busy_one_stays_until_it_is_told_to_go(daemon: RealDaemon, tmp_path: Path) -> None:
    environ = clean_environment(tmp_path)
    async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws", proxy=None) as connection:
        started = await clown_daemon(environ, "start", "--json", cwd=tmp_path)
        assert started.code == 0
        assert json.loads(started.out)["pid"] == daemon.pid
        assert f"daemon 0.0.9 runs, this is {__version__}; it stays, since it is busy" in started.err
        assert "clown-daemon restart" in started.err
        asked = await clown_daemon(environ, "restart", "--if-idle", cwd=tmp_path)
        assert asked.code == 1
        assert "the daemon is needed: 1 client follows" in asked.err
        restarted = await clown_daemon(environ, "restart", "--port", str(daemon.port), "--json", cwd=tmp_path)
        assert restarted.code == 0, restarted.err
        assert (await rest_of(connection))[-1]["data"] == {"reason": "upgrade"}
    assert json.loads(restarted.out)["version"] == __version__
    assert json.loads(restarted.out)["url"] == daemon.url


@pytest.mark.parametrize("daemon", ["99.0.0"], indirect=True)
async def test_a_newer_one_stays_since_its_database_may_be_newer_too(daemon: RealDaemon, tmp_path: Path) -> None:
    started = await clown_daemon(clean_environment(tmp_path), "start", "--json", cwd=tmp_path)
    assert started.code == 0
    assert json.loads(started.out)["pid"] == daemon.pid
    assert f"daemon 99.0.0 runs, this is {__version__}; it stays, since it is newer than this program" in started.err


def follower_of(daemon: RealDaemon, environ: dict[str, str]) -> Follower:
    """A client that may start daemons, as the dashboard is."""
    return Follower(daemon.url, start=lambda: start_daemon(environ, daemon.port))


def version_of(told: Told) -> str:
    """The version of the daemon that was seen last."""
    return [message.snapshot.daemon.version for message in told.messages if isinstance(message, SnapshotLoaded)][-1]


async def test_a_dashboard_replaces_an_older_one_when_it_is_the_only_client(daemon: RealDaemon, tmp_path: Path) -> None:
    async with follower_of(daemon, clean_environment(tmp_path)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert version_of(told) == __version__
        assert Phase.STARTING in told.phases
        assert Phase.BACKOFF not in told.phases


async def test_a_dashboard_lives_with_an_older_one_that_others_need(daemon: RealDaemon, tmp_path: Path) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws", proxy=None) as other:
        async with follower_of(daemon, clean_environment(tmp_path)) as follower:
            told = Told(follower)
            await told.phase(Phase.LIVE)
            assert version_of(told) == "0.0.9"
        assert other.close_code is None


async def test_a_restart_without_a_daemon_starts_one(tmp_path: Path) -> None:
    environ = clean_environment(tmp_path)
    started = await clown_daemon(environ, "restart", "--port", "0", "--json", cwd=tmp_path)
    assert started.code == 0, started.err
    again = await clown_daemon(environ, "restart", "--if-idle", "--port", "0", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert json.loads(again.out)["pid"] != json.loads(started.out)["pid"]
    assert (await clown_daemon(environ, "stop", cwd=tmp_path)).code == 0
