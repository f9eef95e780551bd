"""The sessions of a period with what each used, a page at a time, the last used or the dearest first."""

import json
import sqlite3
from collections import defaultdict
from typing import NamedTuple

from clown_daemon.protocol.requests import SessionOrder
from clown_daemon.store.periods import Span
from clown_daemon.store.usage_spans import EVERYTHING, Only, is_everything, session_rows
from clown_daemon.store.usage_sums import COLUMNS, Sums

_ORDERED_BY: dict[SessionOrder, str] = {"last_used": "last_ms", "cost": "total_pico"}


class Place(NamedTuple):
    """A place in the order: after the session that has this value and number."""

    value: int
    session: int


class SessionRow(NamedTuple):
    """One session."""

    place: Place
    agent_id: str
    name: str
    parent: str | None
    first_ms: int
    last_ms: int
    """As the first, over all time."""
    sums: Sums
    """In the span."""
    profiles: tuple[str, ...]
    models: tuple[str, ...]
    projects: tuple[str, ...]


def read_sessions(
    connection: sqlite3.Connection,
    span: Span,
    only: Only = EVERYTHING,
    *,
    order: SessionOrder = "last_used",
    after: Place | None = None,
    limit: int,
) -> list[SessionRow]:
    """The sessions with usage in a span, those with the largest value first.

    Args:
        connection: in a read transaction.
        span: which sessions, and what of them is added up.
        only: what is counted.
        order: by what.
        after: where the last page ended.
        limit: at most this many.
    """
    value = _ORDERED_BY[order]
    parameters: list[object] = []
    sums = COLUMNS
    used = "usage_sessions"
    if only != EVERYTHING or not is_everything(connection, span):
        rows, parameters = session_rows(span, only, f"session, {COLUMNS}")
        added = ", ".join(f"sum({name}) AS {name}" for name in Sums._fields)
        sums = ", ".join(f"used.{name}" for name in Sums._fields)
        used = f"(SELECT session, {added} FROM ({rows}) GROUP BY session) AS used JOIN usage_sessions USING (session)"  # noqa: S608  # our own names
        value = f"used.{value}" if order == "cost" else value
    where = "usage_sessions.responses > 0"
    if after is not None:
        where += f" AND ({value}, session) < (?, ?)"
        parameters += after
    found = connection.execute(
        f"SELECT {value}, session, agent_id, name, parent, first_ms, last_ms, {sums} FROM {used} WHERE {where}"  # noqa: S608  # our own names
        f" ORDER BY {value} DESC, session DESC LIMIT ?",
        (*parameters, limit),
    ).fetchall()
    seen = _seen(connection, [row[1] for row in found])
    return [_session(*row, seen=seen[row[1]]) for row in found]


def _session(
    value: int,
    session: int,
    agent_id: str,
    name: str,
    parent: str | None,
    first_ms: int,
    last_ms: int,
    *sums: int,
    seen: tuple[set[str], set[str], set[str]],
) -> SessionRow:
    place = Place(value, session)
    profiles, models, projects = (tuple(sorted(names)) for names in seen)
    return SessionRow(place, agent_id, name, parent, first_ms, last_ms, Sums(*sums), profiles, models, projects)


def _seen(connection: sqlite3.Connection, sessions: list[int]) -> dict[int, tuple[set[str], set[str], set[str]]]:
    """The profiles, models and known projects that each session ever had."""
    seen: defaultdict[int, tuple[set[str], set[str], set[str]]] = defaultdict(lambda: (set(), set(), set()))
    rows = connection.execute(
        "SELECT DISTINCT session, profile, model, path FROM usage_session_days JOIN usage_series USING (series)"
        " JOIN usage_projects USING (project) WHERE session IN (SELECT value FROM json_each(?))",
        (json.dumps(sessions),),
    )
    for session, profile, model, path in rows:
        profiles, models, projects = seen[session]
        profiles.add(profile)
        models.add(model)
        if path:
            projects.add(path)
    return seen
