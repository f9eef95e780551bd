"""Rows of proxies and their resources: settings, the process that serves now, and what went through it by minute."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from clown_daemon.protocol.resources import Proxy, ProxyMinute, ProxySettings, ProxyState
from clown_daemon.protocol.timestamps import rfc3339

MINUTES_SHOWN = 15
MINUTE_MS = 60_000


class Traffic(NamedTuple):
    """One request that ended."""

    at_ms: int
    status: int | None
    """None when no answer came."""
    first_ms: float | None

    @property
    def failed(self) -> bool:
        """Whether it counts as an error."""
        return self.status is None or self.status >= 400


class Living(NamedTuple):
    """A process that the books know of, and that may live."""

    profile: str
    port: int
    pid: int
    process_start: float | None
    serves: bool
    """False for one that was still starting, or was being replaced."""


def read_proxies(connection: sqlite3.Connection) -> tuple[Proxy, ...]:
    """Every proxy that was ever wanted, sorted by profile."""
    rows = connection.execute("SELECT * FROM proxies ORDER BY profile").fetchall()
    return tuple(_proxy_of(connection, row) for row in rows)


def read_proxy(connection: sqlite3.Connection, profile: str) -> Proxy | None:
    """The proxy of a profile; None when it never had one."""
    row = connection.execute("SELECT * FROM proxies WHERE profile = ?", (profile,)).fetchone()
    return None if row is None else _proxy_of(connection, row)


def read_settings(connection: sqlite3.Connection, profile: str) -> ProxySettings:
    """How a profile's proxy is set; the defaults where nothing was."""
    row = connection.execute("SELECT enabled, port, settings FROM proxies WHERE profile = ?", (profile,)).fetchone()
    if row is None:
        return ProxySettings()
    settings = msgspec.json.decode(row["settings"], type=ProxySettings)
    return msgspec.structs.replace(settings, enabled=bool(row["enabled"]), port=row["port"])


def put_settings(connection: sqlite3.Connection, profile: str, settings: ProxySettings) -> None:
    """Write down how a profile's proxy is set.

    Raises:
        sqlite3.IntegrityError: the port belongs to another profile.
    """
    connection.execute(
        "INSERT INTO proxies (profile, enabled, port, settings) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (profile) DO UPDATE SET enabled = ?2, port = ?3, settings = ?4",
        (profile, settings.enabled, settings.port, msgspec.json.encode(settings)),
    )


def read_ports(connection: sqlite3.Connection) -> frozenset[int]:
    """The ports that belong to profiles."""
    return frozenset(row["port"] for row in connection.execute("SELECT port FROM proxies WHERE port IS NOT NULL"))


def read_living(connection: sqlite3.Connection) -> tuple[Living, ...]:
    """The processes that were left when the last daemon ended, if they live."""
    rows = connection.execute(
        "SELECT profile, port, pid, process_start, 1 AS serves FROM proxies WHERE pid IS NOT NULL UNION ALL"
        " SELECT profile, port, spawned_pid, spawned_start, 0 FROM proxies"
        " WHERE spawned_pid IS NOT NULL AND spawned_pid IS NOT pid"
    )
    return tuple(
        Living(row["profile"], row["port"], row["pid"], row["process_start"], bool(row["serves"])) for row in rows
    )


