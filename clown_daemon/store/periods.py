"""Where the periods of a report begin and end, in the user's zone.

Pure. Days are cut at local midnight, so they last 23 or 25 hours where clocks change; weeks begin on Monday; the last 7
and 30 days are calendar days and include today. A period ends with the day it is asked on (`yesterday`: before it).
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from clown_daemon.protocol.requests import Period

MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
"""A day of UTC; those of other zones may have 23 or 25 hours."""
MINUTES_SHOWN = 15
HOURS_SHOWN = 24
DAYS_SHOWN = 7


class Span(NamedTuple):
    """From `start_ms` up to but not including `end_ms`."""

    start_ms: int
    end_ms: int


class Calendar(NamedTuple):
    """What the totals of a profile are cut by, as of one instant."""

    now_ms: int
    today_ms: int
    week_ms: int
    month_ms: int
    end_ms: int
    """The start of tomorrow."""
    days: tuple[int, ...]
    """The starts of the last 7 days, oldest first, today last."""

    @property
    def first_ms(self) -> int:
        """The earliest instant that any of these needs."""
        return min(self.month_ms, self.days[0], self.week_ms)


def span_of(period: Period, now_ms: int, zone: tzinfo) -> Span:
    """Answer where a period begins and ends, seen from `now_ms`."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    end = _midnight(today + timedelta(days=1), zone)
    if period == "all":
        return Span(0, end)
    first = _first_day(period, today)
    return Span(_midnight(first, zone), _midnight(today, zone) if period == "yesterday" else end)


def calendar(now_ms: int, zone: tzinfo) -> Calendar:
    """Answer every border that a profile's totals are cut by."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    days = tuple(_midnight(today - timedelta(days=back), zone) for back in reversed(range(DAYS_SHOWN)))
    return Calendar(
        now_ms=now_ms,
        today_ms=days[-1],
        week_ms=span_of("week", now_ms, zone).start_ms,
        month_ms=span_of("month", now_ms, zone).start_ms,
        end_ms=_midnight(today + timedelta(days=1), zone),
        days=days,
    )


def _first_day(period: Period, today: date) -> date:
    if period == "month":
        return today.replace(day=1)
    days_back = {"yesterday": 1, "week": today.weekday(), "7d": 6, "30d": 29}
    return today - timedelta(days=days_back.get(period, 0))


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
