"""The records of a proxy, appended to a file of its own: a line is whole or not there, and survives a crash.

One file a boot, `SPOOL/PROFILE/BOOT-NUMBER.jsonl`, and another one when it has grown large; the daemon removes what it
has read of files that nobody holds a lock on any more. A line goes to the file at once, and to the disk a moment later:
no agent ever waits for one.
"""

import asyncio
import contextlib
import fcntl
import os
from collections import deque
from pathlib import Path

import msgspec

from clown_daemon.proxies.records import Record

FILE_BYTES = 8 * 1024 * 1024
"""A file that has grown to this is followed by another."""
SYNC_SECONDS = 0.05
"""What is written within this time is brought to the disk together."""
MOST_WAITING = 10_000
"""Records that are held while the disk takes none; the oldest go first, and that is counted."""


class Spool:
    """The file that is written to.

    Attributes:
        problem: why records cannot be written right now; None while they can.
        lost: how many records were let go of because the disk took none for too long.
    """

    def __init__(self, folder: Path, boot: str) -> None:
        self.problem: str | None = None
        self.lost = 0
        self._folder = folder
        self._boot = boot
        self._number = 0
        self._bytes = 0
        self._descriptor: int | None = None
        self._waiting: deque[bytes] = deque()
        self._written = asyncio.Event()

    def append(self, record: Record) -> None:
        """Write a record; what the disk refuses is held and written with the next one."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(msgspec.json.encode(record) + b"\n")
        self._write()

    async def keep_synced(self) -> None:
        """Bring what is written to the disk for ever, what comes close together at once."""
        while True:
            await self._written.wait()
            await asyncio.sleep(SYNC_SECONDS)
            self._written.clear()
            await self.sync()

    async def sync(self) -> None:
        """Bring what was written to the disk."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        try:
            await asyncio.to_thread(os.fdatasync, descriptor)
        except OSError as error:
            self.problem = f"usage cannot be brought to the disk: {error.strerror}"

    def close(self) -> None:
        """Write what is held, as far as the disk takes it, and let go of the file."""
        if self._waiting:
            self._write()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self) -> None:
        try:
            while self._waiting:
                line = self._waiting[0]
                self._write_whole(self._open(), line)
                self._waiting.popleft()
                self._bytes += len(line)
                self._written.set()
            self.problem = None
        except OSError as error:
            self.problem = f"usage cannot be written down: {error.strerror}"

    def _write_whole(self, descriptor: int, line: bytes) -> None:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, line) < len(line):
            # Half a line would be broken by the next one; the disk is full.
            os.ftruncate(descriptor, size)
            raise OSError(28, os.strerror(28))

    def _open(self) -> int:
        if self._descriptor is not None and self._bytes < FILE_BYTES:
            return self._descriptor
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._number += 1
        file = self._folder / f"{self._boot}-{self._number:04}.jsonl"
        try:
            descriptor = _create(file)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _create(file)
        with contextlib.suppress(OSError):  # a file system without locks keeps files longer
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._descriptor, self._bytes = descriptor, 0
        return descriptor


def _create(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