def read_unsettled(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The proxies that the books say run, or are about to."""
    rows = connection.execute("SELECT profile FROM proxies WHERE status NOT IN ('stopped', 'failed') ORDER BY profile")
    return tuple(row["profile"] for row in rows)


def set_spawned(connection: sqlite3.Connection, profile: str, *, pid: int, process_start: float | None) -> None:
    """Remember a process that does not answer yet; it is no part of the resource."""
    connection.execute(
        "UPDATE proxies SET spawned_pid = ?, spawned_start = ? WHERE profile = ?", (pid, process_start, profile)
    )


def set_running(
    connection: sqlite3.Connection, profile: str, *, pid: int, process_start: float | None, restarts: int, now_ms: int
) -> None:
    """Write down that a process answers."""
    connection.execute(
        "UPDATE proxies SET status = 'running', pid = ?, process_start = ?, restarts = ?, started_ms = ?"
        " WHERE profile = ?",
        (pid, process_start, restarts, now_ms, profile),
    )


def set_ended(connection: sqlite3.Connection, profile: str, status: ProxyState, *, error: str | None = None) -> None:
    """Write down that no process serves; an error stays until the next one, or until it is started on request."""
    connection.execute(
        "UPDATE proxies SET status = ?, pid = NULL, process_start = NULL, started_ms = NULL,"
        " last_error = coalesce(?, last_error) WHERE profile = ?",
        (status, error, profile),
    )


def set_starting(connection: sqlite3.Connection, profile: str) -> None:
    """Write down that somebody asked for a start: what was does not count."""
    connection.execute(
        "UPDATE proxies SET status = 'starting', last_error = NULL, restarts = 0 WHERE profile = ?", (profile,)
    )


def delete_proxy(connection: sqlite3.Connection, profile: str) -> bool:
    """Forget a proxy with its settings, and answer whether there was one; what was metered stays in the ledger."""
    for table in ("proxy_minutes", "proxy_traffic"):
        connection.execute(f"DELETE FROM {table} WHERE profile = ?", (profile,))  # noqa: S608  # our own names
    return connection.execute("DELETE FROM proxies WHERE profile = ?", (profile,)).rowcount > 0


def read_forsaken(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Proxies whose profiles are gone."""
    rows = connection.execute("SELECT profile FROM proxies WHERE profile NOT IN (SELECT alias FROM profiles)")
    return tuple(row["profile"] for row in rows)


# -- what went through ------------------------------------------------------------------------------------------------


def add_traffic(connection: sqlite3.Connection, profile: str, ended: Iterable[Traffic]) -> None:
    """Remember requests that ended, of a profile that has a proxy; they are in no figure until `count_traffic`."""
    connection.executemany(
        "INSERT INTO proxy_traffic SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM proxies WHERE profile = ?1)",
        [(profile, *one) for one in ended],
    )


def read_waiting(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The profiles with requests that are in no figure yet."""
    return tuple(row["profile"] for row in connection.execute("SELECT DISTINCT profile FROM proxy_traffic"))


def count_traffic(connection: sqlite3.Connection, profile: str) -> tuple[int, int]:
    """Take the remembered requests into the figures; answer how many there were and how many of them failed."""
    rows = connection.execute(
        "DELETE FROM proxy_traffic WHERE profile = ? RETURNING at_ms, status, first_ms", (profile,)
    ).fetchall()
    ended = [Traffic(*row) for row in rows]
    for one in ended:
        _count(connection, profile, one)
    requests, errors = len(ended), sum(one.failed for one in ended)
    connection.execute(
        "UPDATE proxies SET requests = requests + ?, errors = errors + ? WHERE profile = ?", (requests, errors, profile)
    )
    connection.execute(
        "DELETE FROM proxy_minutes WHERE profile = ?1 AND minute_ms <= ("
        " SELECT minute_ms FROM proxy_minutes WHERE profile = ?1 ORDER BY minute_ms DESC LIMIT 1 OFFSET ?2)",
        (profile, MINUTES_SHOWN),
    )
    return requests, errors


def _count(connection: sqlite3.Connection, profile: str, one: Traffic) -> None:
    connection.execute(
        "INSERT INTO proxy_minutes VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT (profile, minute_ms) DO UPDATE SET"
        " requests = requests + 1, errors = errors + excluded.errors, answered = answered + excluded.answered,"
        " first_ms = first_ms + excluded.first_ms",
        (profile, one.at_ms // MINUTE_MS * MINUTE_MS, one.failed, one.first_ms is not None, one.first_ms or 0.0),
    )
    connection.execute(
        "UPDATE proxies SET last_request_ms = ?1, last_status = ?2"
        " WHERE profile = ?3 AND coalesce(last_request_ms, 0) <= ?1",
        (one.at_ms, one.status, profile),
    )


# -- how far spools were read -----------------------------------------------------------------------------------------


def read_offsets(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """How far each spool file was read, by profile and file name."""
    rows = connection.execute("SELECT profile, file, offset FROM proxy_spools")
    return {(row["profile"], row["file"]): row["offset"] for row in rows}


def put_offset(connection: sqlite3.Connection, profile: str, file: str, offset: int) -> None:
    """Remember how far a spool file was read."""
    connection.execute("INSERT OR REPLACE INTO proxy_spools VALUES (?, ?, ?)", (profile, file, offset))


def delete_offset(connection: sqlite3.Connection, profile: str, file: str) -> None:
    """Forget a spool file that is gone."""
    connection.execute("DELETE FROM proxy_spools WHERE profile = ? AND file = ?", (profile, file))


def _proxy_of(connection: sqlite3.Connection, row: sqlite3.Row) -> Proxy:
    minutes = connection.execute(
        "SELECT minute_ms, requests, errors, answered, first_ms FROM proxy_minutes"
        " WHERE profile = ? ORDER BY minute_ms",
        (row["profile"],),
    ).fetchall()
    return Proxy(
        profile=row["profile"],
        enabled=bool(row["enabled"]),
        port=row["port"],
        pid=row["pid"],
        status=row["status"],
        restarts=row["restarts"],
        started_at=None if row["started_ms"] is None else rfc3339(row["started_ms"]),
        last_error=row["last_error"],
        requests=row["requests"],
        errors=row["errors"],
        last_request_ms=row["last_request_ms"],
        last_status=row["last_status"],
        minutes=tuple(_minute_of(minute) for minute in minutes),
    )


def _minute_of(row: sqlite3.Row) -> ProxyMinute:
    first_ms = round(row["first_ms"] / row["answered"], 2) if row["answered"] else None
    return ProxyMinute(row["minute_ms"], row["requests"], row["errors"], first_ms)
