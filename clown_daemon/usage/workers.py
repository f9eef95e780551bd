"""Worker processes that read logs: started, kept busy, replaced when they die, and ended.

They live for one import. A worker is given its next job before its last one is done, so that it never waits for the
daemon; it is asked for no more than `Jobs` has room for.
"""

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import AsyncIterator

from clown_daemon.usage import frames
from clown_daemon.usage.frames import HEAD, Setup, framed
from clown_daemon.usage.jobs import Job, Jobs
from clown_daemon.usage.pricing import Table

logger = logging.getLogger(__name__)

JOBS_EACH = 2
PIPE_BYTES = 256 * 1024
"""How much is taken out of a worker's pipe before it is wanted."""
END_SECONDS = 1.0
"""How long a worker that has nothing left to do may take to end."""
PROGRAM = (sys.executable, "-P", "-m", "clown_daemon.usage.worker")


class _StartFailedError(Exception):
    """A worker did not come as far as its first job."""


@contextlib.asynccontextmanager
async def open_workers(prices: tuple[Table, ...], *, count: int) -> AsyncIterator[Jobs]:
    """Start workers that do jobs; they end with the block, at once if it leaves something undone.

    Args:
        prices: what responses are priced by; the first table that knows a model decides.
        count: how many.
    """
    jobs = Jobs(count)
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        serving = [group.create_task(_serve(jobs, prices), name=f"usage.worker.{n}") for n in range(count)]
        try:
            yield jobs
        except Exception as error:  # noqa: BLE001  # raised below: the group would wrap it
            failure = error
        if jobs.idle and failure is None:
            await jobs.close()
        else:
            for task in serving:
                task.cancel()
    if failure is not None:
        raise failure


async def _serve(jobs: Jobs, prices: tuple[Table, ...]) -> None:
    """Keep one worker busy; start another one when it dies."""
    try:
        while (job := await jobs.next(wait=True)) is not None:
            given = deque([job])
            try:
                async with _started(prices) as worker:
                    await _keep_busy(worker, jobs, given)
            except _StartFailedError as error:
                logger.warning("logs cannot be read in processes of their own: %s", error)
                await jobs.put_back(given)
                return
            except (asyncio.IncompleteReadError, ConnectionError):
                logger.warning("a process that reads logs died; what it did not tell is read again")
                await jobs.died(given)
    finally:
        await jobs.leave()


async def _keep_busy(worker: asyncio.subprocess.Process, jobs: Jobs, given: deque[Job]) -> None:
    """Give jobs to a worker and keep what it answers, until there are no more.

    Args:
        worker: it is ready.
        jobs: where they come from.
        given: those that it has; the first one to begin with.

    Raises:
        IncompleteReadError: the worker died.
    """
    assert worker.stdin is not None
    assert worker.stdout is not None
    _give(worker.stdin, given[0])
    while given:
        while len(given) < JOBS_EACH and (job := await jobs.next(wait=False)) is not None:
            given.append(job)
            _give(worker.stdin, job)
        await jobs.room_for(given[0])
        length, finished = HEAD.unpack(await worker.stdout.readexactly(HEAD.size))
        await jobs.keep(given[0], finished, await worker.stdout.readexactly(length))
        if not given[0].to_come:
            given.popleft()
        if not given and (job := await jobs.next(wait=True)) is not None:
            given.append(job)
            _give(worker.stdin, job)


def _give(stdin: asyncio.StreamWriter, job: Job) -> None:
    # Nobody waits for this pipe to be emptied: the worker may be waiting for us in the other one.
    stdin.write(framed(frames.Job(tuple(job.tasks))))


@contextlib.asynccontextmanager
async def _started(prices: tuple[Table, ...]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a worker and wait until it is ready; it ends with the block.

    Raises:
        _StartFailedError: it cannot be started, or ended at once.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*PROGRAM, stdin=pipe, stdout=pipe, limit=PIPE_BYTES)
    except OSError as error:
        raise _StartFailedError(error.strerror) from error
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(framed(Setup(prices)))
        try:
            length, _ = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
            await process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _StartFailedError("one ended at once") from None
        yield process
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        # What nobody wants any more would keep the pipe open, and with it the process from being told to have ended.
        await process.stdout.read()
        await process.wait()
