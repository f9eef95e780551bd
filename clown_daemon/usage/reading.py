"""How logs are read for the daemon: much of it in worker processes, little in a thread, by the same code."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Self

from clown_daemon.usage.backlog import bytes_left
from clown_daemon.usage.jobs import Jobs, WorkersGoneError
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.reader import Answer, Price, Task, read_logs
from clown_daemon.usage.workers import open_workers

LARGE_BYTES = 16 * 1024 * 1024
LARGE_LOGS = 400
"""From either on workers are worth their start."""
MOST_WORKERS = 4


def is_large(tasks: Sequence[Task]) -> bool:
    """Whether these logs are better read by workers."""
    return len(tasks) >= LARGE_LOGS or sum(map(bytes_left, tasks)) >= LARGE_BYTES


async def read_in_thread(tasks: Sequence[Task], price: Price) -> AsyncGenerator[Answer, None]:
    """Read logs in their order, without workers."""
    answers = read_logs(tasks, price)
    while (answer := await asyncio.to_thread(next, answers, None)) is not None:
        yield answer


class LogReader:
    """Reads logs; its workers are started when they are first wanted, and end with its block."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._jobs: Jobs | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def read(self, tasks: Sequence[Task], prices: PriceList) -> AsyncGenerator[Answer, None]:
        """Read logs in their order."""
        if self._jobs is None and is_large(tasks):
            count = min(os.cpu_count() or 1, MOST_WORKERS)
            self._jobs = await self._stack.enter_async_context(open_workers(prices.tables, count=count))
        left = tasks
        if self._jobs is not None and self._jobs.served:
            left = ()
            try:
                async with aclosing(self._jobs.read(tasks)) as answers:
                    async for answer in answers:
                        yield answer
            except WorkersGoneError as gone:
                left = gone.left
        async with aclosing(read_in_thread(left, prices.cost)) as answers:
            async for answer in answers:
                yield answer

    async def stop(self) -> None:
        """End the workers, whatever they do."""
        self._jobs = None
        await self._stack.aclose()
