"""How long to wait before the next attempt. Pure: time and randomness are passed in.

Full jitter, so that many clients of one daemon do not come back in step; the exponent falls back only after a
connection was live for a while, so that a server that accepts and closes cannot reset it with every handshake.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

MIN_SECONDS = 0.05
FIRST_SECONDS = 0.25
MAX_SECONDS = 15.0
SETTLED_SECONDS = 30.0
"""Live this long, a connection counts as good, and the next failure as the first."""
DOWN_SECONDS = 1.0
"""The longest wait while nothing listens. A refused attempt on loopback costs under 0.1 ms of CPU (measured), so asking
once a second is free, and a daemon that comes back is found within a second."""
RESTART_SECONDS = (0.2, 1.0)
"""The wait after a daemon said good-bye (1001): it may be restarting."""
RESTARTS = 3
"""So many good-byes in a row are taken for restarts; more are a failure like any other."""
CROWD_ATTEMPTS = 12
CROWD_SECONDS = 60.0
"""At most so many connections in so long may be accepted and come to nothing."""

Uniform = Callable[[float, float], float]


class Failure(Enum):
    """How an attempt, or a connection, ended."""

    NOTHING_LISTENS = auto()
    FELL_SILENT = auto()
    """It was accepted and lost, was refused for now, or timed out."""
    SAID_GOODBYE = auto()
    """Closed with 1001."""


def longest(failures: int) -> float:
    """The upper bound of the wait after so many failures in a row (0 before the first), in seconds."""
    # 0.25 * 2**6 passes the bound; the exponent is cut, since 2**n overflows a float after a night offline.
    return min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 10))


def jittered(failures: int, uniform: Uniform, *, bound: float = MAX_SECONDS) -> float:
    """The wait after so many failures in a row: U(0.05, min(bound, 0.25 * 2**failures)), in seconds."""
    return uniform(MIN_SECONDS, min(bound, longest(failures)))


class Backoff:
    """Counts failures and answers waits."""

    def __init__(self, uniform: Uniform) -> None:
        self.attempts = 0
        """Failures in a row, of any kind."""
        self._failures = 0
        """Those where something listened."""
        self._refused = 0
        """How often nothing listened since then."""
        self._uniform = uniform
        self._fruitless: deque[float] = deque(maxlen=CROWD_ATTEMPTS)

    def failed(self, failure: Failure, *, now: float, live_seconds: float | None) -> float:
        """Count a failure and answer how long to wait, in seconds.

        Args:
            failure: how it ended.
            now: monotonic seconds.
            live_seconds: how long the connection was live; None when it never was.
        """
        if live_seconds is not None and live_seconds >= SETTLED_SECONDS:
            self.attempts = self._failures = 0
        self.attempts += 1
        if failure is Failure.NOTHING_LISTENS:
            # Counted apart: a daemon that was away for a minute and is killed soon after it came back is looked for at
            # once, not after the 15 s of a server that hangs up again and again.
            self._refused += 1
            return jittered(self._refused - 1, self._uniform, bound=DOWN_SECONDS)
        self._refused = 0
        wait = self._wait(failure)
        self._failures += 1
        if live_seconds is not None:
            self._fruitless.clear()
        else:
            wait = max(wait, self._until_room(now))
        return wait

    def forget(self) -> None:
        """Begin anew: a person asked for it, or the machine woke up."""
        self.attempts = self._failures = self._refused = 0
        self._fruitless.clear()

    def _wait(self, failure: Failure) -> float:
        if failure is Failure.SAID_GOODBYE and self._failures < RESTARTS:
            return self._uniform(*RESTART_SECONDS)
        return jittered(self._failures, self._uniform)

    def _until_room(self, now: float) -> float:
        """Seconds until one more fruitless connection keeps within the bound; this one is counted."""
        self._fruitless.append(now)
        if len(self._fruitless) < CROWD_ATTEMPTS:
            return 0.0
        return self._fruitless[0] + CROWD_SECONDS - now
