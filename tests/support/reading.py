"""Reads logs as the daemon does, piece by piece, and keeps what it would keep."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.store.ledger import Entry
from clown_daemon.store.positions import Position
from clown_daemon.usage.backlog import LogName, to_read
from clown_daemon.usage.reader import Part, read_log
from clown_daemon.usage.sources import LogFile


def log_file(path: Path, kind: str = "claude", profile: str = UNATTRIBUTED) -> LogFile:
    """A log as the scanner would find it."""
    status = path.stat()
    return LogFile("claude", kind, str(path), profile, status.st_ino, status.st_size, status.st_mtime_ns)


class Ledger:
    """What was read so far: entries by key, as often as they were told, and the positions."""

    def __init__(self) -> None:
        self.known: dict[LogName, Position] = {}
        self.entries: list[Entry] = []
        self.bytes_read = 0

    @property
    def keys(self) -> list[str]:
        """What was told, in order, with repetitions."""
        return [entry.response.key for entry in self.entries]

    def read(self, *paths: Path, suspicious: bool = False) -> list[Part]:
        """Read on in logs; answer the parts."""
        parts: list[Part] = []
        files = [log_file(path) for path in paths]
        for task in to_read(files, self.known, {}, suspicious=suspicious):
            for part in read_log(task, lambda _: None):
                parts.append(part)
                self.known[part.source, part.path] = part.position
                self.entries += part.entries
                self.bytes_read += part.bytes_read
        return parts

    def position(self, path: Path) -> Position:
        return self.known["claude", str(path)]


def chunks(data: bytes, seed: int, most: int) -> Iterator[bytes]:
    """Cut data at random places."""
    source = random.Random(seed)  # noqa: S311  # a seeded test, no secret
    start = 0
    while start < len(data):
        end = start + source.randint(1, most)
        yield data[start:end]
        start = end


def told(parts: Iterable[Part]) -> list[str]:
    """The keys of the parts."""
    return [entry.response.key for part in parts for entry in part.entries]
