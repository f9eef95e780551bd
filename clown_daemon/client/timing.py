"""Time and chance as the client uses them, passed in, so that a test decides both."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def _rest(woken: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Every source of time and chance of a follower."""

    wall_ms: Callable[[], int] = _wall_ms
    """Epoch milliseconds; jumps when the machine slept or its clock was set."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds; on Linux it stands still while the machine sleeps, which is how sleep is noticed."""
    uniform: Callable[[float, float], float] = random.uniform
    """A number between two."""
    rest: Callable[[asyncio.Event, float], Awaitable[None]] = _rest
    """Wait between attempts: until the event is set, at most this many seconds."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """The step of the watch over an open connection."""
