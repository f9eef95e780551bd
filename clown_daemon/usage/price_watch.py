"""The prices as they are now: files are read again when they have changed, and what had no price gets one.

Each look costs two calls of the kernel. What was priced before keeps its cost: a ledger that changes what last month
cost is none.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.usage.price_files import Fingerprint, PriceFiles, load_prices
from clown_daemon.usage.pricing import PriceList

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class PriceWatch:
    """Knows the prices.

    Args:
        files: where a user's own are.
        changed: called with the prices after a change; what it could not write is tried again.

    Attributes:
        problems: what does not work, one sentence each.
    """

    def __init__(self, files: PriceFiles, changed: Callable[[PriceList], Awaitable[None]]) -> None:
        self.problems: tuple[str, ...] = ()
        self._files = files
        self._changed = changed
        self._prices: PriceList | None = None
        self._seen: Fingerprint | None = None

    async def current(self) -> PriceList:
        """Answer the prices."""
        return self._prices or await self._load()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read the files again if they are others than before."""
        if self._prices is None or await asyncio.to_thread(self._files.fingerprint) == self._seen:
            return
        before = self._seen
        prices = await self._load()
        logger.info("prices were read again")
        try:
            await self._changed(prices)
        except StoreUnavailableError as error:
            logger.warning("what had no price has none yet: %s", error)
            self._seen = before  # the next look finds the change once more

    async def _load(self) -> PriceList:
        # Taken first: what changes meanwhile is found by the next look.
        self._seen = await asyncio.to_thread(self._files.fingerprint)
        prices, self.problems = await asyncio.to_thread(load_prices, self._files)
        self._prices = prices
        return prices
