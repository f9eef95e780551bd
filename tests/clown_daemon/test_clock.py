import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from clown_daemon.clock import (
    ManualClock,
    SystemClock,
    end_of_day_ms,
    end_of_month_ms,
    local_zone_name,
    start_of_day_ms,
    start_of_month_ms,
)

HOUR_MS = 3_600_000
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_system_clock_tells_the_time_in_the_users_zone() -> None:
    clock = SystemClock("Europe/Berlin")
    assert abs(clock.now_ms() - time.time() * 1000) < 60_000
    assert clock.monotonic() <= clock.monotonic()
    assert (clock.zone, clock.zone_name) == (BERLIN, "Europe/Berlin")


@pytest.mark.parametrize("name", ["Nowhere/Town", "../etc/passwd", "\0"])
def test_a_zone_that_does_not_exist_is_utc(name: str) -> None:
    clock = SystemClock(name)
    assert clock.zone_name == "UTC"
    assert datetime.fromtimestamp(0, clock.zone).utcoffset() == datetime.fromtimestamp(0, UTC).utcoffset()


def test_the_manual_clock_moves_when_told_to() -> None:
    clock = ManualClock(1000)
    before = clock.monotonic()
    clock.advance(1.5)
    assert clock.now_ms() == 2500
    assert clock.monotonic() - before == 1.5
    assert (clock.zone_name, clock.zone) == ("UTC", ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("at", "midnight"),
    [
        ("2026-01-08T10:30:00+01:00", "2026-01-08T00:00:00+01:00"),
        ("2026-01-08T00:00:00+01:00", "2026-01-08T00:00:00+01:00"),
        ("2026-03-29T12:00:00+02:00", "2026-03-29T00:00:00+01:00"),
        ("2026-10-25T12:00:00+01:00", "2026-10-25T00:00:00+02:00"),
    ],
    ids=["noon", "midnight", "a day of 23 hours", "a day of 25 hours"],
)
def test_a_day_begins_at_its_own_midnight(at: str, midnight: str) -> None:
    assert start_of_day_ms(ms(at), BERLIN) == ms(midnight)


def test_days_are_as_long_as_they_are() -> None:
    def length(day: str) -> float:
        start = start_of_day_ms(ms(f"{day}T12:00:00+02:00"), BERLIN)
        return (start_of_day_ms(start + 30 * HOUR_MS, BERLIN) - start) / HOUR_MS

    assert [length(day) for day in ("2026-03-29", "2026-06-01", "2026-10-25")] == [23, 24, 25]


def test_tz_names_the_zone() -> None:
    assert local_zone_name({"TZ": "Europe/Berlin"}) == "Europe/Berlin"
    assert local_zone_name({"TZ": ":Asia/Tokyo"}) == "Asia/Tokyo"


@pytest.mark.parametrize("environ", [{}, {"TZ": ""}, {"TZ": "/usr/share/zoneinfo/UTC"}])
def test_without_tz_the_machines_own_zone_is_named(environ: dict[str, str]) -> None:
    assert local_zone_name(environ)


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2026-03-29T12:00:00+02:00", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ("2026-10-01T00:00:00+02:00", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ("2026-12-31T23:59:59+01:00", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2028-02-29T12:00:00+01:00", "2028-02-01T00:00:00+01:00", "2028-03-01T00:00:00+01:00"),
    ],
)
def test_a_month_goes_from_midnight_to_midnight(at: str, start: str, end: str) -> None:
    assert start_of_month_ms(ms(at), BERLIN) == ms(start)
    assert end_of_month_ms(ms(at), BERLIN) == ms(end)


@pytest.mark.parametrize("day", ["2026-03-29", "2026-06-01", "2026-10-25"])
def test_a_day_ends_where_the_next_one_begins(day: str) -> None:
    end = end_of_day_ms(ms(f"{day}T12:00:00+02:00"), BERLIN)
    assert start_of_day_ms(end, BERLIN) == end
    assert start_of_day_ms(end - 1, BERLIN) == start_of_day_ms(ms(f"{day}T12:00:00+02:00"), BERLIN)
