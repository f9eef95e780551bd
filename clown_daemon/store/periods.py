"""Where the periods of a report begin and end, in the user's zone.

Pure. Days are cut at local midnight, so they last 23 or 25 hours where clocks change; weeks begin on Monday; the last 7
and 30 days are calendar days and include today. A period ends with the day it is asked on (`yesterday`: before it).
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from clown_daemon.clock import local_date, midnight_ms
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
    today = local_date(now_ms, zone)
    end = midnight_ms(today + timedelta(days=1), zone)
    if period == "all":
        return Span(0, end)
    first = _first_day(period, today)
    return Span(midnight_ms(first, zone), midnight_ms(today, zone) if period == "yesterday" else end)


def calendar(now_ms: int, zone: tzinfo) -> Calendar:
    """Answer every border that a profile's totals are cut by."""
    today = local_date(now_ms, zone)
    days = tuple(midnight_ms(today - timedelta(days=back), zone) for back in reversed(range(DAYS_SHOWN)))
    return Calendar(
        now_ms=now_ms,
        today_ms=days[-1],
        week_ms=span_of("week", now_ms, zone).start_ms,
        month_ms=span_of("month", now_ms, zone).start_ms,
        end_ms=midnight_ms(today + timedelta(days=1), zone),
        days=days,
    )


class Segment(NamedTuple):
    """A span in which the clocks of a zone do not change."""

    start_ms: int
    end_ms: int
    offset_ms: int
    """What local time is ahead of UTC."""


def segments(span: Span, zone: tzinfo) -> list[Segment]:
    """Cut a span where the clocks change; all cuts are at quarters of an hour."""
    found: list[Segment] = []
    start, offset = span.start_ms, _offset_ms(span.start_ms, zone)
    for day in range(span.start_ms + DAY_MS, span.end_ms + DAY_MS, DAY_MS):
        at = min(day, span.end_ms)
        if (later := _offset_ms(at, zone)) != offset:
            change = _change(at - DAY_MS, at, later, zone)
            found.append(Segment(start, change, offset))
            start, offset = change, later
    found.append(Segment(start, span.end_ms, offset))
    return [segment for segment in found if segment.start_ms < segment.end_ms]


def months(span: Span, zone: tzinfo) -> Iterator[Span]:
    """Cut a span where the months of a zone begin."""
    start = span.start_ms
    while start < span.end_ms:
        day = local_date(start, zone)
        first = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        end = min(midnight_ms(first, zone), span.end_ms)
        yield Span(start, end)
        start = end


def local_day(number: int) -> date:
    """The day with this number: 1970-01-01 is 0."""
    return date(1970, 1, 1) + timedelta(days=number)


def _offset_ms(at_ms: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)


def _change(before_ms: int, after_ms: int, offset_after_ms: int, zone: tzinfo) -> int:
    """The first quarter of an hour at which a zone has the later offset, by halving."""
    low, high = before_ms // QUARTER_MS, after_ms // QUARTER_MS
    while low + 1 < high:
        middle = (low + high) // 2
        if _offset_ms(middle * QUARTER_MS, zone) == offset_after_ms:
            high = middle
        else:
            low = middle
    return high * QUARTER_MS


def _first_day(period: Period, today: date) -> date:
    if period == "month":
        return today.replace(day=1)
    days_back = {"yesterday": 1, "week": today.weekday(), "7d": 6, "30d": 29}
    return today - timedelta(days=days_back.get(period, 0))
