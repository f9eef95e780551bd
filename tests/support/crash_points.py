"""Every point of one mutation at which a process can die or its disk can refuse.

`python -m tests.support.crash_points FOLDER` runs with `faulty_io` loaded. Each point is a fork that opens a prepared
database, makes one change with one write or sync failing or fatal, and ends as a killed process ends. What it left is
then looked at by this process. Prints what it found as JSON: one object a point.
"""

import asyncio
import ctypes
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clown_daemon.clock import ManualClock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.events import ProfileCreated, ProxyError
from clown_daemon.store.database import Transaction, open_database
from clown_daemon.store.event_log import EncodedEvent
from clown_daemon.store.opening import open_file
from clown_daemon.store.profiles import NewProfile, insert_profile, read_profile
from tests.support.faulty_io import COUNT, FAIL, KILL_BEFORE, KILL_HALFWAY

BEFORE = 3
"""How many events there are before the mutation."""
MOST_CALLS = 200
"""Only ends a run that would never end."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One kind of failure at one call."""

    scenario: str
    """`log`: the change goes into the write-ahead log. `checkpoint`: a checkpoint follows in the same commit."""
    mode: int
    error: int
    lives_on: bool
    """Whether the process makes another change after the one that failed."""
    call: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a point left behind."""

    point: Point
    reached: bool
    """Whether the mutation has that many calls at all."""
    killed: bool
    refused: bool
    announced: list[tuple[int, str]]
    """Numbers and types that clients were told."""
    profile_exists: bool
    events: list[tuple[int, str]]
    head: int
    check: str
    same_log: bool


def create(transaction: Transaction) -> None:
    """The mutation: a profile and its event."""
    profile = NewProfile(
        alias="work",
        agent_id="claude",
        provider_id="anthropic",
        endpoint_id=None,
        model="m" * 200,
        home="/home/dev/work",
        has_api_key=False,
    )
    insert_profile(transaction.connection, profile, now_ms=transaction.now_ms)
    created = ProfileCreated(alias="work", agent_id="claude", provider_id="anthropic", model=None)
    transaction.record(created, read_profile(transaction.connection, "work"))


def something_else(transaction: Transaction) -> None:
    """Another, smaller change: it is given the number of the one that was refused."""
    transaction.record(ProxyError(profile="other", error="e"), None)


class Bench:
    """One database that is put back into the same files before each point, so that it stays the same log."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "state" / "clown.db"
        self._told = folder / "told.json"
        self.file.parent.mkdir()
        made = _in_fork(self._told, self._make)
        assert not made["killed"], "the preparation itself failed"
        self.log = made["log"]
        # As a killed daemon leaves it: the write-ahead log holds frames, and the witness tells of no end.
        self._whole = {path: path.read_bytes() for path in self.file.parent.iterdir() if not path.name.endswith("-shm")}

    def _make(self) -> None:
        async def make() -> None:
            database = await open_database(self.file, ManualClock())
            for _ in range(BEFORE):
                await database.write(something_else)
            self._told.write_text(json.dumps({"log": database.log}))

        asyncio.run(make())

    def try_point(self, point: Point) -> Outcome:
        """Let the mutation meet its fate in a fork, and look at what is there afterwards."""
        for path in self.file.parent.iterdir():
            if path not in self._whole:
                path.unlink()
        for path, data in self._whole.items():
            # A clean end takes the write-ahead log away; the database itself has to stay the same file.
            with path.open("r+b" if path.exists() else "wb") as stream:
                stream.truncate(0)
                stream.write(data)
        told = _in_fork(self._told, lambda: self._meet(point))
        opened = open_file(self.file)
        try:
            rows = opened.reader.execute("SELECT seq, type FROM events ORDER BY seq").fetchall()
            return Outcome(
                point=point,
                reached=told["killed"] or told["calls"] >= point.call,
                killed=told["killed"],
                refused=told.get("refused", False),
                announced=[tuple(event) for event in told.get("announced", [])],
                profile_exists=read_profile(opened.reader, "work") is not None,
                events=[(row["seq"], row["type"]) for row in rows],
                head=opened.statement.head,
                check=opened.reader.execute("PRAGMA integrity_check").fetchone()[0],
                same_log=opened.statement.log == self.log and not opened.notices,
            )
        finally:
            opened.reader.close()
            opened.writer.close()
            opened.witness.close()

    def _meet(self, point: Point) -> None:
        library = ctypes.CDLL(None)
        told: dict[str, Any] = {"announced": []}

        def keep(events: Sequence[EncodedEvent]) -> None:
            # Noted at once: what was announced counts, however soon the process dies.
            told["announced"] += [(event.seq, event.type) for event in events]
            self._told.write_text(json.dumps(told))

        async def mutate() -> None:
            database = await open_database(self.file, ManualClock(), keep)
            if point.scenario == "checkpoint":
                writer = database._writer
                await writer.run(lambda: writer.connection.execute("PRAGMA wal_autocheckpoint = 1").fetchone())
            library.faulty_arm(point.call, point.mode, point.error)
            try:
                await database.write(create)
            except StoreUnavailableError:
                told["refused"] = True
            told["calls"] = library.faulty_calls()
            library.faulty_arm(0, COUNT, 0)
            if point.lives_on:
                await database.write(something_else)
            self._told.write_text(json.dumps(told))

        asyncio.run(mutate())


def _in_fork(told: Path, work: Callable[[], None]) -> dict[str, Any]:
    """Do work in a fork that ends as a killed process does; answer what it told, and whether it was killed before."""
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise RuntimeError("a point failed by itself")
    found = json.loads(told.read_bytes()) if told.exists() else {}
    return {**found, "killed": os.WIFSIGNALED(status)}


KINDS = (
    ("log", FAIL, errno.EIO, False),
    ("log", FAIL, errno.EIO, True),
    ("log", FAIL, errno.ENOSPC, True),
    ("log", KILL_BEFORE, 0, False),
    ("log", KILL_HALFWAY, 0, False),
    ("checkpoint", FAIL, errno.EIO, True),
    ("checkpoint", KILL_BEFORE, 0, False),
    ("checkpoint", KILL_HALFWAY, 0, False),
)


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Try every kind at the first call, the second, and so on, until the mutation is through before it."""
    bench = Bench(folder)
    for scenario, mode, error, lives_on in KINDS:
        for call in range(1, MOST_CALLS):
            point = Point(scenario=scenario, mode=mode, error=error, lives_on=lives_on, call=call)
            outcome = bench.try_point(point)
            yield outcome
            if not outcome.reached:
                break
        else:
            raise RuntimeError(f"there is no end to {scenario}")


if __name__ == "__main__":
    print(json.dumps([asdict(outcome) for outcome in outcomes(Path(sys.argv[1]))]))  # noqa: T201  # what it is for
