from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from clown_daemon.protocol.requests import Period
from clown_daemon.protocol.timestamps import epoch_ms, rfc3339
from clown_daemon.store.periods import DAY_MS, HOUR_MS, QUARTER_MS, Span, calendar, months, segments, span_of


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("today", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("yesterday", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        ("week", "2026-11-22T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("month", "2026-10-31T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("7d", "2026-11-18T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("30d", "2026-10-26T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("all", "1970-01-01T00:00:00Z", "2026-11-25T23:00:00Z"),
    ],
)
def test_periods_begin_at_the_users_midnight(period: Period, start: str, end: str) -> None:
    # A Wednesday in Berlin, UTC+1.
    span = span_of(period, epoch_ms("2026-11-25T12:00:00Z"), ZoneInfo("Europe/Berlin"))
    assert (rfc3339(span.start_ms), rfc3339(span.end_ms)) == (start, end)


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T10:00:00Z", 23),
        ("Europe/Berlin", "2026-10-25T10:00:00Z", 25),
        ("Pacific/Auckland", "2026-09-27T00:00:00Z", 23),
        ("Pacific/Auckland", "2026-04-05T00:00:00Z", 25),
        ("Asia/Kathmandu", "2026-06-01T06:00:00Z", 24),
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(zone: str, noon: str, hours: int) -> None:
    span = span_of("today", epoch_ms(noon), ZoneInfo(zone))
    assert span.end_ms - span.start_ms == hours * HOUR_MS
    yesterday = span_of("yesterday", epoch_ms(noon), ZoneInfo(zone))
    assert yesterday.end_ms == span.start_ms
    assert span.start_ms % QUARTER_MS == 0


def test_the_seven_days_shown_end_with_today_across_a_change_of_clocks() -> None:
    borders = calendar(epoch_ms("2026-10-27T12:00:00Z"), ZoneInfo("Europe/Berlin"))
    assert [rfc3339(day) for day in borders.days[-3:]] == [
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
        "2026-10-26T23:00:00Z",
    ]
    assert len(borders.days) == 7
    assert borders.today_ms == borders.days[-1]
    assert rfc3339(borders.end_ms) == "2026-10-27T23:00:00Z"


@pytest.mark.parametrize(
    ("zone", "day", "changes"),
    [
        ("Europe/Berlin", "2026-03-29", [("2026-03-29T01:00:00Z", 1, 2)]),
        ("America/New_York", "2026-11-01", [("2026-11-01T06:00:00Z", -4, -5)]),
        ("Australia/Lord_Howe", "2026-04-05", [("2026-04-04T15:00:00Z", 11, 10.5)]),
        ("Asia/Kathmandu", "2026-06-01", []),
        ("UTC", "2026-03-29", []),
    ],
)
def test_segments_end_where_clocks_change(zone: str, day: str, changes: list[tuple[str, float, float]]) -> None:
    middle = epoch_ms(f"{day}T00:00:00Z")
    span = Span(middle - 40 * DAY_MS, middle + 41 * DAY_MS)
    found = segments(span, ZoneInfo(zone))
    assert (found[0].start_ms, found[-1].end_ms) == span
    assert [
        (rfc3339(after.start_ms), before.offset_ms / HOUR_MS, after.offset_ms / HOUR_MS)
        for before, after in pairwise(found)
    ] == changes
    assert all(before.end_ms == after.start_ms for before, after in pairwise(found))


def test_a_span_without_a_change_of_clocks_is_one_segment_however_short() -> None:
    at = epoch_ms("2026-11-25T00:00:00Z")
    [segment] = segments(Span(at, at + QUARTER_MS), ZoneInfo("Asia/Tokyo"))
    assert segment == (at, at + QUARTER_MS, 9 * HOUR_MS)


def test_months_are_cut_at_the_zones_midnights() -> None:
    span = Span(epoch_ms("2026-11-20T23:00:00Z"), epoch_ms("2027-01-02T23:00:00Z"))
    cut = [tuple(map(rfc3339, month)) for month in months(span, ZoneInfo("Europe/Berlin"))]
    assert cut == [
        ("2026-11-20T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-12-31T23:00:00Z", "2027-01-02T23:00:00Z"),
    ]
