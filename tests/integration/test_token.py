"""The access token as its owner uses it: shown, found, replaced while everything runs."""

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest
import websockets
from websockets.asyncio.client import connect

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import read_token
from clown_daemon.client.errors import RefusedError
from clown_daemon.client.states import Phase
from clown_daemon.client.sync import Follower
from clown_daemon.paths import Paths
from tests.support.following import Told
from tests.support.real_daemon import RealDaemon, clean_environment, running_daemon

PROFILE = {"agent_id": "claude", "provider_id": "anthropic"}


async def token_command(daemon: RealDaemon, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clown_daemon", "token", *arguments),
        env=daemon.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode(), err.decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def paths_of(daemon: RealDaemon) -> Paths:
    return Paths.from_environment(daemon.environ)


async def test_a_follower_with_the_token_goes_on_through_its_replacement_and_the_old_one_is_refused(
    tmp_path: Path,
) -> None:
    async with running_daemon(tmp_path, CLOWN_AUTH="token") as daemon:
        paths = paths_of(daemon)
        old = read_token(paths)
        assert old is not None
        stream = daemon.url.replace("http", "ws") + "/ws"
        header = {"Authorization": f"Bearer {old}"}
        async with (
            Follower(daemon.url, token=lambda: read_token(paths)) as follower,
            DaemonApi(daemon.url, token=lambda: read_token(paths)) as api,
            connect(stream, proxy=None, additional_headers=header) as plain,
        ):
            told = Told(follower)
            await told.phase(Phase.LIVE)
            assert len(await api.agents()) > 0
            code, out, err = await token_command(daemon, "rotate")
            assert (code, out) == (0, "the token was replaced; the daemon refuses the old one\n"), err
            new = read_token(paths)
            assert new not in {None, old}
            # At once: the command has returned.
            assert (await daemon.call("GET", "/api/agents", headers=header)).status_code == 401
            async with asyncio.timeout(20):
                await plain.wait_closed()
            assert (plain.close_code, plain.close_reason) == (4001, "token replaced")
            with pytest.raises(websockets.InvalidStatus):
                await connect(stream, proxy=None, additional_headers=header).__aenter__()
            await told.until(lambda: told.snapshots == 2)
            assert told.gaps[0].missed == 0
            # A client of the API meets the refusal, reads the token again, and its call succeeds.
            assert len(await api.agents()) > 0
            reply = await daemon.call(
                "POST",
                "/api/profiles",
                {**PROFILE, "alias": "after"},
                headers={"Authorization": f"Bearer {new}"},
            )
            assert reply.status_code == 201
            await told.until(lambda: any(alias == "after" for _, alias in told.picture))
            assert old not in repr(told.messages)
        with pytest.raises(RefusedError):
            async with DaemonApi(daemon.url, token=old) as stale:
                await stale.agents()


async def test_a_dashboard_that_starts_the_first_daemon_finds_the_token_it_made(tmp_path: Path) -> None:
    fresh = RealDaemon(tmp_path, CLOWN_AUTH="token")
    fresh.port = free_port()
    paths = paths_of(fresh)

    async def start() -> None:
        await fresh.start()

    async with Follower(fresh.url, token=lambda: read_token(paths), start=start) as follower:
        await Told(follower).phase(Phase.LIVE)
    await fresh.stop()


async def test_a_file_that_is_replaced_by_hand_is_noticed_without_anybody_presenting_it(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        file = paths_of(daemon).token_file
        header = {"Authorization": f"Bearer {file.read_text().strip()}"}
        async with (
            connect(daemon.url.replace("http", "ws") + "/ws", proxy=None, additional_headers=header) as holder,
            asyncio.timeout(20),
        ):
            file.write_text("by-hand\n")
            await holder.wait_closed()
        assert holder.close_code == 4001


async def test_the_token_is_shown_only_when_asked_for_and_its_file_is_named(tmp_path: Path) -> None:
    nowhere = RealDaemon(tmp_path)
    nowhere.environ = clean_environment(tmp_path)
    file = paths_of(nowhere).token_file
    code, out, err = await token_command(nowhere, "show")
    assert (code, out) == (1, "")
    assert "there is no token yet" in err
    assert "hint: the daemon makes it" in err
    assert await token_command(nowhere, "path") == (0, f"{file}\n", "")
    code, out, err = await token_command(nowhere, "rotate", "--json")
    assert (code, json.loads(out), err) == (0, {"rotated": True, "daemon_told": False}, "")
    token = file.read_text().strip()
    assert len(token) >= 43
    assert file.stat().st_mode & 0o777 == 0o600
    assert await token_command(nowhere, "show") == (0, f"{token}\n", "")
    code, out, err = await token_command(nowhere, "rotate")
    assert (code, out, err) == (0, "the token was replaced\n", "")
    assert file.read_text().strip() != token
