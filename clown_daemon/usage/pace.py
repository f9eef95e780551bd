"""How often usage is written: a profile has at most four updates a second.

Every transaction that changes totals tells so in the same breath, or a snapshot would know more than the events. So the
events are folded by folding the transactions: what is read meanwhile goes into the next one, and nothing is held back
that was promised to be on the disk. The first change after a rest goes at once.
"""

import time
from collections.abc import Iterable

APART_SECONDS = 0.255
"""A little more than a quarter: the events carry wall time, which may run slower than the clock that is waited by."""
MOST_KNOWN = 1000
"""Profiles that are forgotten once they may begin anyway."""


class Pace:
    """Keeps the transactions of a profile apart, from begin to begin."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def wait_seconds(self, profiles: Iterable[str]) -> float:
        """How long until a transaction about all of these profiles may begin; 0 is now."""
        now = time.monotonic()
        return max((0.0, *(self._next.get(profile, now) - now for profile in profiles)))

    def began(self, profiles: Iterable[str], at: float) -> None:
        """One that changed their totals began at this monotonic second, on the writer's thread, where it had waited."""
        if len(self._next) > MOST_KNOWN:
            self._next = {profile: next_at for profile, next_at in self._next.items() if next_at > at}
        for profile in profiles:
            self._next[profile] = at + APART_SECONDS
