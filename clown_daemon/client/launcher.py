"""Start the daemon where none runs: detached, exactly one however many callers race, ready when it is answered.

A daemon of an older version is replaced when nobody needs it. Nothing here blocks the loop.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import StartedDaemon, find_daemon, is_held, wanted_port
from clown_daemon.client.ending import STOP_SECONDS, end_daemon, until_gone
from clown_daemon.client.errors import ClientError, RefusedError
from clown_daemon.client.spawn_lock import SpawnLock, spawn_lock
from clown_daemon.client.versions import is_older, is_other
from clown_daemon.errors import StartError
from clown_daemon.paths import Paths
from clown_daemon.protocol.requests import ShutDown
from clown_daemon.protocol.resources import Access

START_SECONDS = 10.0
"""How long a daemon may take to be ready, once it is started."""
WAKE_SECONDS = 5.0
"""How long a daemon may take to answer that a service manager starts because we connect."""
_POLL_SECONDS = 0.05
_FOREGROUND_HINT = "run clown-daemon in the foreground to see why"


class _ReadyLine(msgspec.Struct, frozen=True):
    """What a starting daemon says through the pipe: that it answers, or why it cannot."""

    url: str = ""
    pid: int = 0
    version: str = ""
    state_dir: str = ""
    access: Access | None = None
    problems: tuple[str, ...] = ()
    error: str | None = None
    hint: str | None = None
    already_running: bool = False


async def start_daemon(
    environ: Mapping[str, str], port: int | None = None, *, flags: tuple[str, ...] = ()
) -> StartedDaemon:
    """Answer the running daemon, or start one and wait until it answers.

    One that is older than this program and that nobody needs is replaced; see the answer's `version` for what runs.

    Args:
        environ: decides where the state is; the daemon gets all of it.
        port: for `--port`; None leaves it to the daemon's configuration.
        flags: more of the daemon's command line.

    Raises:
        StartError: it could not start, or was not ready within 10 s; or one that is ending took longer than 20 s.
    """
    paths = Paths.from_environment(environ)
    asked_at = time.monotonic()
    found = await find_daemon(paths)
    if found is not None and not is_older(found.version):
        return found
    start = _Start(environ, paths, port, flags)
    async with spawn_lock(paths.spawn_lock_file) as lock:
        # Whoever held the lock before has most likely started it.
        found = await find_daemon(paths)
        if found is None:
            lock.raise_failure_since(asked_at, start.flags)
        elif not (is_older(found.version) and await _retired(found, paths)):
            return found
        return await start.run(lock)


async def restart_daemon(
    environ: Mapping[str, str], port: int | None = None, *, flags: tuple[str, ...] = (), if_idle: bool = False
) -> StartedDaemon:
    """End the running daemon, if there is one, and start this program's; settings are read anew.

    Nobody else can start one in between: whoever wants to gets the new one.

    Args:
        environ: as for `start_daemon`.
        port: as for `start_daemon`.
        flags: as for `start_daemon`.
        if_idle: only when nobody needs the daemon.

    Raises:
        RefusedError: `busy`, with `if_idle`: what needs it is in the sentence.
        ClownError: the old one did not stop, or the new one did not start.
    """
    paths = Paths.from_environment(environ)
    start = _Start(environ, paths, port, flags)
    async with spawn_lock(paths.spawn_lock_file) as lock:
        found = await find_daemon(paths)
        if found is None:
            await until_gone(paths)  # it may be ending already
        else:
            reason: Literal["upgrade", "stop"] = "upgrade" if is_other(found.version) else "stop"
            await end_daemon(found, paths, ShutDown(if_idle=if_idle, reason=reason))
        return await start.run(lock)


async def _retired(found: StartedDaemon, paths: Paths) -> bool:
    """End an older daemon if nobody needs it; False when it stays."""
    try:
        await end_daemon(found, paths, ShutDown(if_idle=True, reason="upgrade"))
    except RefusedError:
        return False  # somebody needs it, or it is too old to be asked so
    return True


class _Start:
    """One start, by whoever holds the spawn lock."""

    def __init__(self, environ: Mapping[str, str], paths: Paths, port: int | None, flags: tuple[str, ...]) -> None:
        self.flags = (*(() if port is None else ("--port", str(port))), *flags)
        self._environ = environ
        self._paths = paths
        self._port = wanted_port(environ, paths) if port is None else port or None

    async def run(self, lock: SpawnLock) -> StartedDaemon:
        """Start one, or answer the one that somebody else is starting."""
        woken = await self._wake()
        while woken is None:
            started = await self._spawn(lock)
            if started is not None:
                return started
            # Somebody holds the state folder: a daemon that is about to answer, or one that is still ending.
            woken = await self._until_found_or_free()
        return woken

    async def _wake(self) -> StartedDaemon | None:
        """Connect to where it would listen: where a service manager holds the port, that starts it."""
        if self._port is None:
            return None
        try:
            async with asyncio.timeout(WAKE_SECONDS), DaemonApi(f"http://127.0.0.1:{self._port}") as api:
                await api.health()
        except (ClientError, TimeoutError):
            return None
        # Whose daemon answers is not said; this state folder's holds its lock.
        return await self._until_found_or_free()

    async def _until_found_or_free(self) -> StartedDaemon | None:
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            found = await find_daemon(self._paths)
            if found is not None or not await asyncio.to_thread(is_held, self._paths):
                return found
            await asyncio.sleep(_POLL_SECONDS)
        raise StartError(
            f"a daemon holds {self._paths.state_dir}, but did neither answer nor end within {STOP_SECONDS:g} s",
            hint=f"see {self._paths.log_file}",
        )

    async def _spawn(self, lock: SpawnLock) -> StartedDaemon | None:
        """Start one; None when another holds the state folder."""
        reading, writing = os.pipe()
        try:
            process = await asyncio.to_thread(_launch, self._environ, self.flags, writing)
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await _read_line(reading)
        except TimeoutError:
            raise StartError(
                f"the daemon was not ready within {START_SECONDS:g} s",
                hint=f"see {self._paths.log_file}, or {_FOREGROUND_HINT}",
            ) from None
        try:
            ready = msgspec.json.decode(line, type=_ReadyLine)
        except msgspec.DecodeError:
            raise StartError(
                f"the daemon (pid {process.pid}) ended before it was ready",
                hint=f"see {self._paths.log_file}, or {_FOREGROUND_HINT}",
            ) from None
        if ready.already_running:
            return None
        if ready.error is not None:
            failure = StartError(ready.error, hint=ready.hint)
            lock.keep_failure(failure, self.flags)
            raise failure
        return StartedDaemon(
            url=ready.url,
            pid=ready.pid,
            version=ready.version,
            state_dir=Path(ready.state_dir),
            access=ready.access,
            problems=ready.problems,
        )


def _launch(environ: Mapping[str, str], flags: tuple[str, ...], ready_descriptor: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "clown_daemon", "--ready-fd", str(ready_descriptor), *flags],
        env=dict(environ),
        cwd="/",  # a daemon must not keep a folder from being unmounted
        pass_fds=(ready_descriptor,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # asyncio's own child processes are killed with the loop; this one stays, and is reaped while we are there.
    threading.Thread(target=process.wait, name="clown-daemon-reaper", daemon=True).start()
    return process


async def _read_line(descriptor: int) -> bytes:
    """Read the one line, or nothing when the other end closes without one."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        return await reader.readline()
    finally:
        transport.close()
