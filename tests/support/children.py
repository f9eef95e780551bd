"""Waiting for what a real child does: a condition is looked at until it holds, within one bound."""

import asyncio
from collections.abc import Callable

PATIENCE_SECONDS = 20


async def until(predicate: Callable[[], bool]) -> None:
    """Wait for a condition on a process or its output.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not predicate():  # noqa: ASYNC110  # the condition lies outside this process
            await asyncio.sleep(0.01)
