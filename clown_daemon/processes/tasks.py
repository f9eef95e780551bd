"""Named tasks that live as long as the object that started them, not as long as a block of code.

A TaskGroup ends with its block and cancels all when one fails; a run's watcher must do neither: it outlives the request
that started it, and its failure must not end the watchers of other runs. Every task is kept, named, logged when it
fails, and waited for in `close`.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from clown_daemon.errors import ClownError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class TaskScope:
    """The tasks of one object; its owner closes it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Begin work that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, work: Coroutine[Any, Any, T], *, name: str) -> T:
        """Do work to its end even if the caller is cancelled meanwhile, and answer its result."""
        return await asyncio.shield(self.start(work, name=name))

    async def close(self, timeout_seconds: float) -> None:
        """Wait for the tasks, then cancel those that are left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in self._tasks:
            logger.warning("%s did not end in time", task.get_name())
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        # Refusals are for the caller, who has them; the rest is a fault of ours.
        if error is not None and not isinstance(error, ClownError):
            logger.error("%s failed", task.get_name(), exc_info=error)
