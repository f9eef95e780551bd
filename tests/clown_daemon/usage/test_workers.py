import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from clown_daemon.usage import jobs, workers
from clown_daemon.usage.jobs import WorkersGoneError
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.reader import Task
from clown_daemon.usage.workers import open_workers
from tests.support.reading import log_file
from tests.support.transcripts import line
from tests.support.waiting import until

PRICES = (shipped_table(),)
DYING = """
import os, signal, sys
from clown_daemon.usage import reader, worker
read = reader.read_log
def read_or_die(task, price):
    if task.file.path.endswith("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(task, price)
reader.read_log = read_or_die
worker.main()
"""


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOB_TASKS", 3)


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    found = []
    for number in range(30):
        path = tmp_path / f"{number:02}"
        path.write_bytes(b"".join(line(f"{number}.{row}", "r") for row in range(20)))
        found.append(Task(log_file(path), None, None))
    return found


def expected(tasks: list[Task], without: int | None = None) -> list[str]:
    return [f"{number}.{row}" for number in range(len(tasks)) if number != without for row in range(20)]


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "clown_daemon.usage.worker" in " ".join(child.cmdline())]


async def test_logs_are_read_by_several_and_told_in_their_order(tasks: list[Task]) -> None:
    async with open_workers(PRICES, count=3) as line_of_jobs:
        for _ in range(2):
            told = [
                entry.response.response_id
                async for answer in line_of_jobs.read(tasks)
                for part in answer.parts
                for entry in part.entries
            ]
            assert told == expected(tasks)
    assert children() == []


async def test_a_worker_that_is_killed_loses_nothing_and_tells_nothing_twice(tasks: list[Task]) -> None:
    told: list[str | None] = []
    async with open_workers(PRICES, count=2) as line_of_jobs:
        async for answer in line_of_jobs.read(tasks):
            if len(told) in {0, 200}:
                for child in children()[:1]:
                    child.kill()
            told += [entry.response.response_id for part in answer.parts for entry in part.entries]
    assert told == expected(tasks)


async def test_a_log_that_kills_its_readers_is_left_alone_and_said(
    tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PROGRAM", (sys.executable, "-c", DYING))
    poisoned = tmp_path / "poison"
    poisoned.touch()
    tasks[7] = Task(log_file(poisoned), None, None)
    told: list[str | None] = []
    sentences: list[str] = []
    async with open_workers(PRICES, count=2) as line_of_jobs:
        async for answer in line_of_jobs.read(tasks):
            told += [entry.response.response_id for part in answer.parts for entry in part.entries]
            sentences += [found.sentence for found in answer.unreadable]
    assert told == expected(tasks, without=7)
    assert sentences == [f"the log {poisoned} is not read: two processes that read it died"]


@pytest.mark.parametrize("program", [("/nothing/there",), (sys.executable, "-c", "pass")])
async def test_where_no_worker_can_be_started_that_is_said(
    program: tuple[str, ...], tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PROGRAM", program)
    async with open_workers(PRICES, count=2) as line_of_jobs:
        with pytest.raises(WorkersGoneError) as gone:
            async for _ in line_of_jobs.read(tasks):
                pass
    assert [task.file.path for task in gone.value.left] == [task.file.path for task in tasks]


async def test_workers_end_at_once_when_what_they_do_is_not_wanted_any_more(tasks: list[Task]) -> None:
    async with open_workers(PRICES, count=2) as line_of_jobs:
        async with contextlib.aclosing(line_of_jobs.read(tasks)) as answers:
            async for _ in answers:
                break
        assert children()
    assert children() == []


async def test_what_the_block_raises_is_raised_as_it_is() -> None:
    with pytest.raises(OSError, match="disk"):
        async with open_workers(PRICES, count=1):
            raise OSError("disk")


async def test_a_daemon_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from clown_daemon.usage.workers import open_workers
from clown_daemon.usage.reader import Task
from tests.support.reading import log_file

async def main():
    async with open_workers((), count=2) as jobs:
        async for answer in jobs.read([Task(log_file(Path({str(tmp_path / "log")!r})), None, None)]):
            print("reading", flush=True)
            await asyncio.sleep(60)

asyncio.run(main())
"""
    (tmp_path / "log").write_bytes(b"".join(line(str(number), "r") for number in range(20_000)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"reading\n"
    orphans = psutil.Process(process.pid).children()
    assert orphans
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await until(lambda: not any(orphan.is_running() for orphan in orphans))
