"""The totals of profiles, as the snapshot and `UsageUpdated` carry them.

All profiles or one, it is the same code with one condition more, so the two can never disagree. Sums are exact integers
(tokens, picodollars) and become dollars last. Everything but the minutes comes from the rollups: the ledger itself may
hold years.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from datetime import tzinfo

from clown_daemon.protocol.resources import ModelUsage, PeriodUsage, ProfileUsage, UsageBucket
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import HOUR_MS, HOURS_SHOWN, MINUTE_MS, MINUTES_SHOWN, Calendar, Span, calendar
from clown_daemon.store.usage_rollups import profiles_of
from clown_daemon.store.usage_spans import Only, Series, read_series, read_sums, sessions_by_profile
from clown_daemon.store.usage_sums import ADDED_UP, PICO_PER_USD, Sums, add_up

__all__ = ["read_one_profile_usage", "read_profile_usage", "read_sums"]


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
        self._which = Only(profile)
        self._only, self._values = self._which.condition()

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
        """Every profile with the agent that used it last, and when."""
        rows = self._connection.execute(
            "SELECT profile, agent_id, last_ms FROM usage_series WHERE responses > 0"  # noqa: S608  # our own condition
            f"{self._only} ORDER BY profile, last_ms, series",
            self._values,
        )
        return list({row["profile"]: (row["profile"], row["agent_id"], row["last_ms"]) for row in rows}.values())

    def _period(self, start_ms: int) -> dict[str, PeriodUsage]:
        span = Span(start_ms, self._borders.end_ms)
        found: defaultdict[str, list[Series]] = defaultdict(list)
        for series in read_series(self._connection, span, self._which):
            found[series.profile].append(series)
        sessions = sessions_by_profile(self._connection, span, self._which)
        return {profile: _period_usage(start_ms, series, sessions[profile]) for profile, series in found.items()}

    def _minutes(self) -> Buckets:
        first = (self._borders.now_ms // MINUTE_MS - MINUTES_SHOWN + 1) * MINUTE_MS
        rows = self._connection.execute(
            f"SELECT profile, at_ms / {MINUTE_MS} * {MINUTE_MS} AS start_ms,"  # noqa: S608  # our own condition
            " sum(records.input_tokens + records.output_tokens + records.cache_read_tokens"
            " + records.cache_write_5m_tokens + records.cache_write_1h_tokens), sum(records.total_pico)"
            " FROM usage_records AS records JOIN usage_series USING (series)"
            f" WHERE at_ms >= ? AND at_ms < ? AND NOT replay{self._only}"
            " GROUP BY profile, start_ms ORDER BY profile, start_ms",
            (first, self._borders.end_ms, *self._values),
        )
        buckets: Buckets = defaultdict(list)
        for profile, start_ms, tokens, pico in rows:
            buckets[profile].append(UsageBucket(start_ms, tokens, None if pico is None else pico / PICO_PER_USD))
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
            f"SELECT series, {start} AS start_ms, {ADDED_UP} FROM usage_quarters"  # noqa: S608  # integers and our own columns
            f" WHERE quarter_ms >= ? AND quarter_ms < ?{self._only} GROUP BY series, start_ms",
            (first_ms, self._borders.end_ms, *self._values),
        ).fetchall()
        profiles = profiles_of(self._connection, {row[0] for row in rows})
        found: defaultdict[tuple[str, int], list[Sequence[int]]] = defaultdict(list)
        for row in rows:
            series, start_ms, *sums = row
            found[profiles[series], start_ms].append(sums)
        buckets: Buckets = defaultdict(list)
        for (profile, start_ms), several in sorted(found.items()):
            total = add_up(several)
            buckets[profile].append(UsageBucket(start_ms, total.total_tokens, total.cost.total_cost))
        return buckets


def _period_usage(start_ms: int, series: Sequence[Series], sessions: int) -> PeriodUsage:
    models: defaultdict[str, list[Sums]] = defaultdict(list)
    for found in series:
        models[found.model].append(found.sums)
    total = add_up(found.sums for found in series)
    return PeriodUsage(
        start_ms=start_ms,
        tokens=total.tokens,
        cost=total.cost,
        responses=total.responses,
        sessions=sessions,
        unpriced_responses=total.unpriced_responses,
        by_model=tuple(_model_usage(model, add_up(sums)) for model, sums in sorted(models.items())),
    )


def _model_usage(model: str, sums: Sums) -> ModelUsage:
    return ModelUsage(
        model=model,
        tokens=sums.tokens,
        cost=sums.cost,
        responses=sums.responses,
        unpriced_responses=sums.unpriced_responses,
    )
