"""Ledgers in memory, invented responses, and whether all sums of a ledger are those of its rows."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from clown_daemon.store.connection import migrate
from clown_daemon.store.ledger import Entry, Response
from clown_daemon.store.usage_rollups import rebuild

ROLLUPS = {
    "usage_quarters": "SELECT * FROM usage_quarters",
    "usage_days": "SELECT * FROM usage_days",
    "usage_session_days": "SELECT * FROM usage_session_days",
    "usage_series_projects": "SELECT * FROM usage_series_projects",
    "usage_profile_sessions": "SELECT * FROM usage_profile_sessions",
    "usage_profiles": "SELECT * FROM usage_profiles WHERE sessions > 0",
    "usage_series": "SELECT * FROM usage_series WHERE responses > 0 OR last_ms IS NOT NULL",
    "usage_sessions": "SELECT * FROM usage_sessions WHERE responses > 0 OR first_ms IS NOT NULL OR last_ms IS NOT NULL",
}


@cache
def _schema() -> sqlite3.Connection:
    # Made once and copied: a schema takes longer to make than most tests.
    made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    migrate(made)
    return made


@contextmanager
def empty_ledger() -> Iterator[sqlite3.Connection]:
    """A database in memory with the schema and nothing in it."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    _schema().backup(connection)
    try:
        yield connection
    finally:
        connection.close()


def check_sums(connection: sqlite3.Connection) -> None:
    """Fail unless every rollup says what the rows say."""
    again = sqlite3.connect(":memory:", isolation_level=None)
    connection.backup(again)
    rebuild(again)
    found, right = read_rollups(connection), read_rollups(again)
    again.close()
    for name, rows in right.items():
        assert found[name] == rows, name


def read_rollups(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all rollups, but those that say that there is nothing."""
    return {name: sorted(map(tuple, connection.execute(query))) for name, query in ROLLUPS.items()}


def response(key: str = "anthropic|msg_1|req_1", **changes: object) -> Response:
    """A response, by default of Claude Code."""
    made = Response(
        source="claude",
        agent_id="claude",
        key=key,
        provider="anthropic",
        model="claude-sonnet-4-5",
        session="session-1",
        project="/home/dev/project",
        at_ms=1_795_428_000_000,
        input_tokens=10,
        output_tokens=20,
        cache_read_tokens=30,
        cache_write_5m_tokens=40,
        cache_write_1h_tokens=0,
    )
    return made._replace(**changes)  # type: ignore[arg-type]  # checked where it is read


def put_into_old_schema(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write responses of Claude Code as schema 3 kept them, with its sums; `connection` has that schema."""
    for found, costs, profile in entries:
        ids = found.key.removeprefix("anthropic|")
        values = {
            "key": f"claude|{'counts' if ids == found.twin else 'request'}|{ids}",
            "profile": profile,
            "message_id": found.response_id,
            "fast": found.tier == "fast",
            **{name: getattr(found, name) for name in _OLD_COLUMNS},
            **({} if costs is None else costs._asdict()),
        }
        connection.execute(
            f"INSERT INTO usage_records ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608  # our own names
            tuple(values.values()),
        )
    connection.execute(
        "INSERT INTO usage_quarters SELECT profile, at_ms / 900000 * 900000, model, session, count(*),"
        " sum(total_pico IS NULL), sum(input_tokens), sum(output_tokens),"
        " sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(cache_read_tokens), total(input_pico),"
        " total(output_pico), total(cache_write_pico), total(cache_read_pico), total(total_pico)"
        " FROM usage_records GROUP BY 1, 2, 3, 4"
    )


_OLD_COLUMNS = (
    "source",
    "agent_id",
    "model",
    "session",
    "project",
    "at_ms",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "web_searches",
    "sidechain",
    "complete",
)
