"""The sums of the ledger, kept in step with its rows: whoever changes rows tells `Growth`, which changes the sums.

A change is told by *place*: a quarter of an hour, a series and a session. The sums by day, by session and over all
time follow from it. `rebuild` makes all of them from the rows again.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from clown_daemon.store.periods import DAY_MS, QUARTER_MS
from clown_daemon.store.usage_rows import Stored
from clown_daemon.store.usage_sums import ADDED_UP, COLUMNS, NOTHING, OF_RECORDS, Sums, add_up, negative


class Place(NamedTuple):
    """Where a response counts."""

    quarter_ms: int
    series: int
    session: int


Grown = Mapping[Place, Sums]
"""By how much the sums of each place change."""


class Growth:
    """What one write changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin before the first row is added."""
        self._connection = connection
        self._last_record: int = connection.execute("SELECT ifnull(max(record), 0) FROM usage_records").fetchone()[0]
        self._told: defaultdict[Place, list[Sums]] = defaultdict(list)
        self._moved: list[Stored] = []

    @property
    def last_record(self) -> int:
        """The last row before this write."""
        return self._last_record

    def count(self, row: Stored, *, added: bool) -> None:
        """Tell that a row from before this write counts now, or does not any more."""
        response = row.entry.response
        sums = _sums_of(row)
        place = Place(response.at_ms // QUARTER_MS * QUARTER_MS, row.series, row.session)
        self._told[place].append(sums if added else negative(sums))
        self._moved.append(row)

    def finish(self) -> dict[Place, Sums]:
        """Bring all sums up to date; answer by how much those of each place changed, without places that did not."""
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        last_of_series: dict[int, int] = {}
        for row in self._connection.execute(
            f"SELECT at_ms / {QUARTER_MS} * {QUARTER_MS}, series, session, {OF_RECORDS}, min(at_ms), max(at_ms)"  # noqa: S608  # our own names
            " FROM usage_records WHERE record > ? AND NOT replay GROUP BY 1, 2, 3",
            (self._last_record,),
        ):
            values = tuple(row)
            place = Place(*values[:3])
            self._told[place].append(Sums(*values[3:-2]))
            first[place.session] = min(values[-2], first.get(place.session, values[-2]))
            last[place.session] = max(values[-1], last.get(place.session, values[-1]))
            last_of_series[place.series] = max(values[-1], last_of_series.get(place.series, values[-1]))
        grown = {place: sums for place, told in self._told.items() if any(sums := add_up(told))}
        _apply(self._connection, grown)
        self._connection.executemany(
            "UPDATE usage_series SET last_ms = max(?, ifnull(last_ms, 0)) WHERE series = ?",
            [(at_ms, series) for series, at_ms in last_of_series.items()],
        )
        self._connection.executemany(
            "UPDATE usage_sessions SET first_ms = min(?1, ifnull(first_ms, ?1)), last_ms = max(?2, ifnull(last_ms, 0))"
            " WHERE session = ?3",
            [(first[session], last[session], session) for session in first],
        )
        for series in {row.series for row in self._moved}:
            _find_last_use(self._connection, series)
        for session in {row.session for row in self._moved}:
            _find_ends(self._connection, session)
        return grown


def rebuild(connection: sqlite3.Connection) -> None:
    """Make all sums from the rows of the ledger, whatever they were."""
    _clear(connection)
    connection.execute(
        f"INSERT INTO usage_quarters SELECT at_ms / {QUARTER_MS} * {QUARTER_MS}, series, session, {OF_RECORDS}"  # noqa: S608  # our own names
        " FROM usage_records WHERE NOT replay GROUP BY 1, 2, 3"
    )
    day = f"quarter_ms / {DAY_MS} * {DAY_MS}"
    connection.execute(f"INSERT INTO usage_days SELECT {day}, series, {ADDED_UP} FROM usage_quarters GROUP BY 1, 2")  # noqa: S608  # our own names
    connection.execute(
        f"INSERT INTO usage_session_days SELECT {day}, session, series, {ADDED_UP} FROM usage_quarters GROUP BY 1, 2, 3"  # noqa: S608  # our own names
    )
    connection.execute(
        "INSERT INTO usage_profile_sessions SELECT profile, session, sum(usage_session_days.responses)"
        " FROM usage_session_days JOIN usage_series USING (series) GROUP BY 1, 2"
    )
    for table, number, rollup in (
        ("usage_series", "series", "usage_days"),
        ("usage_sessions", "session", "usage_session_days"),
    ):
        connection.execute(
            f"UPDATE {table} SET ({COLUMNS}) = (SELECT {ADDED_UP} FROM {rollup}"  # noqa: S608  # our own names
            f" WHERE {rollup}.{number} = {table}.{number})"
            f" WHERE {number} IN (SELECT {number} FROM {rollup})"
        )
    connection.execute(
        "UPDATE usage_series SET last_ms = found.last_ms FROM (SELECT series, max(at_ms) AS last_ms"
        " FROM usage_records WHERE NOT replay GROUP BY series) AS found WHERE found.series = usage_series.series"
    )
    connection.execute(
        "UPDATE usage_sessions SET (first_ms, last_ms) = (found.first_ms, found.last_ms)"
        " FROM (SELECT session, min(at_ms) AS first_ms, max(at_ms) AS last_ms FROM usage_records WHERE NOT replay"
        " GROUP BY session) AS found WHERE found.session = usage_sessions.session"
    )


def _clear(connection: sqlite3.Connection) -> None:
    for table in ("usage_quarters", "usage_days", "usage_session_days", "usage_profile_sessions", "usage_profiles"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own names
    zeros = ", ".join(f"{name} = 0" for name in Sums._fields)
    connection.execute(f"UPDATE usage_series SET {zeros}, last_ms = NULL")  # noqa: S608  # our own names
    connection.execute(f"UPDATE usage_sessions SET {zeros}, first_ms = NULL, last_ms = NULL")  # noqa: S608  # our own names


def _upsert(table: str, keys: str) -> str:
    places = ", ".join("?" * (len(keys.split(", ")) + len(Sums._fields)))
    grown = ", ".join(f"{name} = {name} + excluded.{name}" for name in Sums._fields)
    return f"INSERT INTO {table} ({keys}, {COLUMNS}) VALUES ({places}) ON CONFLICT ({keys}) DO UPDATE SET {grown}"  # noqa: S608  # our own names


def _day(place: Place) -> int:
    return place.quarter_ms // DAY_MS * DAY_MS


def _apply(connection: sqlite3.Connection, grown: Grown) -> None:
    items = grown.items()
    _grow(connection, "usage_quarters", "quarter_ms, series, session", grown)
    by_day = _added_up(((_day(place), place.series), sums) for place, sums in items)
    _grow(connection, "usage_days", "day_ms, series", by_day)
    by_session_day = _added_up(((_day(place), place.session, place.series), sums) for place, sums in items)
    _grow(connection, "usage_session_days", "day_ms, session, series", by_session_day)
    _grow_totals(connection, "usage_series", "series", _added_up(((place.series,), sums) for place, sums in items))
    _grow_totals(connection, "usage_sessions", "session", _added_up(((place.session,), sums) for place, sums in items))
    _grow_profiles(connection, grown)


def _grow(connection: sqlite3.Connection, table: str, keys: str, grown: Mapping[tuple[int, ...], Sums] | Grown) -> None:
    connection.executemany(_upsert(table, keys), [(*key, *sums) for key, sums in grown.items()])
    places = ", ".join("?" * len(keys.split(", ")))
    connection.executemany(
        f"DELETE FROM {table} WHERE ({keys}) = ({places}) AND responses = 0",  # noqa: S608  # our own names
        [key for key, sums in grown.items() if sums.responses < 0],
    )


def _grow_totals(
    connection: sqlite3.Connection, table: str, number: str, grown: Mapping[tuple[int, ...], Sums]
) -> None:
    added = ", ".join(f"{name} = {name} + ?" for name in Sums._fields)
    connection.executemany(
        f"UPDATE {table} SET {added} WHERE {number} = ?",  # noqa: S608  # our own names
        [(*sums, *key) for key, sums in grown.items()],
    )


def _grow_profiles(connection: sqlite3.Connection, grown: Grown) -> None:
    profiles = profiles_of(connection, {place.series for place in grown})
    responses: defaultdict[tuple[str, int], int] = defaultdict(int)
    for place, sums in grown.items():
        responses[profiles[place.series], place.session] += sums.responses
    connection.executemany(
        "INSERT INTO usage_profile_sessions VALUES (?, ?, ?)"
        " ON CONFLICT (profile, session) DO UPDATE SET responses = responses + excluded.responses",
        [(*key, count) for key, count in responses.items() if count],
    )
    connection.executemany(
        "DELETE FROM usage_profile_sessions WHERE profile = ? AND session = ? AND responses = 0",
        [key for key, count in responses.items() if count < 0],
    )


def profiles_of(connection: sqlite3.Connection, series: Iterable[int]) -> dict[int, str]:
    """The profile of each of these series."""
    rows = connection.execute(
        "SELECT series, profile FROM usage_series WHERE series IN (SELECT value FROM json_each(?))",
        (json.dumps(list(series)),),
    )
    return {row["series"]: row["profile"] for row in rows}


def _added_up(rows: Iterable[tuple[tuple[int, ...], Sums]]) -> dict[tuple[int, ...], Sums]:
    gathered: defaultdict[tuple[int, ...], list[Sums]] = defaultdict(list)
    for key, sums in rows:
        gathered[key].append(sums)
    return {key: found[0] if len(found) == 1 else add_up(found) for key, found in gathered.items()}


def _sums_of(row: Stored) -> Sums:
    response, costs = row.entry.response, row.entry.costs
    pico: Sequence[int] = NOTHING[9:] if costs is None else costs[:5]
    return Sums(
        1,
        costs is None,
        response.input_tokens,
        response.output_tokens,
        response.cache_write_5m_tokens,
        response.cache_write_1h_tokens,
        response.cache_read_tokens,
        response.reasoning_tokens,
        response.web_searches,
        *pico,
    )


# -- when something was first and last used ---------------------------------------------------------------------------
# These only grow while rows are added. A row that moved or stopped counting may have been the first or the last: then
# they are found again, from the coarsest sums down to the row.


def _find_last_use(connection: sqlite3.Connection, series: int) -> None:
    found = _end_of(connection, "series", series, "max", "usage_days")
    connection.execute("UPDATE usage_series SET last_ms = ? WHERE series = ?", (found, series))


def _find_ends(connection: sqlite3.Connection, session: int) -> None:
    first, last = (_end_of(connection, "session", session, end, "usage_session_days") for end in ("min", "max"))
    connection.execute("UPDATE usage_sessions SET first_ms = ?, last_ms = ? WHERE session = ?", (first, last, session))


def _end_of(connection: sqlite3.Connection, number: str, value: int, end: str, days: str) -> int | None:
    only = f"{number} = ?1"
    day = connection.execute(f"SELECT {end}(day_ms) FROM {days} WHERE {only}", (value,)).fetchone()[0]  # noqa: S608  # our own names
    if day is None:
        return None
    quarter = connection.execute(
        f"SELECT {end}(quarter_ms) FROM usage_quarters WHERE {only} AND quarter_ms >= ?2"  # noqa: S608  # our own names
        f" AND quarter_ms < ?2 + {DAY_MS}",
        (value, day),
    ).fetchone()[0]
    found = connection.execute(
        f"SELECT {end}(at_ms) FROM usage_records WHERE {only} AND NOT replay AND at_ms >= ?2"  # noqa: S608  # our own names
        f" AND at_ms < ?2 + {QUARTER_MS}",
        (value, quarter),
    ).fetchone()[0]
    return int(found)
