"""How long something took, counted in buckets: what `/metrics` tells of latencies. Cheap enough for every call."""

from bisect import bisect_left
from itertools import accumulate
from typing import NamedTuple

LATENCY_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of buckets that tell a healthy daemon (about 1 ms) from a sick one."""


class Distribution(NamedTuple):
    """What was observed so far."""

    buckets: tuple[tuple[float, int], ...]
    """Upper bound, and how many observations were not above it; the last bound is infinite."""
    total: float
    """The sum of all observations."""


class Histogram:
    """Counts observations. One thread observes, any thread reads."""

    def __init__(self, bounds: tuple[float, ...] = LATENCY_SECONDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Distribution:
        """Answer what was observed so far."""
        bounds = (*self._bounds, float("inf"))
        return Distribution(tuple(zip(bounds, accumulate(self._counts), strict=True)), self._total)
