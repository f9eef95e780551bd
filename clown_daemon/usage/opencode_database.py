"""OpenCode's database, read while OpenCode writes to it.

The connection is read-only and reads each page in a short transaction of its own: it never waits for OpenCode's, nor
OpenCode for it. New rows are found by their numbers, which no clock can disturb. A row may change after it was first
seen, so unfinished messages are looked at again, and so is what was written lately near the end. The state names the
last row read; when that is another one now, the file was replaced, restored or vacuumed, and is read from its start,
where the keys of what is known add nothing.

SQLite keeps two companions (`-wal`, `-shm`) beside an open database, and leaves them when the last to close it could
only read; OpenCode leaves them itself.
"""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from clown_daemon.store.ledger import Response
from clown_daemon.usage.opencode_tables import Row, Tables, prepare
from clown_daemon.usage.pages import Page, UnreadablePagesError

PAGE_ROWS = 1000
TAIL_ROWS = 1000
"""So near the end, rows are looked at again that were written since a little before the last read."""
OVERLAP_MS = 60_000
MOST_UNFINISHED = 500
"""So many unfinished messages are looked at again, the newest ones: most that stay unfinished were cut off."""
WAIT_SECONDS = 2.0
"""How long a lock of another program is waited for."""

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far a table was read."""

    row: int = 0
    """The number of the last row."""
    id: bytes = b""
    """Its id: a row that has another one is another row."""
    written_ms: int = 0
    """The latest time a row was written."""
    unfinished: tuple[int, ...] = ()
    """The numbers of rows whose messages are."""


def read_rows(path: Path, state: bytes = b"", *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Page]:
    """Read what is new in a database since a state.

    Args:
        path: the database; one that is gone holds nothing new.
        state: of the last page that was kept; from the start unless given.
        wait_seconds: how long a lock of another program is waited for.

    Raises:
        UnreadablePagesError: it cannot be read now, or is none of OpenCode's that Clown knows.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnreadablePagesError(f"OpenCode's database {path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):  # to open a pipe would wait for ever
        raise UnreadablePagesError(f"{path} is no file, and is not read")
    with _translated(path), closing(_connect(path, wait_seconds)) as connection:
        tables = prepare(connection)
        yield from _Reader(connection, tables, _decode(state)).read()
        if (oddity := _oddity(tables)) is not None:
            hint = "its OpenCode is newer than this Clown"
            raise UnreadablePagesError(f"OpenCode's database {path} has {oddity}", hint=hint)


def _oddity(tables: Tables) -> str | None:
    if tables.odd:
        return f"a table `{tables.odd[0]}` of a shape that Clown does not know"
    if not tables.names and not tables.empty:
        return "no table of messages that Clown knows"
    return None


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
            raise UnreadablePagesError(f"OpenCode's database {path} is locked by another program") from error
        raise UnreadablePagesError(f"OpenCode's database {path} cannot be read: {error}") from error


def _connect(path: Path, wait_seconds: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    # Whoever reads a page after the other may do so in another thread each time.
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=wait_seconds, check_same_thread=False)


def _decode(state: bytes) -> dict[str, _Mark]:
    """Read a state; one of an unknown shape stands for the start."""
    try:
        return msgspec.msgpack.decode(state, type=dict[str, _Mark]) if state else {}
    except ValueError:  # `msgspec.DecodeError` is one, and bytes that are no text are another
        return {}


class _Reader:
    """Reads the tables of an open database page by page."""

    def __init__(self, connection: sqlite3.Connection, tables: Tables, marks: dict[str, _Mark]) -> None:
        self._connection = connection
        self._tables = tables
        self._marks = marks

    def read(self) -> Iterator[Page]:
        for table in self._tables.names:
            again, more = True, True
            while more:
                with self._transaction():
                    page, more = self._read_page(table, again=again)
                if page is not None:
                    yield page
                again = False

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:  # some errors end it
                self._connection.execute("ROLLBACK")

    def _read_page(self, table: str, *, again: bool) -> tuple[Page | None, bool]:
        """Read some new rows, and first, if asked to, those that may have changed; answer whether there may be more."""
        known = self._marks.get(table)
        mark = known if known and known.row and self._tables.id_of(table, known.row) == known.id else _Mark()
        reading = _Reading(mark)
        if again:
            for row in self._rows_again(table, mark):
                self._take(table, row, reading)
        rows = 0
        for row in self._tables.rows_after(table, mark.row, PAGE_ROWS):
            self._take(table, row, reading)
            rows += 1
        reached = self._marks[table] = reading.mark()
        if not reading.responses and reached == known:
            return None, False
        page = Page(tuple(reading.responses), msgspec.msgpack.encode(self._marks), reading.broken)
        return page, rows == PAGE_ROWS

    def _rows_again(self, table: str, mark: _Mark) -> Iterator[Row]:
        lately = self._tables.numbers_written(
            table, mark.written_ms - OVERLAP_MS, after=mark.row - TAIL_ROWS, until=mark.row
        )
        return self._tables.rows(table, sorted({*mark.unfinished, *lately}))

    def _take(self, table: str, row: Row, reading: "_Reading") -> None:
        try:
            responses, unfinished = self._tables.bill(table, row)
        except ValueError:  # what cannot be decoded is one
            reading.note_broken(row)
        else:
            reading.note(row, responses, unfinished=unfinished)


class _Reading:
    """What came of a page's rows so far."""

    def __init__(self, mark: _Mark) -> None:
        self.responses: list[Response] = []
        self.broken = 0
        self._known_until = mark.row
        self._last = mark.row, mark.id
        self._written_ms = mark.written_ms
        self._unfinished = set(mark.unfinished)

    def note(self, row: Row, responses: list[Response], *, unfinished: bool) -> None:
        self.responses += responses
        self._pass(row)
        if unfinished:
            self._unfinished.add(row.number)

    def note_broken(self, row: Row) -> None:
        """Note a row that cannot be read; one that was broken before is not counted again."""
        self.broken += row.number > self._known_until or row.number in self._unfinished
        self._pass(row)

    def mark(self) -> _Mark:
        number, row_id = self._last
        return _Mark(number, row_id, self._written_ms, tuple(sorted(self._unfinished)[-MOST_UNFINISHED:]))

    def _pass(self, row: Row) -> None:
        self._unfinished.discard(row.number)
        if row.number > self._last[0]:
            self._last = row.number, row.id
        if isinstance(row.written_ms, int):
            self._written_ms = max(self._written_ms, row.written_ms)
