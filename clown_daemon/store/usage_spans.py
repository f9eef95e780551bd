"""Sums of any span of time, from the coarsest rollups that make it up.

A span is whole days of UTC and quarters of an hour at its ends; all of the past is read from the sums over all time.
Spans begin and end at quarters of an hour, as every day of every time zone does.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from clown_daemon.store.periods import DAY_MS, MINUTE_MS, Span
from clown_daemon.store.usage_sums import ADDED_UP, OF_RECORDS, Sums, add_up

_DATED = "-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]"


class Only(NamedTuple):
    """What to read; None: whatever."""

    profile: str | None = None
    agent_id: str | None = None
    provider: str | None = None
    model: str | None = None
    """Its name with a date counts too."""
    project: str | None = None

    def condition(self) -> tuple[str, list[object]]:
        """A condition on rows of `usage_series`, and its values; the project is no part of it."""
        conditions, values = ["usage_series.responses > 0"], list[object]()
        for name, value in zip(self._fields[:4], self, strict=False):
            if value is None:
                continue
            values.append(value)
            if name == "model":
                # A model's name holds no wildcard that GLOB knows but "[", as in a window suffix.
                conditions.append("(model = ? OR model GLOB ?)")
                values.append(value.replace("[", "[[]") + _DATED)
            else:
                conditions.append(f"{name} = ?")
        return " AND ".join(conditions), values

    def rows(self, start_ms: int) -> tuple[str, list[object]]:
        """A condition on rows that have a `series`: one that was used since an instant; and its values.

        With a project it is one on rows that have a `project`, too.
        """
        condition, values = self.condition()
        used = f"SELECT series FROM usage_series WHERE {condition} AND usage_series.last_ms >= ?"  # noqa: S608  # our own names
        if self.project is None:
            return f"series IN ({used})", [*values, start_ms]
        of_project = "project = (SELECT project FROM usage_projects WHERE path = ?)"
        return f"series IN ({used}) AND {of_project}", [*values, start_ms, self.project]


EVERYTHING = Only()


class Series(NamedTuple):
    """A series with its sums in a span."""

    profile: str
    agent_id: str
    provider: str
    model: str
    sums: Sums


def read_series(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> list[Series]:
    """The series with usage in a span, sorted by profile, agent, provider, model."""
    found = sums_by(connection, "series", span, only)
    columns = "profile, agent_id, provider, model"
    condition, values = only.condition()
    rows = connection.execute(
        f"SELECT series, {columns} FROM usage_series WHERE {condition} AND last_ms >= ? ORDER BY {columns}",  # noqa: S608  # our own names
        (*values, span.start_ms),
    )
    return [
        Series(profile, agent_id, provider, model, found[series])
        for series, profile, agent_id, provider, model in rows
        if series in found
    ]


def read_projects(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> dict[str, Sums]:
    """The sums of a span by project, sorted; '' where it is unknown."""
    found = sums_by(connection, "project", span, only)
    rows = connection.execute("SELECT project, path FROM usage_projects ORDER BY path")
    return {path: found[project] for project, path in rows if project in found}


def sums_by(
    connection: sqlite3.Connection, number: Literal["series", "project"], span: Span, only: Only = EVERYTHING
) -> dict[int, Sums]:
    """The sums of a span by the number of a series or project, without those that have none in it."""
    condition, values = only.rows(span.start_ms)
    found: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for table, column, part in _parts(connection, span, by_project=number == "project" or only.project is not None):
        within = f" AND {column} >= ? AND {column} < ?" if part else ""
        rows = connection.execute(
            f"SELECT {number}, {ADDED_UP} FROM {table} WHERE {condition}{within} GROUP BY {number}",  # noqa: S608  # our own names
            (*values, *(part or ())),
        )
        for key, *sums in rows:
            found[key].append(tuple(sums))
    return {key: add_up(several) for key, several in found.items()}


def read_sums(
    connection: sqlite3.Connection,
    start_ms: int,
    end_ms: int,
    *,
    profile: str | None = None,
    agent_id: str | None = None,
) -> Sums:
    """The sums between two quarters of an hour: of one profile, of one agent, or of everything."""
    return add_up(sums_by(connection, "series", Span(start_ms, end_ms), Only(profile, agent_id)).values())


def sums_by_minute(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> list[tuple[int, Sums]]:
    """The sums of each minute with usage, oldest first; read from the ledger itself, so for short spans."""
    condition, values = only.rows(span.start_ms)
    rows = connection.execute(
        f"SELECT at_ms / {MINUTE_MS} * {MINUTE_MS} AS minute_ms, {OF_RECORDS} FROM usage_records"  # noqa: S608  # our own names
        f" WHERE at_ms >= ? AND at_ms < ? AND NOT replay AND {condition} GROUP BY minute_ms ORDER BY minute_ms",
        (*span, *values),
    )
    return [(start_ms, Sums(*sums)) for start_ms, *sums in rows]


def sessions_by_profile(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> dict[str, int]:
    """How many sessions each profile took part in."""
    if only._replace(profile=None) == EVERYTHING and _is_open_ended(connection, span):
        # What was used since the beginning was used in it.
        of_profile = "SELECT count(*) FROM usage_profile_sessions AS of WHERE of.profile = usage_profiles.profile"
        rows = connection.execute(
            f"SELECT profile, iif(?1 > 0, ({of_profile} AND last_ms >= ?1), sessions) FROM usage_profiles"  # noqa: S608  # our own names
            " WHERE ?2 IS NULL OR profile = ?2",
            (span.start_ms, only.profile),
        )
    else:
        found, values = session_rows(span, only)
        rows = connection.execute(
            f"SELECT profile, count(DISTINCT session) FROM ({found}) JOIN usage_series USING (series) GROUP BY profile",  # noqa: S608  # our own names
            values,
        )
    return {profile: sessions for profile, sessions in rows if sessions}


def session_count(connection: sqlite3.Connection, span: Span, only: Only = EVERYTHING) -> int:
    """How many sessions there were: not the sum over profiles, since two that took turns in one share it."""
    if only == EVERYTHING and _is_open_ended(connection, span):
        query = "SELECT count(*) FROM usage_sessions WHERE responses > 0 AND last_ms >= ?"
        values: list[object] = [span.start_ms]
    else:
        found, values = session_rows(span, only)
        query = f"SELECT count(DISTINCT session) FROM ({found})"  # noqa: S608  # our own names
    return int(connection.execute(query, values).fetchone()[0])


def session_rows(span: Span, only: Only, columns: str = "series, session") -> tuple[str, list[object]]:
    """A query of everything that sessions did in a span, and its values; a session has many rows."""
    condition, values = only.rows(span.start_ms)
    queries, parameters = [], list[object]()
    for table, column, part in cut(span, "usage_session_days"):
        queries.append(f"SELECT {columns} FROM {table} WHERE {condition} AND {column} >= ? AND {column} < ?")  # noqa: S608  # our own names
        parameters += [*values, *part]
    return " UNION ALL ".join(queries), parameters


def cut(span: Span, days: str) -> Iterator[tuple[str, str, Span]]:
    """Cut a span into whole days and the quarters at its ends: tables, the columns with their times, what to read."""
    first, last = -(-span.start_ms // DAY_MS) * DAY_MS, span.end_ms // DAY_MS * DAY_MS
    if first >= last:
        yield "usage_quarters", "quarter_ms", span
        return
    yield days, "day_ms", Span(first, last)
    for edge in (Span(span.start_ms, first), Span(last, span.end_ms)):
        if edge.start_ms < edge.end_ms:
            yield "usage_quarters", "quarter_ms", edge


def is_everything(connection: sqlite3.Connection, span: Span) -> bool:
    """Whether nothing lies outside of a span."""
    return span.start_ms <= 0 and _is_open_ended(connection, span)


def _is_open_ended(connection: sqlite3.Connection, span: Span) -> bool:
    """Whether nothing lies after the span; nothing does after today, but clocks of other machines can be ahead."""
    later = connection.execute("SELECT 1 FROM usage_series WHERE last_ms >= ? LIMIT 1", (span.end_ms,))
    return later.fetchone() is None


Part = tuple[str, str, Span | None]
"""A table, the column with its times, and what to read of it: None is everything."""


def _parts(connection: sqlite3.Connection, span: Span, *, by_project: bool) -> Iterable[Part]:
    if is_everything(connection, span):
        return [("usage_series_projects" if by_project else "usage_series", "", None)]
    return cut(span, "usage_session_days" if by_project else "usage_days")
