"""The documented sample clients, byte for byte. They name the default port, so they run only while it is free."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.paths import DEFAULT_PORT
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

PYTHON_SAMPLE = """\
import asyncio
import websockets
import json

async def listen_events():
    uri = "ws://127.0.0.1:8765/ws"
    async with websockets.connect(uri) as websocket:
        async for message in websocket:
            event = json.loads(message)
            print(f"Event: {event['type']}")
            print(f"Data: {event['data']}")

asyncio.run(listen_events())
"""

JAVASCRIPT_SAMPLE = """\
const ws = new WebSocket('ws://127.0.0.1:8765/ws');

ws.onopen = () => {
  console.log('Connected to clown daemon');
};

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);

  switch (message.type) {
    case 'ProfileCreated':
      console.log(`Profile ${message.data.alias} created`);
      break;
    case 'UsageUpdated':
      console.log(`Usage updated for ${message.data.profile}`);
      break;
    // Handle other events...
  }
};

ws.onclose = () => {
  console.log('Disconnected from clown daemon');
  // Implement reconnection logic
};
"""

# Both tests want the one default port, so they share a worker.
pytestmark = pytest.mark.xdist_group("default-port")


@pytest.fixture
async def default_daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", DEFAULT_PORT)) == 0:
            pytest.skip(f"something listens on port {DEFAULT_PORT}, which the documented samples name")
    daemon = RealDaemon(tmp_path)
    daemon.add_agent("quick", '#!/bin/sh\n[ "$1" = --version ] && { echo 1.0.0; exit; }\nexit 0\n')
    daemon.port = DEFAULT_PORT
    await daemon.start()
    yield daemon
    await daemon.stop()


class Sample:
    """A sample client in a process of its own; what it printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.text = ""

    async def read(self) -> None:
        assert self._process.stdout is not None
        while chunk := await self._process.stdout.read(4096):
            self.text += chunk.decode()


async def _run_sample(
    daemon: RealDaemon, *command: str
) -> tuple[Sample, asyncio.Task[None], asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**daemon.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    sample = Sample(process)
    return sample, asyncio.create_task(sample.read(), name="sample"), process


async def _clients(daemon: RealDaemon) -> bool:
    # A plain client says nothing: make and delete a profile until it has been heard.
    await daemon.call("POST", "/api/profiles", {"alias": "probe", "agent_id": "quick", "provider_id": "anthropic"})
    await daemon.call("DELETE", "/api/profiles/probe")
    return True


async def test_the_python_sample_prints_every_event(default_daemon: RealDaemon, tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text(PYTHON_SAMPLE)
    sample, reading, process = await _run_sample(default_daemon, sys.executable, str(file))

    async def heard() -> bool:
        await _clients(default_daemon)
        return "ProfileDeleted" in sample.text

    await until(heard)
    body = {"alias": "work", "agent_id": "quick", "provider_id": "anthropic", "model": "m"}
    await default_daemon.ask("POST", "/api/profiles", body)
    await default_daemon.ask("POST", "/api/profiles/work/run", {"args": []})
    await until(lambda: "Event: ProfileStopped" in sample.text)
    await default_daemon.ask("DELETE", "/api/profiles/work")
    await until(lambda: "Event: ProfileDeleted\nData: {'alias': 'work'}" in sample.text)
    for name in ("ProfileCreated", "ProfileStarted", "ProfileStopped", "ProfileDeleted"):
        assert f"Event: {name}" in sample.text
    process.kill()
    await process.wait()
    await reading


@pytest.mark.node
async def test_the_javascript_sample_runs(default_daemon: RealDaemon, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node program on this machine")
    file = tmp_path / "sample.js"
    file.write_text(JAVASCRIPT_SAMPLE)
    flags = [] if _has_websocket(node) else ["--experimental-websocket"]
    sample, reading, process = await _run_sample(default_daemon, node, *flags, str(file))
    await until(lambda: "Connected to clown daemon" in sample.text)
    body = {"alias": "work", "agent_id": "quick", "provider_id": "anthropic"}
    await default_daemon.ask("POST", "/api/profiles", body)
    await until(lambda: "Profile work created" in sample.text)
    await default_daemon.stop()
    await until(lambda: "Disconnected from clown daemon" in sample.text)
    await process.wait()
    await reading


def _has_websocket(node: str) -> bool:
    answer = subprocess.run([node, "-p", "typeof WebSocket"], capture_output=True, text=True, check=True)
    return answer.stdout.strip() == "function"
