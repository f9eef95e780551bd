"""A real daemon in a child process, with a home and state of its own below a test's folder.

Everything it tells is recorded by a passive client, and each time the daemon ends, the record is held against the six
properties of the stream: every test that uses a real daemon also tests these. Every reply of `call` is held against the
OpenAPI document.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from clown_daemon.protocol.endpoint import KEY_HEADER
from clown_daemon.protocol.problems import ProblemCode
from tests.support.chaos.history import Commanded, SnapshotRead
from tests.support.chaos.recorder import Recorder
from tests.support.chaos.validator import assert_valid
from tests.support.contract import assert_conforms

START_SECONDS = 20

FAKE_AGENT = """\
id = "{id}"
name = "{name}"
binary = "{binary}"
wire = ["anthropic", "openai"]
"""


def proxy_ports() -> str:
    """Ports for the proxies of this worker's daemons: below those that the kernel gives out by itself."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = 20_000 + int(worker) % 24 * 500
    return f"{first}-{first + 499}"


def clean_environment(root: Path) -> dict[str, str]:
    """An environment in which nothing of the user's can be found."""
    home = root / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{root / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "CLOWN_HOME": str(root / "clown"),
        "CLOWN_SECRETS": "file",
        "CLOWN_PROXY_PORTS": proxy_ports(),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
    }


class RealDaemon:
    """A daemon that can be started, killed and started again on the same port and state."""

    def __init__(self, root: Path, *, recorded: bool = True, **environ: str) -> None:
        """Prepare a daemon.

        Args:
            root: everything of it lies below.
            recorded: whether its history is recorded and judged; not for a test that damages its files on purpose.
            environ: more variables of its environment.
        """
        self.root = root
        self.environ = {**clean_environment(root), **environ}
        self.port = 0
        self.pid = 0
        self.process: asyncio.subprocess.Process | None = None
        self._recorder = Recorder(self.state_dir) if recorded else None
        self._answered_keys: set[str] = set()
        self._keys: set[str] = set()
        """The idempotency keys that were used: a command told again does nothing again."""

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
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.begin, self.port)

    async def kill(self) -> None:
        """Kill it the hard way."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end, and answer its exit code."""
        if self._recorder is not None and self.process is not None and self.process.returncode is None:
            await asyncio.to_thread(self._recorder.read_snapshot, self.port)
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        await asyncio.wait_for(process.communicate(), START_SECONDS)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.end)
            assert_valid(self._recorder.history, self.root)
        return process.returncode or 0

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        """One HTTP call."""
        # Loopback speaks no TLS, and loading certificates costs 20 ms a client.
        client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20, verify=False)  # noqa: S501  # see above
        async with client:
            if body is not None:
                options["json"] = body
            asked_at = time.monotonic()
            reply = await client.request(method, path, **options)
        assert_conforms(method, path, reply.status_code, reply.headers, reply.content)
        key = reply.request.headers.get("Idempotency-Key", "")
        if self._recorder is not None and key not in self._keys:
            self._record(method, path, body, asked_at, reply)
        self._keys |= {key} - {""}
        return reply

    def _record(self, method: str, path: str, body: object, asked_at: float, reply: httpx.Response) -> None:
        assert self._recorder is not None
        history = self._recorder.history
        is_json = reply.headers.get("Content-Type", "").startswith("application/json")
        envelope = reply.json() if is_json else None
        data = envelope.get("data") if isinstance(envelope, dict) else None
        data = data if isinstance(data, dict) else None
        if method == "GET":
            if path == "/api/snapshot" and reply.status_code == 200 and data is not None:
                history.add(SnapshotRead(client="test", asked_at=asked_at, data=data))
            return
        key = reply.request.headers.get(KEY_HEADER)
        if key in self._answered_keys:
            return  # the first answer once more: nothing was done
        unknown = isinstance(envelope, dict) and envelope.get("code") == ProblemCode.REPLY_LOST
        if key is not None and not unknown and reply.status_code < 400:
            self._answered_keys.add(key)
        history.add(
            Commanded(
                client="test",
                asked_at=asked_at,
                method=method,
                path=path,
                body=body if isinstance(body, dict) else None,
                status=None if unknown else reply.status_code,
                reply=data,
            )
        )

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
async def running_daemon(root: Path, *, recorded: bool = True, **environ: str) -> AsyncIterator[RealDaemon]:
    """A running daemon that is gone afterwards."""
    daemon = RealDaemon(root, recorded=recorded, **environ)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()
