"""When a proxy that ended by itself is started again, and when no more. Pure.

A rest doubles from crash to crash and is forgotten after a minute of health; five crashes within a minute are a fault
that another start does not cure.
"""

from dataclasses import dataclass, field

FIRST_REST_SECONDS = 0.25
LONGEST_REST_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A proxy that lived this long has no history."""
CRASHES_ALLOWED = 5
WINDOW_SECONDS = 60.0
SPREAD = 0.2
"""Proxies that die together do not come back together."""


@dataclass
class Restarts:
    """The crashes of one proxy."""

    _crashes: list[float] = field(default_factory=list)
    """Monotonic seconds, oldest first."""

    def crashed(self, at: float, *, lived_seconds: float, chance: float) -> float | None:
        """Answer how long to rest before the next start; None when there should be none.

        Args:
            at: monotonic seconds.
            lived_seconds: how long it had answered.
            chance: 0 up to 1, random.
        """
        if lived_seconds >= HEALTHY_SECONDS:
            self._crashes.clear()
        self._crashes = [crash for crash in self._crashes if at - crash < WINDOW_SECONDS]
        self._crashes.append(at)
        if len(self._crashes) >= CRASHES_ALLOWED:
            return None
        rest = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2.0 ** (len(self._crashes) - 1))
        return rest * (1 + SPREAD * (2 * chance - 1))

    def forget(self) -> None:
        """Somebody asked for a start: what was does not count."""
        self._crashes.clear()
