"""Sums of any span of time, from the coarsest rollups that make it up.

A span is whole days of UTC and quarters of an hour at its ends; all of the past is read from the sums over all time.
Spans begin and end at quarters of an hour, as every day of every time zone does.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from clown_daemon.store.periods import DAY_MS, Span
from clown_daemon.store.usage_sums import ADDED_UP, COLUMNS, Sums, add_up

_DATED = "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]"


class Only(NamedTuple):
    """Which series to read; None: whatever."""

    profile: str | None = None
    agent_id: str | None = None
    provider: str | None = None
    model: str | None = None
    """Its name with a date counts too."""
    project: str | None = None

    def condition(self) -> tuple[str, tuple[str, ...]]:
        """A condition on rows with a `series`, beginning with AND, and its values; empty when everything is read."""
        asked = [(name, value) for name, value in zip(self._fields, self, strict=True) if value is not None]
        if not asked:
            return "", ()
        conditions, values = [], []
        for name, value in asked:
            conditions.append(f"{name} = ?")
            values.append(value)
            if name == "model":
                # A model's name holds no wildcard that GLOB knows but "[", as in a window suffix.
                conditions[-1] = "(model = ? OR model GLOB ?)"
                values.append(value.replace("[", "[[]") + _DATED)
        chosen = " AND ".join(conditions)
        return f" AND series IN (SELECT series FROM usage_series WHERE {chosen})", tuple(values)  # noqa: S608  # our own names


EVERYTHING = Only()


class Series(NamedTuple):
    """A series with its sums in a span."""

    profile: str
    agent_id: str
    provider: str
    model: str
    project: str | None
    sums: Sums


def read_series(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> list[Series]:
    """The series with usage in a span, sorted by profile, agent, provider, model, project."""
    columns = "profile, agent_id, provider, model, project"
    if _is_everything(connection, span):
        condition, values = only.condition()
        rows = connection.execute(
            f"SELECT {columns}, {COLUMNS} FROM usage_series WHERE responses > 0{condition} ORDER BY {columns}",  # noqa: S608  # our own names
            values,
        )
        return [_series(row) for row in rows]
    sums = sums_by_series(connection, span, only)
    rows = connection.execute(f"SELECT series, {columns} FROM usage_series ORDER BY {columns}")  # noqa: S608  # our own names
    return [_series((*tuple(row)[1:], *sums[row[0]])) for row in rows if row[0] in sums]


def sums_by_series(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> dict[int, Sums]:
    """The sums of a span by series, without series that have none in it."""
    condition, values = only.condition()
    found: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for table, column, part in _parts(span, "usage_days"):
        rows = connection.execute(
            f"SELECT series, {ADDED_UP} FROM {table} WHERE {column} >= ? AND {column} < ?{condition} GROUP BY series",  # noqa: S608  # our own names
            (*part, *values),
        )
        for row in rows:
            found[row[0]].append(tuple(row)[1:])
    return {series: add_up(rows) for series, rows in found.items()}


def read_sums(
    connection: sqlite3.Connection,
    start_ms: int,
    end_ms: int,
    *,
    profile: str | None = None,
    agent_id: str | None = None,
) -> Sums:
    """The sums between two quarters of an hour: of one profile, of one agent, or of everything."""
    return add_up(sums_by_series(connection, Span(start_ms, end_ms), Only(profile, agent_id)).values())


def sessions_by_profile(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> dict[str, int]:
    """How many sessions each profile took part in."""
    condition, values = only.condition()
    if not condition and _is_everything(connection, span):
        return dict(map(tuple, connection.execute("SELECT profile, sessions FROM usage_profiles WHERE sessions > 0")))
    query, parameters = _sessions(span, condition, values)
    rows = connection.execute(
        f"SELECT profile, count(DISTINCT session) FROM ({query}) JOIN usage_series USING (series) GROUP BY profile",  # noqa: S608  # our own names
        parameters,
    )
    return dict(map(tuple, rows))


def session_count(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> int:
    """How many sessions there were: not the sum over profiles, since two that took turns in one share it."""
    condition, values = only.condition()
    if not condition and _is_everything(connection, span):
        return int(connection.execute("SELECT count(*) FROM usage_sessions WHERE responses > 0").fetchone()[0])
    query, parameters = _sessions(span, condition, values)
    return int(connection.execute(f"SELECT count(DISTINCT session) FROM ({query})", parameters).fetchone()[0])  # noqa: S608  # our own names


def _sessions(span: Span, condition: str, values: tuple[str, ...]) -> tuple[str, list[object]]:
    queries, parameters = [], list[object]()
    for table, column, part in _parts(span, "usage_session_days"):
        queries.append(f"SELECT series, session FROM {table} WHERE {column} >= ? AND {column} < ?{condition}")  # noqa: S608  # our own names
        parameters += [*part, *values]
    return " UNION ALL ".join(queries), parameters


def _parts(span: Span, days: str) -> Iterator[tuple[str, str, Span]]:
    """Cut a span: tables, the columns with their times, and what to read of them."""
    first, last = -(-span.start_ms // DAY_MS) * DAY_MS, span.end_ms // DAY_MS * DAY_MS
    if first >= last:
        yield "usage_quarters", "quarter_ms", span
        return
    yield days, "day_ms", Span(first, last)
    for edge in (Span(span.start_ms, first), Span(last, span.end_ms)):
        if edge.start_ms < edge.end_ms:
            yield "usage_quarters", "quarter_ms", edge


def _is_everything(connection: sqlite3.Connection, span: Span) -> bool:
    """Whether nothing lies outside of the span; clocks of other machines can be ahead of ours."""
    if span.start_ms > 0:
        return False
    later = connection.execute("SELECT 1 FROM usage_quarters WHERE quarter_ms >= ? LIMIT 1", (span.end_ms,))
    return later.fetchone() is None


def _series(row: Iterable[Any]) -> Series:
    profile, agent_id, provider, model, project, *sums = row
    return Series(profile, agent_id, provider, model, project or None, Sums(*sums))
