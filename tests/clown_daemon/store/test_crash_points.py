"""One mutation, interrupted everywhere: either the change and its event exist, or neither."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.store.database import open_database
from tests.support import faulty_io
from tests.support.crash_points import BEFORE, KINDS, create, something_else

pytestmark = pytest.mark.xdist_group("crash points")
"""The points are tried once for all tests of this file."""

FRAME = 24 + 4096
"""A frame of the write-ahead log: its header and a page."""
WAL_HEADER = 32
STRIDE = 61
"""The frames before the last one are cut at every so many bytes; their headers at every byte."""

BEGINNING = [[number, "ProxyError"] for number in range(1, BEFORE + 1)]
CREATED = [BEFORE + 1, "ProfileCreated"]
INSTEAD = [BEFORE + 1, "ProxyError"]
NEXT = [BEFORE + 2, "ProxyError"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every point left behind."""
    folder = tmp_path_factory.mktemp("points")
    library = faulty_io.compiled(folder)
    environ = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        **faulty_io.environment(library, folder / "state", folder / "full"),
    }
    command = [sys.executable, "-m", "tests.support.crash_points", str(folder)]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return list(json.loads(done.stdout))


def of_kind(outcomes: list[dict[str, Any]], kind: tuple[str, int, int, bool]) -> list[dict[str, Any]]:
    names = ("scenario", "mode", "error", "lives_on")
    return [found for found in outcomes if tuple(found["point"][name] for name in names) == kind]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
def test_every_write_and_sync_of_a_mutation_may_fail(
    outcomes: list[dict[str, Any]], kind: tuple[str, int, int, bool]
) -> None:
    scenario, mode, _, lives_on = kind
    points = of_kind(outcomes, kind)
    assert len(points) > (20 if scenario == "checkpoint" else 8), "the mutation writes more than that"
    assert [found["point"]["call"] for found in points] == list(range(1, len(points) + 1))
    assert [found["reached"] for found in points] == [True] * (len(points) - 1) + [False]
    for found in points:
        assert (found["check"], found["same_log"]) == ("ok", True), found
        assert found["killed"] == (mode != faulty_io.FAIL and found["reached"]), found
        events = found["events"]
        assert events[:BEFORE] == BEGINNING, found
        assert found["head"] == len(events) == events[-1][0], found
        assert found["profile_exists"] == (CREATED in events), "both or neither"
        assert all(event in events for event in found["announced"]), "what clients were told stays"
        if lives_on:
            # The next change got the number of the refused one, and nothing of that is left in the log.
            expected = [INSTEAD] if found["refused"] else [CREATED, NEXT]
            assert events[BEFORE:] == found["announced"] == expected, found
        else:
            assert events[BEFORE:] in ([], [CREATED]), found
    refused = [found for found in points if found["refused"]]
    assert bool(refused) == (mode == faulty_io.FAIL)
    assert {found["profile_exists"] for found in points} == {True, False}, "points before and after the commit"


def test_a_change_whose_sync_failed_may_come_back_after_a_kill_and_then_it_comes_with_its_event(
    outcomes: list[dict[str, Any]],
) -> None:
    """It was refused and never announced; its number was not used for anything else."""
    died = [found for found in of_kind(outcomes, KINDS[0]) if found["refused"]]
    (back,) = (found for found in died if found["profile_exists"])
    assert back["events"] == [*BEGINNING, CREATED]
    assert back["announced"] == []


# -- the log, cut -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cut_log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """The files of a database that was killed after a mutation, and from where to where its frames go."""
    folder = tmp_path_factory.mktemp("wal")

    async def make() -> tuple[int, int]:
        database = await open_database(folder / "live.db", ManualClock())
        for _ in range(BEFORE):
            await database.write(something_else)
        wal = folder / "live.db-wal"
        start = await asyncio.to_thread(_used, wal)
        await database.write(create)
        end = await asyncio.to_thread(_used, wal)
        await asyncio.to_thread(shutil.copy, folder / "live.db", folder / "cut.db")
        await asyncio.to_thread(shutil.copy, wal, folder / "cut.db-wal")
        await database.close()
        return start, end

    start, end = asyncio.run(make())
    return folder / "cut.db", start, end


def _used(wal: Path) -> int:
    return wal.stat().st_size


def cuts(start: int, end: int) -> Iterator[int]:
    """Lengths of the log, from the whole one down: all of the last frame, the others as `STRIDE` says."""
    for length in range(end, start - 1, -1):
        inside = (length - WAL_HEADER) % FRAME
        if length >= end - FRAME or inside <= 24 or inside % STRIDE == 0:
            yield length


def test_a_log_that_was_cut_at_any_byte_has_both_or_neither(cut_log: tuple[Path, int, int]) -> None:
    file, start, end = cut_log
    assert (end - start) % FRAME == 0
    assert (end - start) // FRAME >= 3, "the mutation is several frames"
    tried = 0
    for length in cuts(start, end):
        os.truncate(f"{file}-wal", length)
        # A connection that may not write leaves the log as it is for the next cut.
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        numbers = [row[0] for row in connection.execute("SELECT seq FROM events ORDER BY seq")]
        head = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()[0]
        profiles = connection.execute("SELECT count(*) FROM profiles").fetchone()[0]
        check = connection.execute("PRAGMA quick_check").fetchone()[0]
        connection.close()
        whole = length == end
        assert (profiles, head, check) == (int(whole), BEFORE + whole, "ok"), length
        assert numbers == list(range(1, head + 1)), length
        tried += 1
    assert tried > FRAME
