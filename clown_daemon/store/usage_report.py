"""The report of `GET /api/usage`: one period, by profile, optionally of one profile or one model.

Sums come from the rollups as exact integers; runtime comes from the runs of the same period, each cut at its borders,
whatever model they used.
"""

import sqlite3
from collections import defaultdict

from clown_daemon.protocol.requests import PERIOD_LABELS, Period
from clown_daemon.protocol.resources import ProfileUsageReport, UsageAggregates, UsageReport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import QUARTER_MS, Span
from clown_daemon.store.usage_spans import Only, read_series, session_count, sessions_by_profile
from clown_daemon.store.usage_sums import Sums, add_up


def read_report(
    connection: sqlite3.Connection, period: Period, span: Span, *, now_ms: int, profile: str | None, model: str | None
) -> UsageReport:
    """Read a report.

    Args:
        connection: in a read transaction.
        period: only for its label.
        span: where the period begins and ends.
        now_ms: where a run that still goes on counts to.
        profile: only this one, or None.
        model: only this one (its name with a date counts too), or None.
    """
    only = Only(profile=profile, model=model)
    sums: defaultdict[str, list[Sums]] = defaultdict(list)
    unpriced: set[str] = set()
    for series in read_series(connection, span, only):
        sums[series.profile].append(series.sums)
        if series.sums.unpriced_responses:
            unpriced.add(series.model)
    sessions = sessions_by_profile(connection, span, only)
    runtimes = _runtimes(connection, span, now_ms, profile)
    total = add_up(found for several in sums.values() for found in several)
    by_profile = {
        name: _profile_report(
            name,
            add_up(sums[name]),
            sessions.get(name, 0),
            runtimes.get(name, 0),
            _last_used(connection, span, only._replace(profile=name)),
        )
        for name in sorted(sums.keys() | runtimes.keys())
    }
    return UsageReport(
        period=PERIOD_LABELS[period],
        total_tokens=total.tokens,
        total_cost=total.cost,
        total_sessions=session_count(connection, span, only),
        total_runtime_secs=sum(runtimes.values()),
        aggregates=UsageAggregates(by_profile=by_profile),
        unpriced_responses=total.unpriced_responses,
        unpriced_models=tuple(sorted(unpriced)),
    )


def has_usage(connection: sqlite3.Connection, profile: str) -> bool:
    """Whether the ledger or the books of profiles know this name."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM usage_series WHERE profile = ? AND responses > 0)"
        " OR EXISTS (SELECT 1 FROM profiles WHERE alias = ?)",
        (profile, profile),
    ).fetchone()
    return bool(row[0])


def responses_by_agent(connection: sqlite3.Connection) -> dict[str, int]:
    """How many responses of each agent are in the ledger."""
    rows = connection.execute("SELECT agent_id, sum(responses) FROM usage_series GROUP BY agent_id")
    return {row[0]: row[1] for row in rows}


def _profile_report(
    profile: str, sums: Sums, sessions: int, runtime_secs: int, last_ms: int | None
) -> ProfileUsageReport:
    return ProfileUsageReport(
        profile=profile,
        tokens=sums.tokens,
        cost=sums.cost,
        sessions=sessions,
        runtime_secs=runtime_secs,
        last_used=None if last_ms is None else rfc3339(last_ms),
    )


def _last_used(connection: sqlite3.Connection, span: Span, only: Only) -> int | None:
    """The last use within a span: that over all time, unless it lies later; then it is looked for in the ledger."""
    condition, values = only.condition()
    last = connection.execute(f"SELECT max(last_ms) FROM usage_series WHERE {condition}", values)  # noqa: S608  # our own names
    last_ms: int | None = last.fetchone()[0]
    if last_ms is None or last_ms < span.start_ms:
        return None
    if last_ms < span.end_ms:
        return last_ms
    condition, values = only.rows(span.start_ms)
    quarter = connection.execute(
        f"SELECT max(quarter_ms) FROM usage_quarters WHERE {condition} AND quarter_ms >= ? AND quarter_ms < ?",  # noqa: S608  # our own names
        (*values, *span),
    ).fetchone()[0]
    if quarter is None:
        return None
    found = connection.execute(
        f"SELECT max(at_ms) FROM usage_records WHERE {condition} AND at_ms >= ? AND at_ms < ? AND NOT replay",  # noqa: S608  # our own names
        (*values, quarter, quarter + QUARTER_MS),
    ).fetchone()[0]
    return int(found)


def _runtimes(connection: sqlite3.Connection, span: Span, now_ms: int, profile: str | None) -> dict[str, int]:
    only, values = ("", ()) if profile is None else (" AND alias = ?4", (profile,))
    rows = connection.execute(
        "SELECT alias, sum(min(coalesce(ended_ms, ?1), ?3) - max(started_ms, ?2)) AS runtime_ms FROM runs"  # noqa: S608  # our own condition
        f" WHERE started_ms < ?3 AND coalesce(ended_ms, ?1) > ?2{only} GROUP BY alias",
        (now_ms, *span, *values),
    )
    return {row["alias"]: row["runtime_ms"] // 1000 for row in rows}
