"""Time, passed in wherever it matters, so that a test decides what time it is."""

import os
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Clock(Protocol):
    """Where a part of the daemon takes the time from."""

    def now_ms(self) -> int:
        """Wall time, epoch milliseconds."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, from an arbitrary start."""

    @property
    def zone(self) -> tzinfo:
        """The user's time zone: days are cut in it."""

    @property
    def zone_name(self) -> str:
        """Its IANA name."""


class SystemClock:
    """The machine's clock, in the user's zone: `TZ`, else the machine's own."""

    def __init__(self, zone_name: str | None = None) -> None:
        self._name = zone_name or local_zone_name()
        try:
            self._zone: tzinfo = ZoneInfo(self._name)
        except (ZoneInfoNotFoundError, ValueError):
            self._name = "UTC"
            self._zone = ZoneInfo("UTC")

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    @property
    def zone(self) -> tzinfo:
        return self._zone

    @property
    def zone_name(self) -> str:
        return self._name


class ManualClock:
    """A clock that moves only when told to; for tests."""

    def __init__(self, now_ms: int = 1_790_000_000_000, zone_name: str = "UTC") -> None:
        self._now_ms = now_ms
        self._zone = ZoneInfo(zone_name)
        self._name = zone_name

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_ms += round(seconds * 1000)

    @property
    def zone(self) -> tzinfo:
        return self._zone

    @property
    def zone_name(self) -> str:
        return self._name


def midnight_ms(day: date, zone: tzinfo) -> int:
    """The instant at which a day begins in the zone."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def local_date(at_ms: int, zone: tzinfo) -> date:
    """The day of an instant in the zone."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date()


def start_of_day_ms(at_ms: int, zone: tzinfo) -> int:
    """The instant at which the day of `at_ms` began in the zone; right also on days of 23 and 25 hours."""
    return midnight_ms(local_date(at_ms, zone), zone)


def end_of_day_ms(at_ms: int, zone: tzinfo) -> int:
    """The instant at which the day of `at_ms` ends in the zone: the start of the next one."""
    return midnight_ms(local_date(at_ms, zone) + timedelta(days=1), zone)


def start_of_month_ms(at_ms: int, zone: tzinfo) -> int:
    """The instant at which the month of `at_ms` began in the zone."""
    return midnight_ms(local_date(at_ms, zone).replace(day=1), zone)


def end_of_month_ms(at_ms: int, zone: tzinfo) -> int:
    """The instant at which the month of `at_ms` ends in the zone: the start of the next one."""
    some_day_of_the_next = local_date(at_ms, zone).replace(day=1) + timedelta(days=31)
    return midnight_ms(some_day_of_the_next.replace(day=1), zone)


def local_zone_name(environ: Mapping[str, str] = os.environ) -> str:
    """The IANA name of the user's time zone: `TZ`, else `/etc/timezone`, else where `/etc/localtime` points; or UTC."""
    name = environ.get("TZ", "").lstrip(":")
    if name and not name.startswith("/"):
        return name
    link = Path("/etc/localtime")
    if link.is_symlink():
        target = str(link.resolve())
        if "zoneinfo/" in target:
            return target.split("zoneinfo/", 1)[1]
    listed = Path("/etc/timezone")
    if listed.is_file():
        return listed.read_text(encoding="ascii", errors="replace").strip() or "UTC"
    return "UTC"
