"""Find a running daemon, or start one: detached, exactly one however many callers race, ready when it is answered.

Nothing here blocks the loop. The spawn lock is a `flock`, which the kernel releases when its holder dies.
"""

import asyncio
import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.errors import ClientError
from clown_daemon.errors import StartError
from clown_daemon.paths import DEFAULT_PORT, Paths
from clown_daemon.protocol.resources import Access

START_SECONDS = 10.0
"""How long a start may take, the wait for another caller's start included."""
FIND_SECONDS = 2.0
_POLL_SECONDS = 0.05
_FOREGROUND_HINT = "run clown-daemon in the foreground to see why"


@dataclass(frozen=True, kw_only=True)
class StartedDaemon:
    """A daemon that answers."""

    url: str
    pid: int
    version: str
    state_dir: Path
    access: Access | None = None
    """Who comes in without a token."""


class _DaemonFile(msgspec.Struct, frozen=True):
    """What the running daemon wrote about itself; information, since a killed one leaves it behind."""

    pid: int
    port: int
    version: str
    access: Access | None = None


class _ReadyLine(msgspec.Struct, frozen=True):
    """What a starting daemon says through the pipe: that it answers, or why it cannot."""

    url: str = ""
    pid: int = 0
    version: str = ""
    state_dir: str = ""
    access: Access | None = None
    error: str | None = None
    hint: str | None = None
    already_running: bool = False


# -- where it is ------------------------------------------------------------------------------------------------------


def resolve_url(environ: Mapping[str, str], paths: Paths, *, url: str | None = None, port: int | None = None) -> str:
    """Where the daemon is, or would be.

    The flags `url` and `port` beat what a running daemon told about itself, that beats `CLOWN_PORT`, that the
    configuration file, that the default.
    """
    if url is not None:
        return url.rstrip("/")
    if port is None:
        told = _read_daemon_file(paths)
        port = told.port if told is not None else _configured_port(environ, paths)
    return f"http://127.0.0.1:{port}"


def read_token(paths: Paths) -> str | None:
    """The access token of this user's daemon, None where there is none yet."""
    try:
        return paths.token_file.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _configured_port(environ: Mapping[str, str], paths: Paths) -> int:
    """The port a daemon would take; a value that is no port is the daemon's to complain about."""
    text: object = environ.get("CLOWN_PORT")
    if not text:
        try:
            text = tomllib.loads(paths.config_file.read_text(encoding="utf-8")).get("port")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            text = None
    port = int(str(text)) if str(text).isdecimal() else 0
    return port if 0 < port < 65536 else DEFAULT_PORT


def _read_daemon_file(paths: Paths) -> _DaemonFile | None:
    try:
        return msgspec.json.decode(paths.daemon_file.read_bytes(), type=_DaemonFile)
    except (OSError, msgspec.DecodeError):
        return None


async def find_daemon(paths: Paths) -> StartedDaemon | None:
    """The running daemon of this state folder, asked whether it lives; None when there is none."""
    told = await asyncio.to_thread(_read_daemon_file, paths)
    if told is None:
        return None
    url = f"http://127.0.0.1:{told.port}"
    token = await asyncio.to_thread(read_token, paths)
    try:
        async with asyncio.timeout(FIND_SECONDS), DaemonApi(url, token=token) as api:
            status = await api.daemon_status()
    except (ClientError, TimeoutError):
        return None
    if status.pid != told.pid:
        return None  # another state folder's daemon has the port now
    return StartedDaemon(url=url, pid=status.pid, version=status.version, state_dir=paths.state_dir, access=told.access)


# -- starting it ------------------------------------------------------------------------------------------------------


async def start_daemon(environ: Mapping[str, str], port: int | None = None) -> StartedDaemon:
    """Answer the running daemon, or start one and wait until it answers.

    Args:
        environ: decides where the state is; the daemon gets all of it.
        port: for `--port`; None leaves it to the daemon's configuration.

    Raises:
        StartError: it could not start, or was not ready within 10 s.
    """
    paths = Paths.from_environment(environ)
    found = await find_daemon(paths)
    if found is not None:
        return found
    try:
        async with asyncio.timeout(START_SECONDS), _spawn_lock(paths):
            # Whoever held the lock before has most likely started it.
            return await find_daemon(paths) or await _spawn(environ, port, paths)
    except TimeoutError:
        raise StartError(
            f"the daemon was not ready within {START_SECONDS:g} s", hint=f"see {paths.log_file}, or {_FOREGROUND_HINT}"
        ) from None


@contextlib.asynccontextmanager
async def _spawn_lock(paths: Paths) -> AsyncIterator[None]:
    """Hold the right to start a daemon."""
    descriptor = await asyncio.to_thread(_open_lock, paths.spawn_lock_file)
    try:
        while not _try_lock(descriptor):  # noqa: ASYNC110  # another process has it: no event tells of its end
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _open_lock(file: Path) -> int:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            f"the folder {file.parent} cannot be used: {error.strerror}", hint="set CLOWN_HOME to a folder you own"
        ) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _spawn(environ: Mapping[str, str], port: int | None, paths: Paths) -> StartedDaemon:
    reading, writing = os.pipe()
    try:
        process = await asyncio.to_thread(_launch, environ, port, writing)
    finally:
        os.close(writing)
    line = await _read_line(reading)
    try:
        ready = msgspec.json.decode(line, type=_ReadyLine)
    except msgspec.DecodeError:
        raise StartError(
            f"the daemon (pid {process.pid}) ended before it was ready",
            hint=f"see {paths.log_file}, or {_FOREGROUND_HINT}",
        ) from None
    if ready.already_running:
        return await _until_found(paths)
    if ready.error is not None:
        raise StartError(ready.error, hint=ready.hint)
    return StartedDaemon(
        url=ready.url, pid=ready.pid, version=ready.version, state_dir=Path(ready.state_dir), access=ready.access
    )


def _launch(environ: Mapping[str, str], port: int | None, ready_descriptor: int) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "clown_daemon", "--ready-fd", str(ready_descriptor)]
    if port is not None:
        arguments += ["--port", str(port)]
    process = subprocess.Popen(  # noqa: S603  # our own program
        arguments,
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


async def _until_found(paths: Paths) -> StartedDaemon:
    """Wait for a daemon that somebody else is starting; the caller bounds the wait."""
    while (found := await find_daemon(paths)) is None:  # noqa: ASYNC110  # another process starts it
        await asyncio.sleep(_POLL_SECONDS)
    return found
