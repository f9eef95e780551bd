"""The daemon under a service manager that holds its sockets: nobody who connects is refused."""

import asyncio
import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.support.activation import notify_socket, socket_unit
from tests.support.real_daemon import clean_environment
from tests.support.waiting import until

AGENT = """\
#!/bin/sh
[ "$1" = --version ] && { echo 1.0.0; exit; }
{ env; ls -l /proc/self/fd; } >"$HOME/seen.new"
mv "$HOME/seen.new" "$HOME/seen"
"""


async def ask(port: int, path: str, *, host: str = "127.0.0.1", **options: Any) -> Any:
    """One call on a connection of its own, which waits as long as a daemon needs to start."""
    method = "POST" if options else "GET"
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False, timeout=30, verify=False) as client:  # noqa: S501  # loopback speaks no TLS, and loading certificates costs 20 ms
        return (await client.request(method, path, **options)).json()


def seen_by_agent(root: Path) -> str:
    """What the agent wrote into its home, empty before."""
    return "".join(file.read_text() for file in root.rglob("seen"))


async def test_who_connects_before_the_daemon_is_up_is_served(tmp_path: Path) -> None:
    async with socket_unit(tmp_path) as unit:
        assert unit.process is None
        replies = await asyncio.gather(*(ask(unit.port, "/api/health") for _ in range(5)))
        assert all(reply["status"] == "ok" for reply in replies)
        if len(unit.sockets) == 2:
            assert (await ask(unit.port, "/api/health", host="[::1]"))["status"] == "ok"
        told = json.loads((tmp_path / "clown" / "state" / "daemon.json").read_text())
        assert told["port"] == unit.port


async def test_a_restart_refuses_nobody(tmp_path: Path) -> None:
    async with socket_unit(tmp_path) as unit:
        first = await ask(unit.port, "/api/daemon/status")
        async with websockets.connect(f"ws://127.0.0.1:{unit.port}/ws", proxy=None) as connection:
            await ask(unit.port, "/api/daemon/shutdown", json={})
            with pytest.raises(websockets.ConnectionClosedOK):
                while True:
                    await connection.recv()
        # The old one is still closing its database while these wait in the kernel.
        later = await asyncio.gather(*(ask(unit.port, "/api/daemon/status") for _ in range(5)))
        assert {reply["success"] for reply in later} == {True}
        assert first["data"]["pid"] not in {reply["data"]["pid"] for reply in later}
        assert unit.exits == [0]


async def test_an_idle_daemon_ends_and_the_next_connection_starts_it(tmp_path: Path) -> None:
    async with socket_unit(tmp_path, CLOWN_IDLE_TIMEOUT_SECS="0.4") as unit:
        await ask(unit.port, "/api/health")
        await until(lambda: unit.exits == [0])
        assert (await ask(unit.port, "/api/health"))["status"] == "ok"
        await until(lambda: unit.exits == [0, 0])


async def test_the_manager_is_told_and_agents_inherit_nothing_of_it(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with notify_socket(address) as manager:
        async with socket_unit(tmp_path, NOTIFY_SOCKET=address) as unit:
            manifests = tmp_path / "clown" / "agents.d"
            manifests.mkdir(parents=True)
            (manifests / "looks.toml").write_text('id = "looks"\nname = "Looks"\nbinary = "looks"\nwire = ["openai"]\n')
            binary = tmp_path / "bin" / "looks"
            binary.parent.mkdir()
            binary.write_text(AGENT)
            binary.chmod(0o755)
            profile = {"alias": "w", "agent_id": "looks", "provider_id": "openai", "api_key": "sk-none"}

            async def started() -> bool:
                await ask(unit.port, "/api/profiles", json=profile)
                return bool((await ask(unit.port, "/api/profiles/w/run", json={}))["success"])

            await until(started)
            assert manager.recv(1000) == b"READY=1\nSTATUS=listening on http://127.0.0.1:%d" % unit.port
            await until(lambda: bool(seen_by_agent(tmp_path)))
            seen = seen_by_agent(tmp_path)
            await ask(unit.port, "/api/daemon/shutdown", json={})
            await until(lambda: unit.exits == [0])
        assert manager.recv(1000) == b"STOPPING=1\nSTATUS=stopping: stop"
    assert "HOME=" in seen
    assert "LISTEN_" not in seen
    assert "NOTIFY_SOCKET" not in seen
    assert "socket:" not in seen


SOCKET_ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.mark.skipif(SOCKET_ACTIVATE is None, reason="this machine has no systemd-socket-activate")
async def test_systemds_own_tool_starts_it(tmp_path: Path) -> None:
    assert SOCKET_ACTIVATE is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = clean_environment(tmp_path)
    kept = [part for name, value in environ.items() for part in ("-E", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        *(SOCKET_ACTIVATE, "-l", f"127.0.0.1:{port}", *kept, sys.executable, "-m", "clown_daemon"),
        cwd=tmp_path,
        env=environ,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def healthy() -> bool:
        try:
            return bool((await ask(port, "/api/health"))["status"] == "ok")
        except httpx.ConnectError:
            return False  # the tool itself does not listen yet

    await until(healthy)
    status = await ask(port, "/api/daemon/status")
    assert status["data"]["pid"] == process.pid
    await ask(port, "/api/daemon/shutdown", json={})
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    assert f"listens on http://127.0.0.1:{port}" in out.decode()
