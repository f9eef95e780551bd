"""Logs in jobs, given to several workers at once, and what they answer in the order of the logs.

The order matters: the first importer owns a response, so what an import records must not depend on who was faster. What
is answered before its turn waits here undecoded, of a bounded number of jobs and with a bounded size; beyond that the
worker waits. What a worker did not answer before it died is read again by another, log by log, and a log over which
two died is left alone and said.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence

from clown_daemon.usage.backlog import bytes_left
from clown_daemon.usage.frames import decode_answer, encode
from clown_daemon.usage.reader import Answer, Task, Unreadable

JOB_BYTES = 8 * 1024 * 1024
JOB_TASKS = 64
JOBS_AHEAD = 64
"""How many jobs may be under way or wait for their turn."""
HELD_BYTES = 1024 * 1024
"""How much a job may hold that was not taken yet, and one frame more."""
HELD_BYTES_IN_ALL = 16 * 1024 * 1024
"""From here on no other job is given out."""
DEATHS_OF_ONE_LOG = 2
"""Then the log is left alone."""


class WorkersGoneError(Exception):
    """There are no workers any more.

    Attributes:
        left: what is to be read in another way.
    """

    def __init__(self, left: tuple[Task, ...]) -> None:
        self.left = left
        super().__init__(f"{len(left)} logs are not read")


class Job:
    """Some logs that one worker reads; its answers wait here for their turn."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = list(tasks)
        """Those that were not taken to their ends."""
        self.frames: deque[tuple[int, bytes]] = deque()
        self.held_bytes = 0
        self.to_come = len(tasks)
        """How many of the logs no frame has finished yet."""
        self.deaths = 0

    def keep(self, finished: int, frame: bytes) -> None:
        """Keep an answer of the worker, undecoded."""
        self.frames.append((finished, frame))
        self.held_bytes += len(frame)
        self.to_come -= finished

    def take(self) -> Answer:
        """Take the next answer; if the rest has to be read again, it is from behind this one."""
        finished, frame = self.frames.popleft()
        self.held_bytes -= len(frame)
        answer = decode_answer(frame)
        del self.tasks[:finished]
        for part in answer.parts:
            if self.tasks and part.path == self.tasks[0].file.path:
                self.tasks[0] = self.tasks[0]._replace(known=part.position)
        return answer

    def begin_again(self) -> None:
        """Drop what was not taken yet: it is read again."""
        self.frames.clear()
        self.held_bytes = 0
        self.to_come = len(self.tasks)

    def give_up(self) -> None:
        """Leave the only log alone and say so."""
        file = self.tasks[0].file
        sentence = f"the log {file.path} is not read: two processes that read it died"
        self.keep(1, encode(Answer((), (Unreadable(file.source, file.path, sentence),), 1)))


class Jobs:
    """All jobs in their order: not given out yet, and under way or waiting to be taken.

    Args:
        servers: how many give jobs to workers; each says so when it ends (`leave`).
    """

    def __init__(self, servers: int) -> None:
        self._servers = servers
        self._waiting: deque[Job] = deque()
        self._open: deque[Job] = deque()
        """Given out and not taken wholly; it is the turn of the first."""
        self._again: deque[Job] = deque()
        """Those of the open ones that nobody works on."""
        self._closed = False
        self._changed = asyncio.Condition()

    @property
    def served(self) -> bool:
        """Whether anybody gives jobs to a worker."""
        return self._servers > 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do and nothing to take."""
        return not (self._open or self._waiting)

    # -- whoever wants logs read

    async def read(self, tasks: Sequence[Task]) -> AsyncGenerator[Answer, None]:
        """Have logs read; answer in their order. One at a time.

        Raises:
            WorkersGoneError: there is more to read, and nobody who does.
        """
        async with self._changed:
            self._waiting.extend(_cut(tasks))
            self._changed.notify_all()
        while True:
            async with self._changed:
                await self._changed.wait_for(self._knows_next)
                if not (self._open and self._open[0].frames):
                    break
                answer = self._take()
                self._changed.notify_all()
            yield answer
        if not self.idle:
            raise WorkersGoneError(tuple(task for job in (*self._open, *self._waiting) for task in job.tasks))

    async def close(self) -> None:
        """Tell the servers that there will be no more jobs."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _knows_next(self) -> bool:
        """Whether there is something to take, or there will be nothing any more."""
        return bool(self._open and self._open[0].frames) or not self._servers or self.idle

    def _take(self) -> Answer:
        job = self._open[0]
        answer = job.take()
        if not (job.frames or job.to_come):
            self._open.popleft()
        return answer

    # -- whoever has a worker

    async def next(self, *, wait: bool) -> Job | None:
        """Give out a job; None when there is none now, or, having waited, never again."""
        async with self._changed:
            while not (self._again or (self._waiting and self._has_room())):
                if not wait or self._closed:
                    return None
                await self._changed.wait()
            if self._again:
                return self._again.popleft()
            job = self._waiting.popleft()
            self._open.append(job)
            return job

    def _has_room(self) -> bool:
        held = sum(job.held_bytes for job in self._open)
        return len(self._open) < JOBS_AHEAD and held < HELD_BYTES_IN_ALL

    async def room_for(self, job: Job) -> None:
        """Wait until a job may hold another frame."""
        async with self._changed:
            await self._changed.wait_for(lambda: job.held_bytes < HELD_BYTES)

    async def keep(self, job: Job, finished: int, frame: bytes) -> None:
        """Keep an answer of a job's worker."""
        async with self._changed:
            job.keep(finished, frame)
            self._changed.notify_all()

    async def put_back(self, jobs: Sequence[Job]) -> None:
        """Take back jobs that nobody began."""
        async with self._changed:
            self._again.extendleft(reversed(jobs))
            self._changed.notify_all()

    async def died(self, jobs: Sequence[Job]) -> None:
        """Have jobs done again whose worker died over the first of them."""
        async with self._changed:
            for job in jobs:
                job.begin_again()
            first, *others = jobs
            first.deaths += 1
            if len(first.tasks) > 1:
                others = [*self._split(first), *others]
            elif first.deaths < DEATHS_OF_ONE_LOG:
                others = [first, *others]
            else:
                first.give_up()
            self._again.extendleft(reversed(others))
            self._changed.notify_all()

    async def leave(self) -> None:
        """Note that a server has ended."""
        async with self._changed:
            self._servers -= 1
            self._changed.notify_all()

    def _split(self, job: Job) -> list[Job]:
        """Make a job of each log, to find out which one kills."""
        singles = [Job([task]) for task in job.tasks]
        place = self._open.index(job)
        self._open.remove(job)
        for single in reversed(singles):
            self._open.insert(place, single)
        return singles


def _cut(tasks: Sequence[Task]) -> Iterator[Job]:
    """Cut logs into jobs of a bounded size."""
    some: list[Task] = []
    size = 0
    for task in tasks:
        some.append(task)
        size += bytes_left(task)
        if size >= JOB_BYTES or len(some) >= JOB_TASKS:
            yield Job(some)
            some, size = [], 0
    if some:
        yield Job(some)
