"""Writes the ends of runs into books that may refuse them for now: a full disk delays an end, it loses none."""

import asyncio
import logging
from collections.abc import Callable

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.store.database import Database, Transaction

logger = logging.getLogger(__name__)

STORE_RETRY_SECONDS = (0.5, 2.0, 5.0)
"""Rests before the end of a run is written again when the database refuses; the last one repeats until it does not.
While the daemon stops there is one try for each, and then the next boot closes the run."""


class LastWords:
    """The books, for what must get into them.

    Attributes:
        stopping: set it when the daemon stops: what is refused then is left to the next boot.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.stopping = False

    async def write(self, change: Callable[[Transaction], None], what: str, refused: asyncio.Event) -> None:
        """Write until the books take it.

        Args:
            change: what to write.
            what: names it in the log.
            refused: set when they refuse for the first time.

        Raises:
            StoreUnavailableError: they do not take it, and the daemon stops.
        """
        rests = iter(STORE_RETRY_SECONDS)
        while True:
            try:
                return await self._database.write(change)
            except StoreUnavailableError as error:
                logger.warning("%s cannot be written yet: %s", what, error)
                refused.set()
                rest = next(rests, None)
                if rest is None and self.stopping:
                    raise
            await asyncio.sleep(STORE_RETRY_SECONDS[-1] if rest is None else rest)
