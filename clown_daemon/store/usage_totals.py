"""The totals of profiles, as the snapshot and `UsageUpdated` carry them.

All profiles or one, it is the same code with one condition more, so the two can never disagree. Sums are exact integers
in SQL (tokens, picodollars) and become dollars last. Everything but the minutes comes from `usage_quarters`: the
ledger itself may hold years.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import tzinfo

from clown_daemon.protocol.resources import Cost, ModelUsage, PeriodUsage, ProfileUsage, Tokens, UsageBucket
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import HOUR_MS, HOURS_SHOWN, MINUTE_MS, MINUTES_SHOWN, Calendar, calendar

PICO_PER_USD = 10**12

SUMS = (
    "sum(responses) AS responses, sum(unpriced_responses) AS unpriced, sum(input_tokens) AS input, "
    "sum(output_tokens) AS output, sum(cache_write_tokens) AS written, sum(cache_read_tokens) AS read, "
    "sum(input_pico) AS input_pico, sum(output_pico) AS output_pico, sum(cache_write_pico) AS cache_write_pico, "
    "sum(cache_read_pico) AS cache_read_pico, sum(total_pico) AS total_pico"
)
"""The eleven sums of `usage_quarters`, in the order of its columns."""


def tokens_of(sums: Sequence[int]) -> Tokens:
    """Answer the tokens of the eleven sums."""
    return Tokens(
        input_tokens=sums[2],
        output_tokens=sums[3],
        cache_creation_input_tokens=sums[4],
        cache_read_input_tokens=sums[5],
    )


def cost_of(pico: Sequence[int], *, known: bool) -> Cost:
    """Turn five sums of picodollars (input, output, cache write, cache read, total) into US dollars, or all None."""
    if not known:
        return Cost(input_cost=None, output_cost=None, cache_creation_cost=None, cache_read_cost=None, total_cost=None)
    return Cost(
        input_cost=pico[0] / PICO_PER_USD,
        output_cost=pico[1] / PICO_PER_USD,
        cache_creation_cost=pico[2] / PICO_PER_USD,
        cache_read_cost=pico[3] / PICO_PER_USD,
        total_cost=pico[4] / PICO_PER_USD,
    )


def known_cost(sums: Sequence[int]) -> Cost:
    """Answer the cost of the eleven sums: None when there were responses and none of them has a price."""
    return cost_of(sums[6:11], known=not sums[0] or sums[1] < sums[0])


def add_up(rows: Iterable[Sequence[int]]) -> list[int]:
    """Add eleven sums column by column."""
    total = [0] * 11
    for row in rows:
        for number, amount in enumerate(row):
            total[number] += amount
    return total


def read_profile_usage(connection: sqlite3.Connection, now_ms: int, zone: tzinfo) -> tuple[ProfileUsage, ...]:
    """The totals of every profile that has any usage, sorted by profile."""
    return _Reader(connection, calendar(now_ms, zone), None).read()


def read_one_profile_usage(
    connection: sqlite3.Connection, profile: str, now_ms: int, zone: tzinfo
) -> ProfileUsage | None:
    """The totals of one profile; None when it has no usage at all."""
    found = _Reader(connection, calendar(now_ms, zone), profile).read()
    return found[0] if found else None


Buckets = dict[str, list[UsageBucket]]


class _Reader:
    """Reads the totals of all profiles, or of one, in a fixed number of queries."""

    def __init__(self, connection: sqlite3.Connection, borders: Calendar, profile: str | None) -> None:
        self._connection = connection
        self._borders = borders
        self._only = "" if profile is None else " AND profile = ?"
        self._values: tuple[object, ...] = () if profile is None else (profile,)
        self._profile = profile

    def read(self) -> tuple[ProfileUsage, ...]:
        borders = self._borders
        today, week, month = (self._period(start) for start in (borders.today_ms, borders.week_ms, borders.month_ms))
        minutes, hours, days = self._minutes(), self._hours(), self._days()
        return tuple(
            ProfileUsage(
                profile=profile,
                agent_id=agent_id,
                last_used=rfc3339(last_ms),
                today=today.get(profile) or PeriodUsage(start_ms=borders.today_ms),
                week=week.get(profile) or PeriodUsage(start_ms=borders.week_ms),
                month=month.get(profile) or PeriodUsage(start_ms=borders.month_ms),
                minutes=tuple(minutes[profile]),
                hours=tuple(hours[profile]),
                days=tuple(days[profile]),
            )
            for profile, agent_id, last_ms in self._profiles()
        )

    def _profiles(self) -> list[tuple[str, str, int]]:
        """Every profile with its agent and last use; hops from profile to profile instead of reading the ledger."""
        profiles = [self._profile] if self._profile is not None else self._all_profiles()
        found = []
        for profile in profiles:
            row = self._connection.execute(
                "SELECT agent_id, at_ms FROM usage_records WHERE profile = ? ORDER BY at_ms DESC, key DESC LIMIT 1",
                (profile,),
            ).fetchone()
            if row is not None:
                found.append((profile, row["agent_id"], row["at_ms"]))
        return found

    def _all_profiles(self) -> list[str]:
        rows = self._connection.execute(
            "WITH RECURSIVE hop (profile) AS ("
            " SELECT min(profile) FROM usage_records"
            " UNION ALL SELECT (SELECT min(profile) FROM usage_records WHERE profile > hop.profile) FROM hop"
            " WHERE hop.profile IS NOT NULL"
            ") SELECT profile FROM hop WHERE profile IS NOT NULL ORDER BY profile"
        )
        return [row["profile"] for row in rows]

    def _period(self, start_ms: int) -> dict[str, PeriodUsage]:
        span = (start_ms, self._borders.end_ms, *self._values)
        rows = self._connection.execute(
            f"SELECT profile, model, {SUMS} FROM usage_quarters"  # noqa: S608  # our own columns
            f" WHERE quarter_ms >= ? AND quarter_ms < ?{self._only} GROUP BY profile, model ORDER BY profile, model",
            span,
        )
        models: defaultdict[str, list[tuple[str, list[int]]]] = defaultdict(list)
        for row in rows:
            values = tuple(row)
            models[values[0]].append((values[1], list(values[2:])))
        counted = self._connection.execute(
            "SELECT profile, count(DISTINCT session) AS sessions FROM usage_quarters"  # noqa: S608  # our own condition
            f" WHERE quarter_ms >= ? AND quarter_ms < ?{self._only} GROUP BY profile",
            span,
        )
        sessions = {row["profile"]: row["sessions"] for row in counted}
        return {profile: _period_usage(start_ms, found, sessions[profile]) for profile, found in models.items()}

    def _minutes(self) -> Buckets:
        first = (self._borders.now_ms // MINUTE_MS - MINUTES_SHOWN + 1) * MINUTE_MS
        rows = self._connection.execute(
            "SELECT profile, at_ms / ? * ? AS start_ms, sum(input_tokens + output_tokens"  # noqa: S608  # our own condition
            " + cache_read_tokens"
            " + cache_write_5m_tokens + cache_write_1h_tokens) AS tokens, sum(total_pico) AS pico FROM usage_records"
            f" WHERE at_ms >= ? AND at_ms < ?{self._only} GROUP BY profile, start_ms ORDER BY profile, start_ms",
            (MINUTE_MS, MINUTE_MS, first, self._borders.end_ms, *self._values),
        )
        buckets: Buckets = defaultdict(list)
        for row in rows:
            cost = None if row["pico"] is None else row["pico"] / PICO_PER_USD
            buckets[row["profile"]].append(UsageBucket(row["start_ms"], row["tokens"], cost))
        return buckets

    def _hours(self) -> Buckets:
        first = (self._borders.now_ms // HOUR_MS - HOURS_SHOWN + 1) * HOUR_MS
        return self._buckets(f"quarter_ms / {HOUR_MS} * {HOUR_MS}", first)

    def _days(self) -> Buckets:
        """Cut the quarters by local days: a case for each day, since days differ in length."""
        days = self._borders.days
        cases = " ".join(f"WHEN quarter_ms >= {start} THEN {start}" for start in reversed(days))
        return self._buckets(f"CASE {cases} END", days[0])

    def _buckets(self, start: str, first_ms: int) -> Buckets:
        rows = self._connection.execute(
            f"SELECT profile, {start} AS start_ms, {SUMS} FROM usage_quarters"  # noqa: S608  # integers and our own columns
            f" WHERE quarter_ms >= ? AND quarter_ms < ?{self._only}"
            " GROUP BY profile, start_ms ORDER BY profile, start_ms",
            (first_ms, self._borders.end_ms, *self._values),
        )
        buckets: Buckets = defaultdict(list)
        for row in rows:
            values = tuple(row)
            sums = values[2:]
            buckets[values[0]].append(UsageBucket(values[1], sum(sums[2:6]), known_cost(sums).total_cost))
        return buckets


def _period_usage(start_ms: int, models: Sequence[tuple[str, Sequence[int]]], sessions: int) -> PeriodUsage:
    total = add_up(sums for _, sums in models)
    return PeriodUsage(
        start_ms=start_ms,
        tokens=tokens_of(total),
        cost=known_cost(total),
        responses=total[0],
        sessions=sessions,
        unpriced_responses=total[1],
        by_model=tuple(
            ModelUsage(
                model=model,
                tokens=tokens_of(sums),
                cost=known_cost(sums),
                responses=sums[0],
                unpriced_responses=sums[1],
            )
            for model, sums in models
        ),
    )
