"""The sums of the ledger, kept in step with its rows: whoever changes rows tells `Growth`, which changes the sums.

A change is told by *place*: a series, a quarter of an hour, a session and a project. What changes is gathered in a
temporary table, `usage_growth`, and added to every rollup by SQL: by quarter, by day, and over all time. `rebuild`
makes all sums from the rows again.
"""

import sqlite3
from collections.abc import Sequence

from clown_daemon.store.periods import DAY_MS, QUARTER_MS
from clown_daemon.store.usage_rows import Stored
from clown_daemon.store.usage_sums import ADDED_UP, COLUMNS, NOTHING, OF_RECORDS, Sums, negative

_GROWTH = f"""
CREATE TEMP TABLE IF NOT EXISTS usage_growth (
    series INTEGER, quarter_ms INTEGER, session INTEGER, project INTEGER, {COLUMNS},
    first_ms INTEGER, last_ms INTEGER, priced INTEGER
)
"""
_OF_NEW = f"""
INSERT INTO usage_growth
SELECT series, at_ms / {QUARTER_MS} * {QUARTER_MS}, session, project, {OF_RECORDS}, min(at_ms), max(at_ms),
    max(total_pico IS NOT NULL)
FROM usage_records WHERE record > ? AND NOT replay GROUP BY 1, 2, 3, 4
"""  # noqa: S608  # our own names
_OF_OLD = f"INSERT INTO usage_growth VALUES ({', '.join('?' * (len(Sums._fields) + 7))})"  # noqa: S608  # our own names
_DAY = f"quarter_ms / {DAY_MS} * {DAY_MS}"


