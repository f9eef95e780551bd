"""Background tasks that must not end are kept running, and what does not work is said where everybody sees it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from clown_daemon.errors import ClownError
from clown_daemon.facts import DaemonFacts

LOOK_SECONDS = 2
"""How often the daemon looks whether what it says of its own health is still true."""
RETRY_SECONDS = (1, 5, 30, 60)
"""How long a background task that failed rests before it runs again; the last one repeats."""

logger = logging.getLogger(__name__)


class Health:
    """The daemon's own health.

    Args:
        facts: where problems are published.
        sources: each answers what does not work in one part, one sentence a problem.
    """

    def __init__(self, facts: DaemonFacts, sources: Sequence[Callable[[], tuple[str, ...]]]) -> None:
        self._facts = facts
        self._sources = sources
        self._failed: dict[str, str] = {}

    async def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run the work for ever; when it fails, say so where everybody sees it, rest, and run it again."""
        failures = 0
        while True:
            try:
                self._failed.pop(name, None)
                await work()
            except ClownError as error:
                logger.warning("%s stopped and is tried again: %s", name, error)
                self._failed[name] = f"{name} stopped and is tried again: {error}"
            except Exception as error:  # its cause is logged and shown; one part must not end the daemon
                logger.exception("%s failed", name)
                self._failed[name] = f"{name} stopped ({type(error).__name__}); it is tried again"
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def watch(self) -> None:
        """Publish what does not work whenever it changes."""
        while True:
            problems = (*(sentence for source in self._sources for sentence in source()), *self._failed.values())
            await self._facts.record_problems(problems)
            await asyncio.sleep(LOOK_SECONDS)
