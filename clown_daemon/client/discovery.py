"""Where the daemon is: found by the file that it wrote, asked whether it lives, told apart from another's."""

import asyncio
import fcntl
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.errors import ClientError
from clown_daemon.paths import DEFAULT_PORT, Paths
from clown_daemon.protocol.resources import Access

FIND_SECONDS = 2.0
"""How long a running daemon may take to answer."""


@dataclass(frozen=True, kw_only=True)
class StartedDaemon:
    """A daemon that answers."""

    url: str
    pid: int
    version: str
    state_dir: Path
    access: Access | None = None
    """Who comes in without a token."""
    problems: tuple[str, ...] = ()
    """What does not work, one sentence each."""


class _DaemonFile(msgspec.Struct, frozen=True):
    """What the running daemon wrote about itself; information, since a killed one leaves it behind."""

    pid: int
    port: int
    version: str
    access: Access | None = None


def resolve_url(environ: Mapping[str, str], paths: Paths, *, url: str | None = None, port: int | None = None) -> str:
    """Where the daemon is, or would be.

    The flags `url` and `port` beat what a running daemon told about itself, that beats `CLOWN_PORT`, that the
    configuration file, that the default.
    """
    if url is not None:
        return url.rstrip("/")
    if port is None:
        told = _read_daemon_file(paths)
        port = told.port if told is not None else wanted_port(environ, paths) or DEFAULT_PORT
    return f"http://127.0.0.1:{port}"


def read_token(paths: Paths) -> str | None:
    """The access token of this user's daemon, None where there is none yet."""
    try:
        return paths.token_file.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def wanted_port(environ: Mapping[str, str], paths: Paths) -> int | None:
    """The port that a daemon would take; None for any free one, and for a value that is the daemon's to refuse."""
    text: object = environ.get("CLOWN_PORT")
    if not text:
        try:
            text = tomllib.loads(paths.config_file.read_text(encoding="utf-8")).get("port")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            text = None
    if text is None:
        return DEFAULT_PORT
    port = int(str(text)) if str(text).isdecimal() else 0
    return port if 0 < port < 65536 else None


def _read_daemon_file(paths: Paths) -> _DaemonFile | None:
    try:
        return msgspec.json.decode(paths.daemon_file.read_bytes(), type=_DaemonFile)
    except (OSError, msgspec.DecodeError):
        return None


async def find_daemon(paths: Paths) -> StartedDaemon | None:
    """The running daemon of this state folder, asked whether it lives; None when there is none."""
    told = await asyncio.to_thread(_read_daemon_file, paths)
    # A killed daemon leaves its file behind; whoever has its port now must not be shown the token.
    if told is None or not await asyncio.to_thread(is_held, paths):
        return None
    url = f"http://127.0.0.1:{told.port}"
    try:
        async with asyncio.timeout(FIND_SECONDS), DaemonApi(url, token=partial(read_token, paths)) as api:
            status = await api.daemon_status()
    except (ClientError, TimeoutError):
        return None
    if status.pid != told.pid or status.status == "stopping":
        return None  # a daemon that is starting has not written its file yet; one that is stopping will be gone
    return StartedDaemon(
        url=url,
        pid=status.pid,
        version=status.version,
        state_dir=paths.state_dir,
        access=told.access,
        problems=status.problems,
    )


def is_held(paths: Paths) -> bool:
    """Whether some daemon holds the state folder: one that runs, is about to answer, or is still ending."""
    try:
        descriptor = os.open(paths.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # there was never a daemon, or the next one will say what is wrong with the folder
    try:
        # Shared, so that callers who look at the same time do not take each other for a daemon.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
