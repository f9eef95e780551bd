"""A thread that owns one connection to the database and runs one job after the other."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from clown_daemon.errors import StoreUnavailableError

T = TypeVar("T")


class Worker:
    """The thread; jobs wait in the order in which they came."""

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._jobs: queue.SimpleQueue[
            tuple[Callable[[], object], Callable[[object, BaseException | None], None]] | None
        ]
        self._jobs = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailableError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: object, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # the job's own result

        def reply(result: object, error: BaseException | None) -> None:
            # The loop may be gone when a daemon was torn down in the middle of a job.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._jobs.put((job, reply))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, reply = item
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001  # handed to the caller, whatever it is
                reply(None, error)
            else:
                reply(result, None)
        self.connection.close()
