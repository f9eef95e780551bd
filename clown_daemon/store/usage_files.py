"""How far the agents' logs were read, and how far reading each source has come.

A position commits in the transaction of the responses that were read up to it: that is what makes reading exactly-once.
"""

import sqlite3

import msgspec

from clown_daemon.protocol.resources import UsageImport
from clown_daemon.store.positions import Position


def read_positions(connection: sqlite3.Connection, source: str) -> dict[str, Position]:
    """How far each file of a source was read, by path."""
    rows = connection.execute(
        f"SELECT path, {', '.join(Position._fields)} FROM usage_files WHERE source = ?",  # noqa: S608  # our own names
        (source,),
    )
    return {row[0]: Position(*tuple(row)[1:]) for row in rows}


def put_position(connection: sqlite3.Connection, source: str, path: str, position: Position) -> None:
    """Remember how far a file was read."""
    connection.execute(
        f"INSERT OR REPLACE INTO usage_files (source, path, {', '.join(Position._fields)})"  # noqa: S608  # our own names
        f" VALUES ({', '.join('?' * (len(Position._fields) + 2))})",
        (source, path, *position),
    )


def read_imports(connection: sqlite3.Connection) -> tuple[UsageImport, ...]:
    """How far reading each source has come, sorted by source."""
    rows = connection.execute("SELECT body FROM usage_imports ORDER BY source")
    return tuple(msgspec.json.decode(row["body"], type=UsageImport) for row in rows)


def read_import(connection: sqlite3.Connection, source: str) -> UsageImport | None:
    """How far reading one source has come; None when it never began."""
    return next((found for found in read_imports(connection) if found.source == source), None)


def put_import(connection: sqlite3.Connection, state: UsageImport) -> None:
    """Remember how far reading a source has come."""
    connection.execute(
        "INSERT OR REPLACE INTO usage_imports (source, body) VALUES (?, ?)", (state.source, msgspec.json.encode(state))
    )
