"""The identity of the log: kept through restarts and kills, new when the log may not be the one that clients saw.

A client resumes by the name of the log and a number. Were a restored database to go on under its old name, its new
events would get numbers that clients have seen on other events, and nobody would notice. So the name is kept only
when everything speaks for it; a new name costs each client one snapshot. Events recorded under the former name stay,
and numbers go on from the head.
"""

import logging
import secrets
import sqlite3
from pathlib import Path

from clown_daemon.store.event_log import read_head
from clown_daemon.store.witness import Statement, Witness

logger = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000


def doubt(
    *, log: str, head: int, inode: int | None, file_inode: int, file_changed_ns: int | None, told: Statement | None
) -> str | None:
    """Say why a database is not, or may not be, the one that was used last; None when nothing speaks against it. Pure.

    Args:
        log: the name in the database.
        head: the newest number in it.
        inode: of the file it was used in; None when a Clown without this rule made it.
        file_inode: of the file it is in.
        file_changed_ns: when that file last changed, as the kernel tells it; None when it was not there.
        told: what the witness says.
    """
    if inode is None:
        return None
    if inode != file_inode:
        return "it is a copy"
    if told is None:
        return "nothing beside it tells how far it had come"
    return _contradiction(told, log, head, file_changed_ns)


def _contradiction(told: Statement, log: str, head: int, file_changed_ns: int | None) -> str | None:
    if told.log != log:
        return "another one was used here since"
    if head < told.head:
        return f"it went back from event {told.head} to event {head}"
    if told.closed_ns is not None and not _same_instant(told.closed_ns, file_changed_ns):
        return "it was written after the daemon had closed it"
    return None


def _same_instant(noted_ns: int, found_ns: int | None) -> bool:
    # Some file systems keep whole seconds once the file has left the memory.
    return noted_ns == found_ns or (
        found_ns is not None and found_ns % _SECOND_NS == 0 and noted_ns // _SECOND_NS == found_ns // _SECOND_NS
    )


def settle_identity(
    connection: sqlite3.Connection, path: Path, witness: Witness, *, changed_ns: int | None
) -> Statement:
    """Keep the log's name, or give it a new one; answer what the witness says from now on.

    Args:
        connection: to the database.
        path: its file.
        witness: beside it.
        changed_ns: when the file last changed before this process opened it; None when there was none.

    Raises:
        sqlite3.Error: the database cannot be written.
        OSError: the witness cannot be written.
    """
    inode = path.stat().st_ino
    row = connection.execute("SELECT log, inode FROM log_identity").fetchone()
    head = read_head(connection)
    if row is None:
        log = _rename(connection, inode)
    else:
        log = str(row["log"])
        reason = doubt(
            log=log,
            head=head,
            inode=row["inode"],
            file_inode=inode,
            file_changed_ns=changed_ns,
            told=witness.told,
        )
        if reason is not None:
            former, log = log, _rename(connection, inode)
            logger.warning(
                "the database is not surely the one that was used last (%s), so its log is now %s, not %s:"
                " clients take a new snapshot",
                reason,
                log,
                former,
            )
        elif row["inode"] is None:
            connection.execute("UPDATE log_identity SET inode = ?", (inode,))
    statement = Statement(log=log, head=head)
    witness.tell(statement)
    return statement


def _rename(connection: sqlite3.Connection, inode: int) -> str:
    log = secrets.token_hex(8)
    connection.execute("INSERT OR REPLACE INTO log_identity (only_row, log, inode) VALUES (1, ?, ?)", (log, inode))
    return log
