"""A real daemon in a child process, with a home and state of its own below a test's folder."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 20

FAKE_AGENT = """\
id = "{id}"
name = "{name}"
binary = "{binary}"
wire = ["anthropic", "openai"]
"""


def clean_environment(root: Path) -> dict[str, str]:
    """An environment in which nothing of the user's can be found."""
    home = root / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{root / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "CLOWN_HOME": str(root / "clown"),
        "CLOWN_SECRETS": "file",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
    }


class RealDaemon:
    """A daemon that can be started, killed and started again on the same port and state."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.root = root
        self.environ = {**clean_environment(root), **environ}
        self.port = 0
        self.pid = 0
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state_dir(self) -> Path:
        return self.root / "clown" / "state"

    def add_agent(self, name: str, script: str) -> Path:
        """Put a program on PATH and a manifest for it where the daemon looks for the user's own."""
        binary = self.root / "bin" / name
        binary.parent.mkdir(parents=True, exist_ok=True)
        binary.write_text(script)
        binary.chmod(0o755)
        manifests = self.root / "clown" / "agents.d"
        manifests.mkdir(parents=True, exist_ok=True)
        (manifests / f"{name}.toml").write_text(FAKE_AGENT.format(id=name, name=name.title(), binary=name))
        return binary

    async def start(self, *arguments: str) -> None:
        """Start it and wait until it answers; a port that was free is kept for later starts."""
        reading, writing = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "clown_daemon", "--ready-fd", str(writing), "--port", str(self.port), *arguments),
            env=self.environ,
            cwd=self.root,
            pass_fds=(writing,),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        os.close(writing)
        try:
            line = await asyncio.wait_for(asyncio.to_thread(_read_line, reading), START_SECONDS)
        finally:
            os.close(reading)
        facts = json.loads(line or "{}")
        if "url" not in facts:
            out, err = await self.process.communicate()
            raise AssertionError(f"no daemon: {facts} {out.decode()} {err.decode()}")
        self.pid = facts["pid"]
        self.port = int(facts["url"].rsplit(":", 1)[1])

    async def kill(self) -> None:
        """Kill it the hard way."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end, and answer its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        await asyncio.wait_for(process.communicate(), START_SECONDS)
        return process.returncode or 0

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """One HTTP call."""
        # Loopback speaks no TLS, and loading certificates costs 20 ms a client.
        client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20, verify=False)  # noqa: S501  # see above
        async with client:
            if body is not None:
                options["json"] = body
            return await client.request(method, path, **options)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """One HTTP call that must succeed; answers its data."""
        reply = await self.call(method, path, body)
        message = reply.json()
        assert message["success"], message
        return message["data"]


def _read_line(descriptor: int) -> str:
    with os.fdopen(os.dup(descriptor), encoding="utf-8") as pipe:
        return pipe.readline()


@contextlib.asynccontextmanager
async def running_daemon(root: Path, **environ: str) -> AsyncIterator[RealDaemon]:
    """A running daemon that is gone afterwards."""
    daemon = RealDaemon(root, **environ)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()
