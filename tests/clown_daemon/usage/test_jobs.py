import asyncio
from collections.abc import Sequence

import pytest

from clown_daemon.store.positions import Position
from clown_daemon.usage import jobs
from clown_daemon.usage.frames import encode
from clown_daemon.usage.jobs import Job, Jobs, WorkersGoneError
from clown_daemon.usage.reader import Answer, Part, Task
from clown_daemon.usage.sources import LogFile
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOB_TASKS", 2)


def tasks(count: int, size: int = 10) -> list[Task]:
    return [
        Task(LogFile("claude", "claude", f"/{number}", "work", number, size, 0), None, None) for number in range(count)
    ]


def part_of(task: Task, offset: int = 10) -> Part:
    return Part("claude", task.file.path, (), Position(0, offset, b"", "work"), 10, 0)


async def finish(line: Jobs, job: Job, read: Sequence[Task] | None = None) -> None:
    read = job.tasks if read is None else read
    await line.keep(job, len(read), encode(Answer(tuple(map(part_of, read)), (), len(read))))


async def take_job(line: Jobs) -> Job:
    job = await line.next(wait=True)
    assert job is not None
    return job


class Wanted:
    """Whoever wants logs read, and what came so far."""

    def __init__(self, line: Jobs, wanted: Sequence[Task]) -> None:
        self.paths: list[str] = []
        self.sentences: list[str] = []
        self.left: tuple[Task, ...] | None = None
        self._reading = asyncio.create_task(self._read(line, wanted))

    async def _read(self, line: Jobs, wanted: Sequence[Task]) -> None:
        try:
            async for answer in line.read(wanted):
                self.paths += [part.path for part in answer.parts]
                self.sentences += [sentence for _, _, sentence in answer.unreadable]
        except WorkersGoneError as gone:
            self.left = gone.left

    async def all(self) -> list[str]:
        async with asyncio.timeout(10):
            await self._reading
        return self.paths


async def test_answers_come_in_the_order_of_the_logs_whoever_was_faster() -> None:
    line = Jobs(2)
    wanted = Wanted(line, tasks(6))
    first, second, third = [await take_job(line) for _ in range(3)]
    await finish(line, third)
    await finish(line, second)
    await asyncio.sleep(0)
    assert wanted.paths == []
    await finish(line, first)
    assert await wanted.all() == [f"/{number}" for number in range(6)]
    assert line.idle


async def test_a_job_is_as_large_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOB_TASKS", 100)
    monkeypatch.setattr(jobs, "JOB_BYTES", 25)
    line = Jobs(1)
    wanted = Wanted(line, tasks(7))
    sizes = []
    for _ in range(3):
        job = await take_job(line)
        sizes.append(len(job.tasks))
        await finish(line, job)
    assert sizes == [3, 3, 1]
    assert len(await wanted.all()) == 7


async def test_no_more_jobs_are_given_out_than_may_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOBS_AHEAD", 2)
    line = Jobs(2)
    wanted = Wanted(line, tasks(6))
    first, second = await take_job(line), await take_job(line)
    assert await line.next(wait=False) is None
    await finish(line, second)
    assert await line.next(wait=False) is None, "the first is not taken yet"
    await finish(line, first)
    third = await take_job(line)
    await finish(line, third)
    assert len(await wanted.all()) == 6


async def test_a_worker_waits_while_its_job_holds_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HELD_BYTES", 1)
    line = Jobs(2)
    wanted = Wanted(line, tasks(4))
    first, second = await take_job(line), await take_job(line)
    await line.room_for(second)
    await finish(line, second, second.tasks[:1])
    waiting = asyncio.create_task(line.room_for(second))
    await asyncio.sleep(0)
    assert not waiting.done()
    await finish(line, first)
    async with asyncio.timeout(10):
        await waiting
    await finish(line, second, second.tasks)
    assert len(await wanted.all()) == 4


async def test_what_a_dead_worker_did_not_tell_is_read_again_from_behind_what_it_told() -> None:
    line = Jobs(1)
    wanted = Wanted(line, tasks(2))
    job = await take_job(line)
    half = part_of(job.tasks[1], offset=5)
    await line.keep(job, 1, encode(Answer((part_of(job.tasks[0]), half), (), 1)))
    await until(lambda: len(wanted.paths) == 2)
    await line.died([job])
    again = await take_job(line)
    assert [(task.file.path, task.known) for task in again.tasks] == [("/1", half.position)]
    await finish(line, again)
    assert await wanted.all() == ["/0", "/1", "/1"]


async def test_the_log_that_kills_is_found_and_left_alone_and_the_others_are_read() -> None:
    line = Jobs(1)
    wanted = Wanted(line, tasks(4))
    deaths = 0
    while not line.idle or not wanted.paths:
        job = await line.next(wait=False)
        if job is None:
            await asyncio.sleep(0)
        elif any(task.file.path == "/1" for task in job.tasks):
            deaths += 1
            await line.died([job])
        else:
            await finish(line, job)
    assert await wanted.all() == ["/0", "/2", "/3"]
    assert wanted.sentences == ["the log /1 is not read: two processes that read it died"]
    assert deaths == 3


async def test_jobs_behind_the_one_that_killed_are_done_again_as_they_are() -> None:
    line = Jobs(1)
    wanted = Wanted(line, tasks(4))
    first, second = await take_job(line), await take_job(line)
    await line.died([first, second])
    singles = [await take_job(line), await take_job(line)]
    assert [task.file.path for job in singles for task in job.tasks] == ["/0", "/1"]
    assert await take_job(line) is second
    for job in (*singles, second):
        await finish(line, job)
    assert await wanted.all() == ["/0", "/1", "/2", "/3"]


async def test_without_workers_what_is_left_is_answered() -> None:
    line = Jobs(2)
    wanted = Wanted(line, tasks(6))
    first, second = await take_job(line), await take_job(line)
    await finish(line, second)
    await finish(line, first)
    third = await take_job(line)
    await line.put_back([third])
    await line.leave()
    assert line.served
    await line.leave()
    assert await wanted.all() == ["/0", "/1", "/2", "/3"]
    assert wanted.left is not None
    assert [task.file.path for task in wanted.left] == ["/4", "/5"]


async def test_several_are_read_one_after_the_other_until_it_is_closed() -> None:
    line = Jobs(1)
    for _ in range(2):
        wanted = Wanted(line, tasks(2))
        await finish(line, await take_job(line))
        assert len(await wanted.all()) == 2
    assert await Wanted(line, []).all() == []
    waiting = asyncio.create_task(line.next(wait=True))
    await asyncio.sleep(0)
    await line.close()
    assert await waiting is None
