"""The report of `GET /api/usage`: one period, by profile, agent, provider and model, optionally of only some of it.

Sums come from the rollups as exact integers; runtime comes from the runs of the same period, each cut at its borders,
whatever model they used.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from clown_daemon.protocol.requests import PERIOD_LABELS, Period
from clown_daemon.protocol.resources import PartUsage, ProfileUsageReport, UsageAggregates, UsageReport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import QUARTER_MS, Span
from clown_daemon.store.usage_spans import (
    EVERYTHING,
    Only,
    Series,
    read_projects,
    read_series,
    session_count,
    sessions_by_profile,
)
from clown_daemon.store.usage_sums import NOTHING, Sums, add_up


def read_report(
    connection: sqlite3.Connection,
    period: Period,
    span: Span,
    only: Only = EVERYTHING,
    *,
    now_ms: int,
    by_project: bool = False,
) -> UsageReport:
    """Read a report.

    Args:
        connection: in a read transaction.
        period: only for its label.
        span: where the period begins and ends.
        only: what is counted.
        now_ms: where a run that still goes on counts to.
        by_project: whether to tell the projects apart, too.
    """
    found = read_series(connection, span, only)
    profiles = _by(found, lambda series: series.profile)
    sessions = sessions_by_profile(connection, span, only)
    runtimes = _runtimes(connection, span, now_ms, only.profile)
    last_used = _last_used(connection, span, only)
    total = add_up(series.sums for series in found)
    by_profile = {
        name: _profile_report(
            name,
            profiles.get(name, NOTHING),
            sessions.get(name, 0),
            runtimes.get(name, 0),
            last_used.get(name),
        )
        for name in sorted(profiles.keys() | runtimes.keys())
    }
    return UsageReport(
        period=PERIOD_LABELS[period],
        total_tokens=total.tokens,
        total_cost=total.cost,
        total_sessions=session_count(connection, span, only),
        total_runtime_secs=sum(runtimes.values()),
        aggregates=UsageAggregates(
            by_profile=by_profile,
            by_agent=_parts(_by(found, lambda series: series.agent_id)),
            by_provider=_parts(_by(found, lambda series: series.provider)),
            by_model=_parts(_by(found, lambda series: series.model)),
            by_project=_parts(read_projects(connection, span, only)) if by_project else None,
        ),
        unpriced_responses=total.unpriced_responses,
        unpriced_models=tuple(sorted({series.model for series in found if series.sums.unpriced_responses})),
    )


def read_profile_names(connection: sqlite3.Connection) -> list[str]:
    """The profiles that the ledger or the books of profiles know, sorted."""
    rows = connection.execute("SELECT alias FROM profiles UNION SELECT profile FROM usage_series ORDER BY 1")
    return [row[0] for row in rows]


def read_provider_names(connection: sqlite3.Connection) -> list[str]:
    """The providers that ever billed anything, sorted."""
    return [row[0] for row in connection.execute("SELECT DISTINCT provider FROM usage_series ORDER BY 1")]


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


def _by(found: Iterable[Series], name_of: Callable[[Series], str]) -> dict[str, Sums]:
    sums: defaultdict[str, list[Sums]] = defaultdict(list)
    for series in found:
        sums[name_of(series)].append(series.sums)
    return {name: add_up(several) for name, several in sorted(sums.items())}


def _parts(sums: Mapping[str, Sums]) -> dict[str, PartUsage]:
    return {
        name: PartUsage(
            tokens=found.tokens,
            cost=found.cost,
            responses=found.responses,
            unpriced_responses=found.unpriced_responses,
        )
        for name, found in sums.items()
    }


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


def _last_used(connection: sqlite3.Connection, span: Span, only: Only) -> dict[str, int]:
    """The last use of each profile within a span: that over all time, unless it lies later or is of another project."""
    condition, values = only.condition()
    rows = connection.execute(
        f"SELECT profile, max(last_ms) FROM usage_series WHERE {condition} AND last_ms >= ? GROUP BY profile",  # noqa: S608  # our own names
        (*values, span.start_ms),
    )
    found = dict[str, int]()
    for profile, last_ms in rows.fetchall():
        is_it = only.project is None and last_ms < span.end_ms
        within = last_ms if is_it else _last_within(connection, span, only._replace(profile=profile))
        if within is not None:
            found[profile] = within
    return found


def _last_within(connection: sqlite3.Connection, span: Span, only: Only) -> int | None:
    """Find the last use in the ledger, in the last quarter of an hour that the sums have."""
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
