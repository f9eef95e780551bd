"""The totals of profiles, as the snapshot and `UsageUpdated` carry them.

All profiles or one, it is the same code with one condition more, so the two can never disagree. Sums are exact integers
(tokens, picodollars) and become dollars last. Everything but the minutes comes from the rollups: the ledger itself may
hold years.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

from clown_daemon.protocol.resources import AgentUsage, ModelUsage, PeriodUsage, ProfileUsage, UsageBucket
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import HOUR_MS, HOURS_SHOWN, MINUTE_MS, MINUTES_SHOWN, Calendar, Span, calendar
from clown_daemon.store.usage_spans import Only, Series, read_series, read_sums, sessions_by_profile
from clown_daemon.store.usage_sums import PICO_PER_USD, Sums, add_up
from clown_daemon.store.usage_windows import read_active_windows

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
        self._only = Only(profile)

    def read(self) -> tuple[ProfileUsage, ...]:
        borders = self._borders
        today, week, month = (self._period(start) for start in (borders.today_ms, borders.week_ms, borders.month_ms))
        minutes, hours, days = self._minutes(), self._hours(), self._days()
        windows = read_active_windows(self._connection, borders.now_ms, self._only.profile)
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
                window=windows.get(profile),
            )
            for profile, agent_id, last_ms in self._profiles()
        )

    def _profiles(self) -> list[tuple[str, str, int]]:
        """Every profile with the agent that used it last, and when."""
        condition, values = self._only.condition()
        rows = self._connection.execute(
            f"SELECT profile, agent_id, last_ms FROM usage_series WHERE {condition} ORDER BY profile, last_ms, series",  # noqa: S608  # our own names
            values,
        )
        return list({profile: (profile, agent_id, last_ms) for profile, agent_id, last_ms in rows}.values())

    def _period(self, start_ms: int) -> dict[str, PeriodUsage]:
        span = Span(start_ms, self._borders.end_ms)
        found: defaultdict[str, list[Series]] = defaultdict(list)
        for series in read_series(self._connection, span, self._only):
            found[series.profile].append(series)
        sessions = sessions_by_profile(self._connection, span, self._only)
        return {profile: _period_usage(start_ms, series, sessions[profile]) for profile, series in found.items()}

    def _minutes(self) -> Buckets:
        first = (self._borders.now_ms // MINUTE_MS - MINUTES_SHOWN + 1) * MINUTE_MS
        condition, values = self._only.condition()
        return _buckets(
            self._connection.execute(
                f"SELECT profile, at_ms / {MINUTE_MS} * {MINUTE_MS}, count(*), sum(records.total_pico IS NULL),"  # noqa: S608  # our own names
                " sum(records.input_tokens + records.output_tokens + records.cache_read_tokens"
                " + records.cache_write_5m_tokens + records.cache_write_1h_tokens), sum(records.total_pico)"
                " FROM usage_records AS records JOIN usage_series USING (series)"
                f" WHERE at_ms >= ? AND at_ms < ? AND NOT replay AND {condition} GROUP BY 1, 2 ORDER BY 1, 2",
                (first, self._borders.end_ms, *values),
            )
        )

    def _hours(self) -> Buckets:
        first = (self._borders.now_ms // HOUR_MS - HOURS_SHOWN + 1) * HOUR_MS
        return self._cut(f"quarter_ms / {HOUR_MS} * {HOUR_MS}", first)

    def _days(self) -> Buckets:
        """Cut the quarters by local days: a case for each day, since days differ in length."""
        days = self._borders.days
        cases = " ".join(f"WHEN quarter_ms >= {start} THEN {start}" for start in reversed(days))
        return self._cut(f"CASE {cases} END", days[0])

    def _cut(self, start: str, first_ms: int) -> Buckets:
        condition, values = self._only.rows(first_ms)
        return _buckets(
            self._connection.execute(
                f"SELECT profile, {start}, sum(quarters.responses), sum(quarters.unpriced_responses),"  # noqa: S608  # integers and our own names
                " sum(quarters.input_tokens + quarters.output_tokens + quarters.cache_read_tokens"
                " + quarters.cache_write_5m_tokens + quarters.cache_write_1h_tokens), sum(quarters.total_pico)"
                " FROM usage_quarters AS quarters JOIN usage_series USING (series)"
                f" WHERE {condition} AND quarter_ms >= ? AND quarter_ms < ? GROUP BY 1, 2 ORDER BY 1, 2",
                (*values, first_ms, self._borders.end_ms),
            )
        )


def _buckets(rows: Iterable[Any]) -> Buckets:
    buckets: Buckets = defaultdict(list)
    for profile, start_ms, responses, unpriced, tokens, pico in rows:
        cost = pico / PICO_PER_USD if unpriced < responses else None
        buckets[profile].append(UsageBucket(start_ms, tokens, cost))
    return buckets


def _period_usage(start_ms: int, series: Sequence[Series], sessions: int) -> PeriodUsage:
    models: defaultdict[str, list[Sums]] = defaultdict(list)
    agents: defaultdict[str, list[Sums]] = defaultdict(list)
    for found in series:
        models[found.model].append(found.sums)
        agents[found.agent_id].append(found.sums)
    return PeriodUsage(
        start_ms=start_ms,
        sessions=sessions,
        by_model=tuple(ModelUsage(model=model, **_told(add_up(sums))) for model, sums in sorted(models.items())),
        by_agent=tuple(AgentUsage(agent_id=agent, **_told(add_up(sums))) for agent, sums in sorted(agents.items())),
        **_told(add_up(found.sums for found in series)),
    )


def _told(sums: Sums) -> dict[str, Any]:
    """What every part of a total says of its sums."""
    return {
        "tokens": sums.tokens,
        "cost": sums.cost,
        "responses": sums.responses,
        "unpriced_responses": sums.unpriced_responses,
    }