class Growth:
    """What one write changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin before the first row is added."""
        self._connection = connection
        self.last_record: int = connection.execute("SELECT ifnull(max(record), 0) FROM usage_records").fetchone()[0]
        """The last row before this write."""
        self._told: list[tuple[int | None, ...]] = []
        self._moved: list[Stored] = []

    def count(self, row: Stored, *, added: bool) -> None:
        """Tell that a row from before this write counts now, or does not any more."""
        at_ms = row.entry.response.at_ms
        sums = _sums_of(row)
        place = (row.series, at_ms // QUARTER_MS * QUARTER_MS, row.session, row.project)
        priced = row.entry.costs is not None
        self._told.append(
            (*place, *sums, at_ms, at_ms, priced) if added else (*place, *negative(sums), None, None, priced)
        )
        self._moved.append(row)

    def finish(self) -> None:
        """Bring all sums up to date; `usage_growth` tells by how much they changed."""
        connection = self._connection
        connection.execute(_GROWTH)
        connection.execute("DELETE FROM usage_growth")
        connection.execute(_OF_NEW, (self.last_record,))
        connection.executemany(_OF_OLD, self._told)
        for table, keys, values in (
            ("usage_quarters", "series, quarter_ms, session, project", "series, quarter_ms, session, project"),
            ("usage_days", "series, day_ms", f"series, {_DAY}"),
            ("usage_session_days", "series, day_ms, session, project", f"series, {_DAY}, session, project"),
            ("usage_series_projects", "series, project", "series, project"),
        ):
            self._grow(table, keys, values)
        self._grow_totals("usage_series", "series")
        self._grow_totals("usage_sessions", "session")
        self._grow_profiles()
        self._find_ends()

    def _grow(self, table: str, keys: str, values: str) -> None:
        grown = ", ".join(f"{name} = {name} + excluded.{name}" for name in Sums._fields)
        self._connection.execute(
            f"INSERT INTO {table} ({keys}, {COLUMNS}) SELECT {values}, {ADDED_UP} FROM usage_growth WHERE true"  # noqa: S608  # our own names
            f" GROUP BY {values} ON CONFLICT ({keys}) DO UPDATE SET {grown}"
        )
        if self._moved:
            shrunk = f"SELECT {values} FROM usage_growth WHERE responses < 0"  # noqa: S608  # our own names
            self._connection.execute(f"DELETE FROM {table} WHERE ({keys}) IN ({shrunk}) AND responses = 0")  # noqa: S608  # our own names

    def _grow_totals(self, table: str, number: str) -> None:
        grown = ", ".join(f"{name} = {table}.{name} + grown.{name}" for name in Sums._fields)
        first = (
            ", first_ms = min(ifnull(grown.first_ms, usage_sessions.first_ms),"
            " ifnull(usage_sessions.first_ms, grown.first_ms))"
        )
        self._connection.execute(
            f"UPDATE {table} SET {grown}, last_ms = max(ifnull(grown.last_ms, 0), ifnull({table}.last_ms, 0))"  # noqa: S608  # our own names
            f"{first if number == 'session' else ''}"
            f" FROM (SELECT {number}, {_NAMED}, min(first_ms) AS first_ms, max(last_ms) AS last_ms FROM usage_growth"
            f" GROUP BY {number}) AS grown WHERE grown.{number} = {table}.{number}"
        )

    def _grow_profiles(self) -> None:
        self._connection.execute(
            "INSERT INTO usage_profile_sessions (profile, session, last_ms, responses)"
            " SELECT profile, session, ifnull(max(usage_growth.last_ms), 0), sum(usage_growth.responses)"
            " FROM usage_growth JOIN usage_series USING (series) WHERE true GROUP BY profile, session"
            " ON CONFLICT (profile, session) DO UPDATE"
            " SET responses = responses + excluded.responses, last_ms = max(last_ms, excluded.last_ms)"
        )
        if self._moved:
            self._connection.execute(
                "DELETE FROM usage_profile_sessions WHERE responses = 0 AND (profile, session) IN"
                " (SELECT profile, session FROM usage_growth JOIN usage_series USING (series))"
            )

    def _find_ends(self) -> None:
        """Find again when something was first and last used: a row that moved or was hidden may have been that."""
        connection = self._connection
        for series in {row.series for row in self._moved}:
            last = _end_of(connection, "max", "series = :series", series=series)
            connection.execute("UPDATE usage_series SET last_ms = ? WHERE series = ?", (last, series))
        for session in {row.session for row in self._moved}:
            first, last = (_end_of(connection, end, "session = :session", session=session) for end in ("min", "max"))
            connection.execute(
                "UPDATE usage_sessions SET first_ms = ?, last_ms = ? WHERE session = ?", (first, last, session)
            )
        for session, profile in {(row.session, row.entry.profile) for row in self._moved}:
            last = _end_of(connection, "max", _IN_PROFILE, session=session, profile=profile)
            connection.execute(
                "UPDATE usage_profile_sessions SET last_ms = ifnull(?, 0) WHERE session = ? AND profile = ?",
                (last, session, profile),
            )


_IN_PROFILE = "session = :session AND series IN (SELECT series FROM usage_series WHERE profile = :profile)"


def rebuild(connection: sqlite3.Connection) -> None:
    """Make all sums from the rows of the ledger, whatever they were."""
    for table in (
        "usage_quarters",
        "usage_days",
        "usage_session_days",
        "usage_series_projects",
        "usage_profile_sessions",
        "usage_profiles",
    ):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own names
    zeros = ", ".join(f"{name} = 0" for name in Sums._fields)
    connection.execute(f"UPDATE usage_series SET {zeros}, last_ms = NULL")  # noqa: S608  # our own names
    connection.execute(f"UPDATE usage_sessions SET {zeros}, first_ms = NULL, last_ms = NULL")  # noqa: S608  # our own names
    growth = Growth(connection)
    growth.last_record = 0
    growth.finish()


_NAMED = ", ".join(f"sum({name}) AS {name}" for name in Sums._fields)


def _sums_of(row: Stored) -> Sums:
    response, costs = row.entry.response, row.entry.costs
    pico: Sequence[int] = NOTHING[9:] if costs is None else costs[:5]
    return Sums(
        1,
        int(costs is None),
        response.input_tokens,
        response.output_tokens,
        response.cache_write_5m_tokens,
        response.cache_write_1h_tokens,
        response.cache_read_tokens,
        response.reasoning_tokens,
        response.web_searches,
        *pico,
    )


_TO_THE_ROW = (
    "SELECT {end}(day_ms) FROM usage_session_days WHERE {only}",
    (
        "SELECT {end}(quarter_ms) FROM usage_quarters"
        " WHERE {only} AND quarter_ms >= :start_ms AND quarter_ms < :start_ms + {day_ms}"
        " AND series IN (SELECT series FROM usage_session_days WHERE {only} AND day_ms = :start_ms)"
    ),
    (
        "SELECT {end}(at_ms) FROM usage_records"
        " WHERE {only} AND at_ms >= :start_ms AND at_ms < :start_ms + {quarter_ms} AND NOT replay"
    ),
)


def _end_of(connection: sqlite3.Connection, end: str, only: str, **values: object) -> int | None:
    """Answer the first (`min`) or last (`max`) instant of rows, found from the coarsest sums down to the row."""
    found: int | None = None
    for template in _TO_THE_ROW:
        query = template.format(end=end, only=only, day_ms=DAY_MS, quarter_ms=QUARTER_MS)
        found = connection.execute(query, {**values, "start_ms": found}).fetchone()[0]
        if found is None:
            break
    return found
