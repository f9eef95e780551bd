"""The report of `GET /api/usage`: one period, by profile, optionally of one profile or one model.

Sums come from `usage_quarters` as exact integers; runtime comes from the runs of the same period, each cut at its
borders, whatever model they used.
"""

import sqlite3
from collections import defaultdict

from clown_daemon.protocol.requests import PERIOD_LABELS, Period
from clown_daemon.protocol.resources import ProfileUsageReport, UsageAggregates, UsageReport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.periods import QUARTER_MS, Span
from clown_daemon.store.usage_totals import SUMS, add_up, known_cost, tokens_of

_DATED = "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]"


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
    where, values = _condition(span, profile, model)
    sums: defaultdict[str, list[list[int]]] = defaultdict(list)
    unpriced: set[str] = set()
    query = f"SELECT profile, model, {SUMS} FROM usage_quarters WHERE {where} GROUP BY profile, model"  # noqa: S608  # our own names
    for row in connection.execute(query, values):
        found = tuple(row)
        sums[found[0]].append(list(found[2:]))
        if found[3]:
            unpriced.add(found[1])
    sessions = _sessions(connection, where, values)
    runtimes = _runtimes(connection, span, now_ms, profile)
    last_used = _last_used(connection, span, profile, model)
    total = add_up(row for rows in sums.values() for row in rows)
    by_profile = {
        name: _profile_report(
            name, add_up(sums[name]), sessions.get(name, 0), runtimes.get(name, 0), last_used.get(name)
        )
        for name in sorted(sums.keys() | runtimes.keys())
    }
    return UsageReport(
        period=PERIOD_LABELS[period],
        total_tokens=tokens_of(total),
        total_cost=known_cost(total),
        total_sessions=_all_sessions(connection, where, values),
        total_runtime_secs=sum(runtimes.values()),
        aggregates=UsageAggregates(by_profile=by_profile),
        unpriced_responses=total[1],
        unpriced_models=tuple(sorted(unpriced)),
    )


def has_usage(connection: sqlite3.Connection, profile: str) -> bool:
    """Whether the ledger or the books of profiles know this name."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM usage_records WHERE profile = ?)"
        " OR EXISTS (SELECT 1 FROM profiles WHERE alias = ?)",
        (profile, profile),
    ).fetchone()
    return bool(row[0])


def _profile_report(
    profile: str, sums: list[int], sessions: int, runtime_secs: int, last_ms: int | None
) -> ProfileUsageReport:
    return ProfileUsageReport(
        profile=profile,
        tokens=tokens_of(sums),
        cost=known_cost(sums),
        sessions=sessions,
        runtime_secs=runtime_secs,
        last_used=None if last_ms is None else rfc3339(last_ms),
    )


def _condition(
    span: Span, profile: str | None, model: str | None, time: str = "quarter_ms"
) -> tuple[str, list[object]]:
    where, values = [f"{time} >= ?", f"{time} < ?"], [*span]
    parameters: list[object] = [*values]
    if profile is not None:
        where.append("profile = ?")
        parameters.append(profile)
    if model is not None:
        # A model's name holds no wildcard that GLOB knows but "[", as in a window suffix.
        where.append("(model = ? OR model GLOB ?)")
        parameters.extend((model, model.replace("[", "[[]") + _DATED))
    return " AND ".join(where), parameters


def _sessions(connection: sqlite3.Connection, where: str, values: list[object]) -> dict[str, int]:
    query = f"SELECT profile, count(DISTINCT session) AS found FROM usage_quarters WHERE {where} GROUP BY profile"  # noqa: S608  # our own names
    return {row["profile"]: row["found"] for row in connection.execute(query, values)}


def _all_sessions(connection: sqlite3.Connection, where: str, values: list[object]) -> int:
    # Not the sum over profiles: two profiles that took turns in one session share it.
    query = f"SELECT count(DISTINCT session) AS found FROM usage_quarters WHERE {where}"  # noqa: S608  # our own names
    return int(connection.execute(query, values).fetchone()["found"])


def _last_used(connection: sqlite3.Connection, span: Span, profile: str | None, model: str | None) -> dict[str, int]:
    """The last use of each profile: its last quarter of an hour is found in the sums, the instant in the ledger."""
    where, values = _condition(span, profile, model)
    query = f"SELECT profile, max(quarter_ms) AS last_ms FROM usage_quarters WHERE {where} GROUP BY profile"  # noqa: S608  # our own names
    last_used = {}
    for row in connection.execute(query, values).fetchall():
        quarter = Span(row["last_ms"], row["last_ms"] + QUARTER_MS)
        where, values = _condition(quarter, row["profile"], model, "at_ms")
        query = f"SELECT max(at_ms) AS last_ms FROM usage_records WHERE {where}"  # noqa: S608  # our own names
        last_used[row["profile"]] = connection.execute(query, values).fetchone()["last_ms"]
    return last_used


def _runtimes(connection: sqlite3.Connection, span: Span, now_ms: int, profile: str | None) -> dict[str, int]:
    only, values = ("", ()) if profile is None else (" AND alias = ?4", (profile,))
    rows = connection.execute(
        "SELECT alias, sum(min(coalesce(ended_ms, ?1), ?3) - max(started_ms, ?2)) AS runtime_ms FROM runs"  # noqa: S608  # our own condition
        f" WHERE started_ms < ?3 AND coalesce(ended_ms, ?1) > ?2{only} GROUP BY alias",
        (now_ms, *span, *values),
    )
    return {row["alias"]: row["runtime_ms"] // 1000 for row in rows}
