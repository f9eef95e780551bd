"""Connections to the database file: how they are set up, the schema they find, and which errors mean what."""

import sqlite3
from importlib import resources
from pathlib import Path

from clown_daemon.errors import StartError
from clown_daemon.store import usage_keys

WAL_BYTES = 8 * 1024 * 1024
"""What a write-ahead log that grew past this (behind a long read) is cut back to at its next start over."""

CACHE_BYTES = 32 * 1024 * 1024
"""What of the file a connection may keep in memory: the keys of the ledger are all over their index."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OUTAGE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
    }
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or make it, as every part of the daemon uses it.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    # The connection is made on one thread and used on one other; never on two at once.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Possible in a new file only: what the pruned log leaves can be given back page by page.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        # FULL: with NORMAL a power loss could take back an event that a client has seen, and use its number again.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # What is gathered for one write or one report is small, and must not need a disk with space.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{CACHE_BYTES // 1024}")
        # A page that does not fit together is an error, and never a guess.
        connection.execute("PRAGMA cell_size_check = ON")
        if path.stat().st_mode & 0o777 != 0o600:  # only then: it counts as a change of the file
            path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, *, to: int | None = None) -> None:
    """Bring the schema up to date, or only up to a version.

    Raises:
        StartError: a newer Clown wrote it.
        sqlite3.Error: it cannot be read or written.
    """
    scripts = sorted(
        (entry for entry in resources.files("clown_daemon.store.migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(scripts):
        raise StartError(
            f"the database was written by a newer Clown (schema {done}, this one knows {len(scripts)})",
            hint="upgrade Clown, or set CLOWN_HOME to another folder",
        )
    usage_keys.register(connection)
    for number, script in enumerate(scripts[done:to], start=done + 1):
        connection.executescript(f"BEGIN;\n{script.read_text('utf-8')}\nPRAGMA user_version = {number};\nCOMMIT;")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is wrong, so that trying again is of no use."""
    return _primary(error) in _DAMAGE


def is_outage(error: sqlite3.Error) -> bool:
    """Whether the machine refuses now (disk full, disk broken, no permission) and may not later."""
    return _primary(error) in _OUTAGE


def _primary(error: sqlite3.Error) -> int:
    # The module's own errors have no code; the lowest byte of SQLite's is the kind, the rest says more of it.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
