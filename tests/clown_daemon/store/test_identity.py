"""When the log keeps its name, and when it gets a new one; on real files, handled as people handle them."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import read_after, read_head, read_identity
from clown_daemon.store.identity import doubt
from clown_daemon.store.witness import Statement

TOLD = Statement(log="l", head=5, closed_ns=1_000_000_007)


@pytest.mark.parametrize(
    ("told", "head", "inode", "changed_ns", "reason"),
    [
        (TOLD, 5, 1, 1_000_000_007, None),
        (Statement(log="l", head=5), 5, 1, 99, None),
        (Statement(log="l", head=3), 5, 1, 99, None),
        (TOLD, 5, 1, 1_000_000_000, None),
        (None, 5, None, 99, None),
        (TOLD, 5, 2, 1_000_000_007, "it is a copy"),
        (None, 5, 1, 99, "nothing beside it"),
        (Statement(log="other", head=5), 5, 1, 99, "another one was used"),
        (TOLD, 4, 1, 1_000_000_007, "back from event 5 to event 4"),
        (TOLD, 5, 1, 1_000_000_008, "after the daemon had closed it"),
        (TOLD, 5, 1, 2_000_000_000, "after the daemon had closed it"),
    ],
    ids=[
        "a restart",
        "a kill",
        "a power loss",
        "a file system with whole seconds",
        "made by an older Clown",
        "a copy",
        "no witness",
        "another log",
        "back in time",
        "written by somebody",
        "written by somebody, whole seconds",
    ],
)
def test_the_name_is_kept_only_when_nothing_speaks_against_it(
    told: Statement | None, head: int, inode: int | None, changed_ns: int, reason: str | None
) -> None:
    found = doubt(log="l", head=head, inode=inode, file_inode=1, file_changed_ns=changed_ns, told=told)
    assert (found is None) == (reason is None)
    assert (reason or "") in (found or "")


class Home:
    """A folder with a database that is used and left alone by turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "clown.db"
        self.head_file = folder / "clown.db.head"

    async def open(self) -> Database:
        return await open_database(self.file, ManualClock())

    async def use(self, events: int = 3) -> tuple[str, int]:
        """Record events as one daemon's life; answer the log's name and head."""
        database = await self.open()
        for _ in range(events):
            await database.write(lambda transaction: transaction.record(ProxyError(profile="b", error="e"), None))
        head = await database.read(read_head)
        assert await database.read(read_identity) == database.log
        await database.close()
        return database.log, head

    def write_in_place(self, source: Path) -> None:
        """Put a backup back as `cp` does: into the same file."""
        with self.file.open("r+b") as target:
            target.truncate()
            target.write(source.read_bytes())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


async def test_restarts_keep_it(home: Home) -> None:
    names = {(await home.use(count))[0] for count in (3, 0, 1, 0)}
    assert len(names) == 1


LIFE = """
import asyncio, os, signal, sys
from pathlib import Path
from clown_daemon.clock import SystemClock
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store.database import open_database

async def main():
    database = await open_database(Path(sys.argv[1]), SystemClock("UTC"))
    for _ in range(int(sys.argv[2])):
        await database.write(lambda one: one.record(ProxyError(profile="b", error="e"), None))
    print(database.log, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def live_and_be_killed(home: Home, events: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(home.file), str(events)],
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.decode().strip()


async def test_a_kill_keeps_it_before_and_after_the_first_event(home: Home) -> None:
    log, _ = await home.use()
    assert live_and_be_killed(home, 0) == log
    assert live_and_be_killed(home, 5) == log
    assert await home.use() == (log, 11)


async def test_a_witness_that_is_behind_keeps_it(home: Home) -> None:
    home.file.touch()
    home.file.unlink()
    log = live_and_be_killed(home, 2)
    before = home.head_file.read_bytes()
    assert live_and_be_killed(home, 2) == log
    home.head_file.write_bytes(before)
    assert await home.use() == (log, 7)


def _remove(home: Home) -> None:
    home.head_file.unlink()


def _garble(home: Home) -> None:
    home.head_file.write_bytes(os.urandom(256))


def _empty(home: Home) -> None:
    home.head_file.write_bytes(b"")


@pytest.mark.parametrize("spoil", [_remove, _garble, _empty])
async def test_without_a_witness_it_is_new_once(
    home: Home, spoil: Callable[[Home], None], caplog: pytest.LogCaptureFixture
) -> None:
    log, head = await home.use()
    spoil(home)
    with caplog.at_level(logging.WARNING):
        renamed, kept = await home.use(0)
    assert renamed != log
    assert kept == head, "numbers go on"
    assert "clients take a new snapshot" in caplog.text
    assert log in caplog.text
    assert (await home.use())[0] == renamed


async def test_events_under_the_former_name_stay_and_keep_it(home: Home) -> None:
    log, _ = await home.use()
    _remove(home)
    renamed, head = await home.use(1)
    database = await home.open()
    kept = await database.read(lambda connection: read_after(connection, 0, limit=99))
    await database.close()
    assert head == 4
    assert [event.seq for event in kept] == [1, 2, 3, 4]
    assert [log.encode() in event.body for event in kept] == [True, True, True, False]
    assert renamed.encode() in kept[-1].body


@pytest.mark.parametrize("more", [0, 2], ids=["nothing happened since", "two events since"])
async def test_a_backup_that_is_put_back_has_a_new_name(home: Home, tmp_path: Path, more: int) -> None:
    log, _ = await home.use()
    shutil.copy(home.file, tmp_path / "backup.db")
    assert (await home.use(more))[0] == log
    home.write_in_place(tmp_path / "backup.db")
    restored, head = await home.use(0)
    assert restored != log
    assert head == 3
    assert (await home.use())[0] == restored


async def test_a_backup_of_the_whole_folder_that_is_put_back_in_place_has_a_new_name(
    home: Home, tmp_path: Path
) -> None:
    log, _ = await home.use()
    shutil.copytree(home.folder, tmp_path / "backup")
    assert (await home.use(4))[0] == log
    # Everything goes back in time together, also the witness; the file is the same one to the file system.
    home.write_in_place(tmp_path / "backup" / "clown.db")
    home.head_file.write_bytes((tmp_path / "backup" / "clown.db.head").read_bytes())
    times = (tmp_path / "backup" / "clown.db").stat()
    os.utime(home.file, ns=(times.st_atime_ns, times.st_mtime_ns))
    restored, head = await home.use(0)
    assert restored != log
    assert head == 3


async def test_a_copy_of_the_whole_folder_is_another_log_and_the_original_keeps_its_own(
    home: Home, tmp_path: Path
) -> None:
    log, _ = await home.use()
    shutil.copytree(home.folder, tmp_path / "copy")
    copy = Home(tmp_path / "copy")
    copied, head = await copy.use(0)
    assert copied != log
    assert head == 3
    assert (await copy.use(0))[0] == copied
    assert (await home.use(0))[0] == log


async def test_a_folder_that_is_moved_keeps_it(home: Home, tmp_path: Path) -> None:
    log, _ = await home.use()
    home.folder.rename(tmp_path / "elsewhere")
    assert (await Home(tmp_path / "elsewhere").use(0))[0] == log


async def test_a_database_that_was_removed_is_made_anew(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    log, _ = await home.use()
    home.file.unlink()
    with caplog.at_level(logging.WARNING):
        anew, head = await home.use(0)
    assert anew != log
    assert head == 0
    assert "is gone" in caplog.text


async def test_the_witness_is_for_the_user_alone(home: Home) -> None:
    await home.use()
    assert home.head_file.stat().st_mode & 0o077 == 0
