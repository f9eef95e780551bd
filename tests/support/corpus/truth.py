"""What really was billed: one row per response, told while the logs are written and never read back from them.

Sums are exact integers: tokens, and picodollars. A response of a model that has no price counts in `unpriced`, and its
tokens count as any others.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple, TypeVar

from tests.support.corpus.amounts import Amounts

Dimension = Literal["agent", "provider", "model", "session", "project", "profile"]
Period = Literal["today", "yesterday", "week", "month", "7d", "30d", "all"]

Key = TypeVar("Key")

QUARTER_MS = 900_000
"""No zone's midnight is anywhere else than at a quarter of an hour."""


class Billed(NamedTuple):
    """One response that somebody has to pay for."""

    agent: str
    provider: str
    """As the log names it, else the one that its agent belongs to."""
    model: str
    session: str
    project: str | None
    """The working directory, where the log tells it."""
    profile: str
    """An alias, or `unattributed`."""
    at_ms: int
    amounts: Amounts
    cost_pico: int | None


class Totals(NamedTuple):
    """Sums over responses."""

    responses: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    web_searches: int = 0
    cost_pico: int = 0
    unpriced: int = 0
    sessions: int = 0

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        """In the classes of the API: input, output, cache write, cache read."""
        return self.input, self.output, self.cache_write_5m + self.cache_write_1h, self.cache_read


def total(rows: Iterable[Billed]) -> Totals:
    """Add responses up."""
    sums = [0] * len(Totals._fields)
    sessions: set[str] = set()
    for row in rows:
        sums[0] += 1
        for place, count in enumerate(row.amounts[:7], start=1):
            sums[place] += count
        if row.cost_pico is None:
            sums[9] += 1
        else:
            sums[8] += row.cost_pico
        sessions.add(row.session)
    sums[10] = len(sessions)
    return Totals(*sums)


class Truth:
    """All billed responses of a corpus."""

    def __init__(self) -> None:
        self.rows: list[Billed] = []

    def total(self) -> Totals:
        return total(self.rows)

    def by(self, dimension: Dimension) -> dict[Any, Totals]:
        """Sums by one of the columns."""
        at = Billed._fields.index(dimension)
        return self._grouped(lambda row: row[at])

    def by_day(self, zone: tzinfo) -> dict[date, Totals]:
        """Sums by the days of a time zone."""
        days: dict[int, date] = {}

        def day(row: Billed) -> date:
            quarter = row.at_ms // QUARTER_MS
            if quarter not in days:
                days[quarter] = local_day(row.at_ms, zone)
            return days[quarter]

        return self._grouped(day)

    def expected(
        self, period: Period, *, now_ms: int, zone: tzinfo = UTC, profile: str | None = None, model: str | None = None
    ) -> Totals:
        """What `GET /api/usage` has to say."""
        first, last = days_of(period, local_day(now_ms, zone))
        return total(
            row
            for row in self.rows
            if first <= local_day(row.at_ms, zone) <= last
            and profile in {None, row.profile}
            and model in {None, row.model}
        )

    def _grouped(self, key: Callable[[Billed], Key]) -> dict[Key, Totals]:
        groups: dict[Key, list[Billed]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return {found: total(rows) for found, rows in groups.items()}


def local_day(at_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, zone).date()


def days_of(period: Period, today: date) -> tuple[date, date]:
    """The first and the last day of a period, both inclusive; weeks begin on Monday."""
    starts: Mapping[Period, date] = {
        "today": today,
        "yesterday": today - timedelta(days=1),
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
        "all": date.min,
    }
    last = {"yesterday": starts["yesterday"], "all": date.max}
    return starts[period], last.get(period, today)
