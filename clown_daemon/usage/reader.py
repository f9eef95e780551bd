"""Reads what is new in one log; blocking. The same code runs in a thread of the daemon and in its workers.

The position that is answered is always the start of a line: half a line is read again when the rest has come, and
counts once. A file that is another than before (it shrank, its first bytes or those before the offset are others) is
read again from its start; what it repeats has the same keys and adds nothing. A file that only got another name or
number is not.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from clown_daemon.store.ledger import Costs, Entry, Response, merge
from clown_daemon.store.positions import Position
from clown_daemon.usage.pages import UnreadablePagesError
from clown_daemon.usage.project_marker import marked_project
from clown_daemon.usage.sources import KINDS, Document, Lines, LogFile, Pages

READ_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
PART_ENTRIES = 500
"""One part stays together: it is kept in one transaction, with its position."""
FINGERPRINT_BYTES = 256
NOT_DONE = -1
"""The size of a log in a position in its middle: whatever size it has, there is more to read."""
LARGEST_DOCUMENT_BYTES = 64 * 1024 * 1024
"""A larger document is not read: it must not fill the memory."""

ANSWER_ENTRIES = 250
"""What is answered together is decoded by the daemon in about a millisecond."""
ANSWER_BYTES_READ = 4 * 1024 * 1024
"""How much may be read before anybody hears of it."""

Price = Callable[[Response], Costs | None]


class Task(NamedTuple):
    """A log to read on."""

    file: LogFile
    known: Position | None
    """How far it was read before."""
    provider: str | None
    """Who bills the profile that the log belongs to; the log itself decides unless given."""


class Part(NamedTuple):
    """What was read of one log in one go."""

    source: str
    path: str
    entries: tuple[Entry, ...]
    """Every response once, priced."""
    position: Position
    """Where to go on once the entries are kept."""
    bytes_read: int
    lines_broken: int
    """How many more lines than before could not be read."""


class Unreadable(NamedTuple):
    """A log that could not be read."""

    source: str
    path: str
    sentence: str


class Answer(NamedTuple):
    """What came of reading some logs, or of a part of one; in the order of the logs."""

    parts: tuple[Part, ...]
    unreadable: tuple[Unreadable, ...]
    finished: int
    """How many logs were read to their ends since the answer before."""


class UnreadableError(Exception):
    """A log cannot be read; the sentence says why."""


def read_logs(tasks: Iterable[Task], price: Price) -> Iterator[Answer]:
    """Read logs one after the other; what is small is answered together, and the end always."""
    parts: list[Part] = []
    unreadable: list[Unreadable] = []
    finished = 0
    for task in tasks:
        try:
            for part in read_log(task, price):
                parts.append(part)
                if _is_much(parts):
                    yield Answer(tuple(parts), tuple(unreadable), finished)
                    parts, unreadable, finished = [], [], 0
        except UnreadableError as error:
            unreadable.append(Unreadable(task.file.source, task.file.path, str(error)))
        finished += 1
    yield Answer(tuple(parts), tuple(unreadable), finished)


def _is_much(parts: list[Part]) -> bool:
    return (
        sum(len(part.entries) for part in parts) >= ANSWER_ENTRIES
        or sum(part.bytes_read for part in parts) >= ANSWER_BYTES_READ
    )


def read_log(task: Task, price: Price) -> Iterator[Part]:
    """Read a log to the end that it has now; nothing is answered when nothing is new.

    Raises:
        UnreadableError: it cannot be opened, or is none.
    """
    path, reading = task.file.path, KINDS[task.file.kind].reading
    if isinstance(reading, Pages):
        yield from _read_pages(task, reading, price)
        return
    try:
        # A pipe that took the file's place must not keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return  # agents delete their old logs; what was read of it is kept
    except OSError as error:
        raise UnreadableError(f"the log {path} cannot be read: {error.strerror}") from error
    try:
        yield from _Log(task, reading, descriptor, price).read()
    except OSError as error:
        raise UnreadableError(f"the log {path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


class _Log:
    """One open log."""

    def __init__(self, task: Task, reading: Lines | Document, descriptor: int, price: Price) -> None:
        self._task = task
        self._whole = isinstance(reading, Document)
        self._descriptor = descriptor
        self._price = price
        self._status = os.fstat(descriptor)
        self._head = os.pread(descriptor, FINGERPRINT_BYTES, 0) if stat.S_ISREG(self._status.st_mode) else b""
        known = self._recognised()
        self._start = known.offset if known else 0
        self._lines_broken = known.lines_broken if known else 0
        self._parser = reading.parser(known.state if known else b"")

    def read(self) -> Iterator[Part]:
        path = self._task.file.path
        if not stat.S_ISREG(self._status.st_mode):
            raise UnreadableError(f"{path} is no file, and is not read")
        if self._whole and self._status.st_size > LARGEST_DOCUMENT_BYTES:
            limit = LARGEST_DOCUMENT_BYTES // 2**20
            raise UnreadableError(f"the log {path} is larger than {limit} MiB, and is not read")
        last = self._task.known
        for responses, position, bytes_read in self._read_on():
            broken = position.lines_broken - (last.lines_broken if last else 0)
            if responses or position != last:
                entries = tuple(_priced(self._task, self._placed(responses), self._price))
                yield Part(self._task.file.source, path, entries, position, bytes_read, max(0, broken))
            last = position

    def _placed(self, responses: list[Response]) -> list[Response]:
        """Answer them with their project, where a file above the log tells it."""
        marker = KINDS[self._task.file.kind].project_marker
        if marker is None or not responses:
            return responses
        project = marked_project(Path(self._task.file.path), marker)
        return [one if one.project else one._replace(project=project) for one in responses]

    def _read_on(self) -> Iterator[tuple[list[Response], Position, int]]:
        """Answer responses, how far that is, and how many bytes it took; at least once, for the end."""
        parser = self._parser
        fed = told = 0
        left = self._status.st_size - self._start
        seen = self._before(self._start)
        responses: list[Response] = []
        os.lseek(self._descriptor, self._start, os.SEEK_SET)
        # What is appended meanwhile is for the next time: a log that grows must not keep the others waiting.
        while left > 0 and (data := os.read(self._descriptor, min(READ_BYTES, left))):
            fed += len(data)
            left -= len(data)
            responses += parser.feed(data)
            seen = _end(seen, data, FINGERPRINT_BYTES + parser.pending_bytes)
            if len(responses) >= PART_ENTRIES or fed - told >= PART_BYTES:
                yield responses, self._position(fed, seen, done=False), fed - told
                responses, told = [], fed
        responses += parser.unfinished()
        yield responses, self._position(fed, seen, done=True), fed - told

    def _position(self, fed: int, seen: bytes, *, done: bool) -> Position:
        pending = self._parser.pending_bytes
        offset = self._start + fed - pending
        return Position(
            inode=self._status.st_ino,
            offset=offset,
            fingerprint=_fingerprint(self._head, offset, seen[: len(seen) - pending]),
            profile=self._task.file.profile,
            state=self._parser.state(),
            size=self._status.st_size if done else NOT_DONE,
            modified_ns=self._status.st_mtime_ns,
            lines_broken=self._lines_broken + self._parser.lines_broken,
        )

    def _recognised(self) -> Position | None:
        """Answer where to go on; None: from the start, since it is new or another one, or always read whole."""
        known = self._task.known
        if known is None or self._whole or self._status.st_size < known.offset:
            return None
        now = _fingerprint(self._head, known.offset, self._before(known.offset))
        return known if now == known.fingerprint else None

    def _before(self, offset: int) -> bytes:
        start = max(0, offset - FINGERPRINT_BYTES)
        return os.pread(self._descriptor, offset - start, start)


def _read_pages(task: Task, reading: Pages, price: Price) -> Iterator[Part]:
    """Have a file read by its own reader, which knows by its state where to go on."""
    file, known = task.file, task.known
    reached = Position(file.inode, 0, b"", file.profile) if known is None else known._replace(inode=file.inode)
    last = known
    try:
        for page in reading.read(Path(file.path), reached.state):
            broken = reached.lines_broken + page.rows_broken
            reached = reached._replace(state=page.state, size=NOT_DONE, lines_broken=broken)
            entries = tuple(_priced(task, page.responses, price))
            yield Part(file.source, file.path, entries, reached, 0, page.rows_broken)
            last = reached
    except UnreadablePagesError as error:
        raise UnreadableError(str(error)) from error
    # As it was before it was read: what is written meanwhile is for the next time.
    end = reached._replace(offset=file.size, profile=file.profile, size=file.size, modified_ns=file.modified_ns)
    if end != last:
        yield Part(file.source, file.path, (), end, max(0, file.size - reached.offset), 0)


def _priced(task: Task, responses: Iterable[Response], price: Price) -> Iterator[Entry]:
    """Answer each response once, although a log may tell it several times."""
    provider, profile = task.provider, task.file.profile
    folded: dict[str, Response] = {}
    for response in responses:
        kept = folded.setdefault(response.key, response)
        if kept is not response:
            merged = merge(Entry(kept, None, profile), Entry(response, None, profile))
            folded[response.key] = merged.response
    for response in folded.values():
        billed = response if provider is None else response._replace(provider=provider)
        yield Entry(billed, price(billed), profile)


def _end(before: bytes, data: bytes, length: int) -> bytes:
    """Answer the last bytes of both together."""
    return data[-length:] if len(data) >= length else (before + data)[-length:]


def _fingerprint(head: bytes, offset: int, before: bytes) -> bytes:
    """Tell the first bytes and those before an offset without keeping them: they may be part of a prompt."""
    told = head[: min(FINGERPRINT_BYTES, offset)] + before[-FINGERPRINT_BYTES:]
    return hashlib.blake2b(told, digest_size=16).digest()
