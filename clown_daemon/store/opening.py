"""Opening the database: repaired if it is damaged, migrated, its log's identity settled, two connections ready."""

import contextlib
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from clown_daemon.errors import StartError
from clown_daemon.store.connection import connect, is_damage, migrate
from clown_daemon.store.identity import settle_identity
from clown_daemon.store.repair import CHECK_BYTES, DamageError, finish_repair, refuse_damage, repair
from clown_daemon.store.witness import Statement, Witness

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A database that is ready."""

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    witness: Witness
    statement: Statement
    notices: tuple[str, ...]
    """What everybody should know of how it was opened."""
    checked: bool
    """Whether every page was looked at."""


def open_file(path: Path) -> Opened:
    """Open or create the database; one that is damaged is moved aside and replaced.

    Raises:
        StartError: it cannot be opened, or was written by a newer Clown.
    """
    with contextlib.ExitStack() as opened:
        try:
            finish_repair(path)
            witness = opened.enter_context(contextlib.closing(Witness(path)))
            notices: tuple[str, ...] = ()
            try:
                changed_ns = _look_before(path, witness.told)
                writer, checked = _open_checked(path, witness.told)
            except DamageError as damage:
                notices = (repair(path, str(damage)),)
                changed_ns = None
                writer, checked = _open_checked(path, None)
            opened.enter_context(contextlib.closing(writer))
            statement = settle_identity(writer, path, witness, changed_ns=changed_ns)
            reader = opened.enter_context(contextlib.closing(connect(path)))
            reader.execute("PRAGMA query_only = ON")
        except (sqlite3.DatabaseError, OSError) as error:
            raise StartError(
                f"the database {path} cannot be opened: {error}", hint="check the folder's permissions and free space"
            ) from error
        opened.pop_all()  # the database closes them from here on
    return Opened(writer=writer, reader=reader, witness=witness, statement=statement, notices=notices, checked=checked)


def _look_before(path: Path, told: Statement | None) -> int | None:
    """When the file last changed, before anybody opens it; None when there is none yet.

    Raises:
        DamageError: what is in its place is no file, or an empty one where there was a database.
    """
    try:
        file = path.stat()
    except FileNotFoundError:
        if told is not None:
            logger.warning("the database %s is gone; a new one is made, with a new log", path)
        return None
    if not path.is_file():
        raise DamageError("what is in its place is no file")
    if file.st_size == 0 and told is not None:
        raise DamageError("it is empty")
    return file.st_ctime_ns


def _open_checked(path: Path, told: Statement | None) -> tuple[sqlite3.Connection, bool]:
    """Answer a connection to the migrated database, and whether every page of it was looked at.

    Raises:
        DamageError: it is damaged.
    """
    suspected = told is not None and told.damaged
    try:
        connection = connect(path)
    except sqlite3.DatabaseError as error:
        raise _judged(error) from error
    try:
        checked = suspected or path.stat().st_size <= CHECK_BYTES
        if checked:
            refuse_damage(connection, thorough=suspected)
        if suspected:
            logger.warning("damage was met in the database before, and none is found now")
        migrate(connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _judged(error) from error
    except BaseException:
        connection.close()
        raise
    return connection, checked


def _judged(error: sqlite3.DatabaseError) -> Exception:
    return DamageError(str(error)) if is_damage(error) else error
