"""Reads what is new in log files, in batches of a bounded size; blocking, so it runs in a thread.

The position that a batch answers is always the start of a line: half a line is read again when the rest has come, and
counts once. A file that is another than before (its number changed, its first bytes changed, it shrank) is read again
from its start; what it repeats has the same keys and adds nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from clown_daemon.store.ledger import Response
from clown_daemon.store.usage import Position
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.scanner import LogFile

READ_BYTES = 1024 * 1024
BATCH_BYTES = 4 * 1024 * 1024
BATCH_RESPONSES = 2000
"""One batch is one transaction and at most one event a profile."""
FINGERPRINT_BYTES = 256


class Part(NamedTuple):
    """What was read of one file in one go."""

    path: str
    responses: tuple[Response, ...]
    position: Position
    """Where to go on once the responses are kept."""


class Batch(NamedTuple):
    """Some parts, to be written in one transaction; files that told nothing new are left out."""

    parts: tuple[Part, ...]
    files_done: int
    """Since the start of the tailer, like the two below."""
    bytes_done: int
    lines_broken: int

    @property
    def full(self) -> bool:
        """Whether it holds as much as one transaction should."""
        return sum(len(part.responses) for part in self.parts) >= BATCH_RESPONSES

    def followed_by(self, later: "Batch") -> "Batch":
        """This one and the next of the same tailer, in one transaction."""
        return later._replace(parts=self.parts + later.parts)


class Tailer:
    """Reads a number of files to their ends.

    Attributes:
        files_total: how many of the files have to be read at all.
        bytes_total: how much there is to read, as of the scan.
        problems: one sentence for each file that could not be read.
    """

    def __init__(
        self, files: Sequence[LogFile], positions: Mapping[str, Position], *, suspicious: bool = False
    ) -> None:
        """Choose what to read.

        Args:
            files: as the scan found them, in the order to read them in.
            positions: how far each was read before.
            suspicious: also open files whose size tells nothing new; for files that are known to have changed.
        """
        self._known = dict(positions)
        todo = [file for file in files if suspicious or _is_new(file, positions.get(file.path))]
        self.files_total = len(todo)
        self.bytes_total = sum(_bytes_left(file, positions.get(file.path)) for file in todo)
        self.problems: list[str] = []
        self._files_done = 0
        self._bytes_done = 0
        self._lines_broken = 0
        self._reading = self._read_all(todo)

    def next_batch(self) -> Batch | None:
        """Read on; None when everything was read."""
        parts: list[Part] = []
        size, responses = self._bytes_done, 0
        for part in self._reading:
            if part.responses or part.position != self._known.get(part.path):
                self._known[part.path] = part.position
                parts.append(part)
                responses += len(part.responses)
            if self._bytes_done - size >= BATCH_BYTES or responses >= BATCH_RESPONSES:
                break
        if not parts and self._bytes_done == size:
            return None
        return Batch(tuple(parts), self._files_done, self._bytes_done, self._lines_broken)

    def _read_all(self, files: Sequence[LogFile]) -> Iterator[Part]:
        for file in files:
            try:
                with Path(file.path).open("rb", buffering=0) as stream:
                    yield from self._read(file, stream)
            except FileNotFoundError:
                pass  # Agents delete their old logs; what was read of it is kept.
            except OSError as error:
                self.problems.append(f"the log {file.path} cannot be read: {error.strerror}")
            self._files_done += 1

    def _read(self, file: LogFile, stream: BinaryIO) -> Iterator[Part]:
        head = stream.read(FINGERPRINT_BYTES)
        start = _start(file, self._known.get(file.path), head)
        stream.seek(start)
        parser = ClaudeParser()
        fed = 0
        while data := stream.read(READ_BYTES):
            responses = parser.feed(data)
            fed += len(data)
            self._bytes_done += len(data)
            yield self._part(file, start + fed - parser.pending_bytes, head, responses)
        self._lines_broken += parser.lines_broken
        if unfinished := parser.unfinished():
            yield self._part(file, start + fed - parser.pending_bytes, head, unfinished)

    @staticmethod
    def _part(file: LogFile, offset: int, head: bytes, responses: Sequence[Response]) -> Part:
        position = Position(file.inode, offset, _fingerprint(head, offset), file.profile)
        return Part(file.path, tuple(responses), position)


def _is_new(file: LogFile, position: Position | None) -> bool:
    return position is None or file.inode != position.inode or file.size != position.offset


def _bytes_left(file: LogFile, position: Position | None) -> int:
    if position is None or file.inode != position.inode or file.size < position.offset:
        return file.size
    return file.size - position.offset


def _start(file: LogFile, position: Position | None, head: bytes) -> int:
    if position is None or file.inode != position.inode or file.size < position.offset:
        return 0
    return position.offset if _fingerprint(head, position.offset) == position.fingerprint else 0


def _fingerprint(head: bytes, offset: int) -> bytes:
    """Tell the first bytes of a file without keeping them: they may be part of a prompt."""
    return hashlib.blake2b(head[: min(FINGERPRINT_BYTES, offset)], digest_size=16).digest()
