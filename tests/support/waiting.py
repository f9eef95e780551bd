"""Waiting for what lies outside of this process: a condition is looked at until it holds, within one bound."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60
"""Only there to end a test that will never pass."""


async def until(predicate: Callable[[], bool | Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something to become true.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(seconds):
        while True:
            answer = predicate()
            if not isinstance(answer, bool):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.01)
