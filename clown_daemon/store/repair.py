"""Damage: how it is found, and how a daemon starts all the same.

The damaged file is moved aside, never overwritten. A new one is built beside it first, with what could be saved, so
that a crash at any moment leaves either the damaged file in its place or a complete new one to be put there.
"""

import contextlib
import logging
import sqlite3
import time
from pathlib import Path

from clown_daemon.errors import StartError
from clown_daemon.store.connection import connect, is_damage
from clown_daemon.store.salvage import Saved, salvage

CHECK_BYTES = 64 * 1024 * 1024
"""Up to this size a start looks at every page (100 ms measured); larger files are looked at while the daemon works."""
PARTS = ("", "-wal", "-shm")
"""What SQLite keeps beside a file belongs to it."""

logger = logging.getLogger(__name__)


class DamageError(Exception):
    """The file cannot be used; the text says why, as the end of a sentence."""


def look_for_damage(connection: sqlite3.Connection, *, thorough: bool = False) -> str | None:
    """Look at every page and say what is wrong, or None; `thorough` also compares the indexes with their tables.

    Raises:
        sqlite3.Error: it cannot be read for another reason.
    """
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found == "ok" and thorough:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        found = str(error)
    return None if found == "ok" else str(found).removeprefix("*** in database main ***\n")


def refuse_damage(connection: sqlite3.Connection, *, thorough: bool) -> None:
    """Do nothing if every page is as it should be.

    Raises:
        DamageError: one is not.
        sqlite3.Error: it cannot be read for another reason.
    """
    found = look_for_damage(connection, thorough=thorough)
    if found is not None:
        raise DamageError(found)


def finish_repair(path: Path) -> None:
    """Put a rebuilt database in its place, if a crash came between."""
    rebuilt = _rebuilt(path)
    if rebuilt.exists() and not path.exists():
        logger.warning("putting the rebuilt database in its place")
        rebuilt.rename(path)


def repair(path: Path, reason: str) -> str:
    """Move a damaged database aside, put a new one in its place, and answer the sentence for everybody to see.

    Raises:
        StartError: the folder does not let us.
    """
    logger.error("the database %s is damaged: %s", path, reason)
    try:
        saved = _rebuild(path)
        aside = _move_aside(path)
        _rebuilt(path).rename(path)
    except (OSError, sqlite3.Error) as error:
        raise StartError(
            f"the database {path} is damaged ({reason}) and cannot be moved aside: {error}",
            hint="check the folder's permissions and free space, or move it away yourself",
        ) from error
    sentence = _sentence(aside, reason, saved)
    logger.error("%s", sentence)
    return sentence


def _rebuild(path: Path) -> Saved:
    rebuilt = _rebuilt(path)
    for part in PARTS:
        Path(f"{rebuilt}{part}").unlink(missing_ok=True)
    with contextlib.closing(connect(rebuilt)) as connection:
        return salvage(path, connection)


def _move_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = (path.with_name(f"{path.name}.damaged-{stamp}{extra}") for extra in ("", *(f"-{n}" for n in range(2, 100))))
    aside = next(name for name in names if not name.exists())
    for part in reversed(PARTS):  # the file itself last: until then the next start finds the damage again
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{part}").rename(f"{aside}{part}")
    return aside


def _sentence(aside: Path, reason: str, saved: Saved) -> str:
    if not any(saved[:3]):
        kept = "nothing could be saved of it; the folders of profiles are left alone"
    else:
        kept = f"{saved.profiles} profiles, {saved.runs} runs and {saved.usage_records} usage records were saved" + (
            "" if saved.whole else ", others could not be read"
        )
    return f"the database was damaged ({reason}) and is now {aside.name}; {kept}; the event history begins anew"


def _rebuilt(path: Path) -> Path:
    return path.with_name(f"{path.name}.rebuilt")
