"""The right to start or replace a daemon, held by one program at a time; and what the last one was told.

The lock is a `flock`, which the kernel releases when its holder dies. Its file holds why the last start failed: twenty
callers that wait for one start get its one answer, instead of trying twenty times what cannot work.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from clown_daemon.errors import StartError

WAIT_SECONDS = 45.0
"""How long another's start may take: longer than all of its steps may."""
_POLL_SECONDS = 0.05
_MOST_BYTES = 64 * 1024


class _Failure(msgspec.Struct, frozen=True):
    """Why a daemon could not start."""

    at: float
    """When, by the machine's monotonic clock, which all its processes share."""
    flags: tuple[str, ...]
    """What was asked for; another port may well be free."""
    error: str
    hint: str | None


class SpawnLock:
    """The lock, held; get one from `spawn_lock`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def raise_failure_since(self, asked_at: float, flags: tuple[str, ...]) -> None:
        """Raise what the start was told that this caller waited for; `asked_at` is `time.monotonic()`.

        Raises:
            StartError: the same start failed after the caller asked for it.
        """
        try:
            failure = msgspec.json.decode(os.pread(self._descriptor, _MOST_BYTES, 0), type=_Failure)
        except msgspec.DecodeError:
            return  # empty: nothing failed
        if asked_at < failure.at <= time.monotonic() and failure.flags == flags:
            raise StartError(failure.error, hint=failure.hint)

    def keep_failure(self, error: StartError, flags: tuple[str, ...]) -> None:
        """Let those who wait know why it failed."""
        failure = _Failure(at=time.monotonic(), flags=flags, error=str(error), hint=error.hint)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, msgspec.json.encode(failure), 0)


@contextlib.asynccontextmanager
async def spawn_lock(file: Path) -> AsyncIterator[SpawnLock]:
    """Hold the right to start a daemon.

    Raises:
        StartError: the file cannot be used, or somebody else held it for 45 s.
    """
    descriptor = await asyncio.to_thread(_open, file)
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while not _try_lock(descriptor):  # another process has it: no event tells of its end
            if time.monotonic() > deadline:
                raise StartError(
                    f"another program is starting the daemon for more than {WAIT_SECONDS:g} s now",
                    hint="clown-daemon status tells how it stands",
                )
            await asyncio.sleep(_POLL_SECONDS)
        yield SpawnLock(descriptor)
    finally:
        os.close(descriptor)


def _open(file: Path) -> int:
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
