"""The event log: numbers events, keeps them, reads them back.

`seq` grows by one per event across all types and is never reused; `log` names the log, is random, and stays through
restarts and `kill -9`. Only the writer thread appends, so the next number is known before the insert and an event is
encoded exactly once, with its number in it.
"""

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import EventData, Resource, profile_of


class EncodedEvent(NamedTuple):
    """An event as it is stored and sent."""

    seq: int
    type: str
    profile: str | None
    body: bytes
    """JSON, UTF-8."""


class EventLog:
    """Appends to the log; used on the writer thread alone."""

    def __init__(self, log: str, head: int) -> None:
        self.log = log
        self._head = head
        self._committed = head

    @property
    def head(self) -> int:
        """The number of the newest event that is committed."""
        return self._committed

    def append(
        self, connection: sqlite3.Connection, data: EventData, resource: Resource | None, *, at_ms: int
    ) -> EncodedEvent:
        """Number, encode and insert one event in the caller's transaction."""
        seq = self._head + 1
        body = codec.encode_event(data, resource, seq=seq, log=self.log, at_ms=at_ms)
        event = EncodedEvent(seq, type(data).__name__, profile_of(data), body)
        connection.execute(
            "INSERT INTO events (seq, type, profile, at_ms, body) VALUES (?, ?, ?, ?, ?)",
            (event.seq, event.type, event.profile, at_ms, event.body),
        )
        self._head = seq
        return event

    def keep(self) -> None:
        """Go on from here: what was appended is committed."""
        self._committed = self._head

    def forget_uncommitted(self) -> None:
        """Go back to the committed head after a failure: nobody has seen the numbers in between.

        The database is not asked: what made the change fail may make that fail too.
        """
        self._head = self._committed


def read_identity(connection: sqlite3.Connection) -> str:
    """The name of the log, as of the read transaction."""
    return str(connection.execute("SELECT log FROM log_identity").fetchone()["log"])


def read_head(connection: sqlite3.Connection) -> int:
    """The number of the newest event ever recorded, 0 before the first; right also when all events were pruned."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return 0 if row is None else int(row["seq"])


def read_floor(connection: sqlite3.Connection) -> int:
    """The number below the oldest event that is still kept: reading after it misses nothing."""
    row = connection.execute("SELECT min(seq) AS oldest FROM events").fetchone()
    return read_head(connection) if row["oldest"] is None else int(row["oldest"]) - 1


def read_after(
    connection: sqlite3.Connection,
    seq: int,
    *,
    limit: int,
    types: Collection[str] | None = None,
    profile: str | None = None,
    most_bytes: int | None = None,
) -> list[EncodedEvent]:
    """Events with a number above `seq`, oldest first, at most `limit`, narrowed by type and profile if given.

    With `most_bytes` the answer ends with the event whose body passes it.
    """
    where = ["seq > ?"]
    values: list[object] = [seq]
    if types is not None:
        where.append(f"type IN ({', '.join('?' * len(types))})")
        values.extend(sorted(types))
    if profile is not None:
        where.append("profile = ?")
        values.append(profile)
    rows = connection.execute(
        f"SELECT seq, type, profile, body FROM events WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?",  # noqa: S608  # only placeholders are joined
        (*values, limit),
    )
    found: list[EncodedEvent] = []
    size = 0
    for row in rows:
        found.append(EncodedEvent(row["seq"], row["type"], row["profile"], row["body"]))
        size += len(row["body"])
        if most_bytes is not None and size > most_bytes:
            break
    return found
