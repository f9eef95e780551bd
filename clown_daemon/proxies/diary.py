"""Writes down what happens to proxies, in order, as soon as the database takes it: a full disk stops no proxy."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.store.database import Database, Transaction

logger = logging.getLogger(__name__)

Change = Callable[[Transaction], None]

MOST_WAITING = 1000
"""Changes that are held while the database takes none; the oldest go first, and the next start of the daemon looks."""


class Diary:
    """The changes of all proxies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Change] = deque(maxlen=MOST_WAITING)
        self._writing = asyncio.Lock()

    async def write(self, change: Change) -> None:
        """Write a change down after those that wait; it waits itself where the database takes none."""
        self._waiting.append(change)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Write down what waits, as far as the database takes it."""
        async with self._writing:
            while self._waiting:
                change = self._waiting[0]
                try:
                    await self._database.write(change)
                except StoreUnavailableError as error:
                    logger.warning("%d changes of proxies wait to be written down: %s", len(self._waiting), error)
                    return
                except BaseException:
                    self._drop(change)  # what fails by itself would fail for ever
                    raise
                self._drop(change)

    def _drop(self, change: Change) -> None:
        # Others may have pushed it out meanwhile.
        if self._waiting and self._waiting[0] is change:
            self._waiting.popleft()
