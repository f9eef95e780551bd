"""When things happen: near the midnights of three time zones, on the days whose clocks change, and in between.

New York moves its clocks on 2026-03-08 and 2026-11-01, Tokyo never does. Sonnet 4.5 changes its price at the UTC
midnight before 2026-04-30. Everything is in whole milliseconds since 1970 (UTC).
"""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")
ZONES = (UTC, NEW_YORK, TOKYO)

DAYS = tuple(
    datetime(2026, month, first, tzinfo=UTC) + timedelta(days=day)
    for month, first in ((3, 6), (4, 28), (10, 30))
    for day in range(5)
)
"""Noon-less days in three clusters: both changes of the clock, and a change of price."""

_FIRST_MS = 1_770_000_000_000
_LAST_MS = 1_795_000_000_000


def midnights() -> tuple[int, ...]:
    """Every local midnight of the three zones on the chosen days, and the hours at which New York's clocks change."""
    found = {
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000) for day in DAYS for zone in ZONES
    }
    changes = (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))
    return tuple(sorted(found | {int(change.timestamp() * 1000) for change in changes}))


class Moments:
    """Draws the moments at which sessions begin."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._midnights = midnights()

    def draw(self) -> int:
        """Answer a moment: one in two lies within minutes of a midnight, so that a session crosses it."""
        if self._random.random() < 0.5:
            return self._random.choice(self._midnights) + self._random.randrange(-240_000, 60_000)
        return self._random.randrange(_FIRST_MS, _LAST_MS)


def iso(at_ms: int) -> str:
    """The agents' way to write a moment: `2026-11-23T01:56:54.220Z`."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"
