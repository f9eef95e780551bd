"""How fast money or tokens go, and where that leads: one definition for the API and the dashboard.

Pure, on whole numbers of any unit (picodollars, nano-dollars, tokens). The burn rate is measured over 15 minutes.
Nobody works like that until midnight, so a projection takes it for the next hour at most; what is left after that goes
on at the usual rate, which is measured over a day or a week and so holds breaks, nights and weekends too.
"""

from collections.abc import Iterable

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BURN_MINUTES = 15

Steps = Iterable[tuple[int, int]]
"""Steps of a time line: when each began (epoch milliseconds), and its amount. Steps without any may be left out."""


def lately(minutes: Steps, now_ms: int) -> int:
    """Answer the amount of the last 15 minutes of the clock, the running one included.

    Args:
        minutes: a time line in minutes; what is older is not looked at.
        now_ms: epoch milliseconds.
    """
    running = now_ms // MINUTE_MS
    return sum(amount for start_ms, amount in minutes if 0 <= running - start_ms // MINUTE_MS < BURN_MINUTES)


def burn_per_hour(minutes: Steps, now_ms: int) -> int:
    """Answer the amount an hour, measured over the last 15 minutes."""
    return lately(minutes, now_ms) * 60 // BURN_MINUTES


def usual_per_hour(steps: Steps, now_ms: int) -> int:
    """Answer the amount an hour, measured since the first step, over a day at least.

    Args:
        steps: what was spent lately: the hours of the last day, or the days of the last week.
        now_ms: epoch milliseconds.
    """
    spent, first_ms = 0, now_ms
    for start_ms, amount in steps:
        spent += amount
        first_ms = min(first_ms, start_ms)
    return spent * HOUR_MS // max(DAY_MS, now_ms - first_ms)


def projection(spent: int, *, burn: int, usual: int, left_ms: int) -> int:
    """Answer what will have been spent at the end of a period.

    Args:
        spent: in the period so far.
        burn: amount an hour, as `burn_per_hour` measures it: the next hour, at most.
        usual: amount an hour, as `usual_per_hour` measures it: after that hour.
        left_ms: milliseconds until the period ends; none are left once it did.
    """
    soon_ms = min(max(0, left_ms), HOUR_MS)
    later_ms = max(0, left_ms - HOUR_MS)
    return spent + (burn * soon_ms + usual * later_ms) // HOUR_MS
