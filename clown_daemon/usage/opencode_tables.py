"""The tables of OpenCode's database that matter: messages of both generations, sessions, ends of steps.

All values come as bytes. Messages come without those of users where a column before the message tells them apart:
OpenCode 2 keeps whole conversations in its messages, and what is not asked for is not read from the disk.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.opencode import Session, Tokens, bill, read_answer, read_message, read_step
from clown_daemon.usage.formats.parser import read_damaged, short

LARGEST_VALUE_BYTES = 16 * 1024 * 1024
"""A larger row is not read: it must not fill the memory."""

MESSAGES = "message"
"""Until OpenCode 2, which leaves it as it was."""
ANSWERS = "session_message"
"""Since OpenCode 2."""

_COLUMNS = {
    MESSAGES: {"id", "session_id", "time_updated", "data"},
    ANSWERS: {"id", "session_id", "type", "time_updated", "data"},
}
_SESSIONS = ("session_v2", "session")
"""The later generation first."""
_SESSION_COLUMNS = {"id", "directory", "parent_id", "version"}
_PART_COLUMNS = {"message_id", "data"}
_ERA_OF_STEPS = b"0."
"""Until version 1 a message could be several responses, each the end of a step, and tells the tokens of the last."""


class Row(NamedTuple):
    """A message, or what is known of one that cannot be read."""

    number: int
    id: bytes
    session: object = None
    written_ms: object = None
    data: object = None


class Tables:
    """What an open database holds; see `prepare`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Look which tables there are.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        self._connection = connection
        self._sessions: dict[bytes, tuple[Session, bool]] = {}
        """Each with whether its messages may have several steps."""
        found = {name: self._columns(name) for name in (*_COLUMNS, *_SESSIONS, "part")}
        self.names = tuple(name for name, needed in _COLUMNS.items() if found[name] >= needed)
        """Those with messages, in the order in which they are to be read."""
        self.odd = tuple(name for name in _COLUMNS if found[name] and name not in self.names)
        """Those that should have messages, and have another shape."""
        self._session_tables = [name for name in _SESSIONS if found[name] >= _SESSION_COLUMNS]
        self._has_parts = found["part"] >= _PART_COLUMNS
        self._conditions = {MESSAGES: "1", ANSWERS: "type = 'assistant'"}
        if MESSAGES in self.names:
            # What OpenCode 2 took over from before is read where it came from: that still tells what its output holds.
            taken_over = "EXISTS (SELECT 1 FROM message WHERE message.id = session_message.id)"
            self._conditions[ANSWERS] += f" AND NOT {taken_over}"

    def _columns(self, table: str) -> set[str]:
        rows = self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return {name.decode() for (name,) in rows}

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all; OpenCode has just begun."""
        return self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None

    # -- messages

    def id_of(self, table: str, number: int) -> bytes | None:
        """Answer the id of a row; None if there is no such row."""
        sql = f"SELECT id FROM {table} WHERE rowid = ?"  # noqa: S608  # our own name
        row = self._connection.execute(sql, (number,)).fetchone()
        return None if row is None else row[0]

    def rows_after(self, table: str, number: int, most: int) -> Iterator[Row]:
        """Answer the rows behind one, in their order."""
        while most > 0:
            try:
                for row in self._select(table, "rowid > ? ORDER BY rowid LIMIT ?", number, most):
                    number, most = row.number, most - 1
                    yield row
            except sqlite3.DataError:
                # One is too large, the next or, since SQLite is asked a row ahead, the one behind it.
                number, most = self._number_after(table, number), most - 1
                yield from self._row(table, number)
            else:
                return

    def rows(self, table: str, numbers: Iterable[int]) -> Iterator[Row]:
        """Answer some rows, as far as they are still there."""
        for number in numbers:
            yield from self._row(table, number)

    def _row(self, table: str, number: int) -> Iterator[Row]:
        try:
            yield from self._select(table, "rowid = ?", number)
        except sqlite3.DataError:  # too large
            yield Row(number, self.id_of(table, number) or b"")

    def numbers_written(self, table: str, since_ms: int, *, after: int, until: int) -> list[int]:
        """Answer which rows among some were written since an instant."""
        which = f"{self._conditions[table]} AND rowid > ? AND rowid <= ? AND time_updated >= ?"
        sql = f"SELECT rowid FROM {table} WHERE {which}"  # noqa: S608  # our own names
        return [number for (number,) in self._connection.execute(sql, (after, until, since_ms))]

    def _select(self, table: str, condition: str, *values: int) -> Iterator[Row]:
        columns, which = "rowid, id, session_id, time_updated, data", self._conditions[table]
        sql = f"SELECT {columns} FROM {table} WHERE {which} AND {condition}"  # noqa: S608  # our own names
        return map(Row._make, self._connection.execute(sql, values))

    def _number_after(self, table: str, number: int) -> int:
        which = self._conditions[table]
        sql = f"SELECT min(rowid) FROM {table} WHERE {which} AND rowid > ?"  # noqa: S608  # our own names
        [(following,)] = self._connection.execute(sql, (number,))
        return int(following)

    # -- what they say

    def bill(self, table: str, row: Row) -> tuple[list[Response], bool]:
        """Answer what a row bills, and whether that may be still to come.

        Raises:
            ValueError: it cannot be read (`msgspec.DecodeError` is one).
        """
        if not (isinstance(row.data, bytes) and isinstance(row.session, bytes)):
            raise ValueError("a row without a message")  # noqa: TRY004  # as when it cannot be decoded
        message = read_damaged(read_answer if table == ANSWERS else read_message, row.data)
        if message is None:
            return [], False
        session, has_steps = self._session(row.session)
        steps = list(self._steps(row.id)) if has_steps else []
        if steps:
            billed = [bill(message, session, step, steps[:place].count(step)) for place, step in enumerate(steps)]
        else:
            billed = [bill(message, session)]
        return [response for response in billed if response is not None], message.unfinished

    def _session(self, session_id: bytes) -> tuple[Session, bool]:
        known = self._sessions.get(session_id)
        if known is None:
            known = self._sessions[session_id] = self._find_session(session_id)
        return known

    def _find_session(self, session_id: bytes) -> tuple[Session, bool]:
        name = short(_text(session_id))
        for table in self._session_tables:
            sql = f"SELECT directory, parent_id, version FROM {table} WHERE id = CAST(? AS TEXT)"  # noqa: S608  # our own
            row = self._connection.execute(sql, (session_id,)).fetchone()
            if row is not None:
                directory, parent, version = row
                has_steps = self._has_parts and isinstance(version, bytes) and version.startswith(_ERA_OF_STEPS)
                return Session(name, short(_text(directory)) or None, subagent=parent is not None), has_steps
        return Session(name), False

    def _steps(self, message_id: bytes) -> Iterator[Tokens]:
        sql = "SELECT data FROM part WHERE message_id = CAST(? AS TEXT) ORDER BY rowid"
        for (data,) in self._connection.execute(sql, (message_id,)):
            if isinstance(data, bytes) and (tokens := read_damaged(read_step, data)) is not None:
                yield tokens


def prepare(connection: sqlite3.Connection) -> Tables:
    """Set a connection up as `Tables` reads with it, and look which tables there are.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    connection.text_factory = bytes  # one bad byte in a message must not hide its tokens
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE_BYTES)
    return Tables(connection)


def _text(value: object) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None
