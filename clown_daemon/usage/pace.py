"""How often usage is written: at most four transactions a second, so that a profile has at most four updates a second.

Every transaction that changes totals tells so in the same breath, or a snapshot would know more than the events. So the
events are folded by folding the transactions: what is read meanwhile goes into the next one, and nothing is held back
that was promised to be on the disk.
"""

import asyncio
import time

APART_SECONDS = 0.26
"""A little more than a quarter: the events carry wall time, which may run slower than the clock that is waited by."""


class Pace:
    """Keeps transactions apart, from begin to begin."""

    def __init__(self) -> None:
        self._next = float("-inf")

    @property
    def free(self) -> bool:
        """Whether the next one may begin now."""
        return time.monotonic() >= self._next

    async def wait(self) -> None:
        """Wait until it may begin."""
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))

    def began(self, at: float) -> None:
        """One that changed totals began at this monotonic second, on the writer's thread, where it waited its turn."""
        self._next = at + APART_SECONDS
