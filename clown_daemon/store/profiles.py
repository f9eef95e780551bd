"""Rows of profiles and their resources: a profile always comes with a run, the newest of those that go on, else of all.

A run that is only being started is not part of the resource: nothing told about it yet, and a snapshot must hold
exactly what the events up to its number said.
"""

import sqlite3
from dataclasses import dataclass

from clown_daemon.errors import DomainError
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Profile
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.runs import run_of

_SELECT = """
SELECT p.alias, p.agent_id, p.provider_id, p.endpoint_id, p.model, p.created_ms, p.last_used_ms, p.home, p.has_api_key,
       r.run_id, r.state, r.pid, r.started_ms, r.ended_ms, r.exit_code, r.interactive, r.error
FROM profiles AS p
LEFT JOIN runs AS r ON r.number = coalesce(
    (SELECT max(number) FROM runs WHERE runs.alias = p.alias AND runs.state != 'starting' AND runs.ended_ms IS NULL),
    (SELECT number FROM runs WHERE runs.alias = p.alias AND runs.state != 'starting' ORDER BY number DESC LIMIT 1)
)
"""


@dataclass(frozen=True, kw_only=True)
class NewProfile:
    """What a profile is made of; the rest comes with its life."""

    alias: str
    agent_id: str
    provider_id: str
    endpoint_id: str | None
    model: str | None
    home: str
    has_api_key: bool


def read_profiles(connection: sqlite3.Connection, *, agent_id: str | None = None) -> tuple[Profile, ...]:
    """All profiles, or those of one agent, sorted by alias."""
    where, values = ("", ()) if agent_id is None else ("WHERE p.agent_id = ?", (agent_id,))
    return tuple(_profile_of(row) for row in connection.execute(f"{_SELECT} {where} ORDER BY p.alias", values))


def read_profile(connection: sqlite3.Connection, alias: str) -> Profile | None:
    """The profile of exactly that name."""
    row = connection.execute(f"{_SELECT} WHERE p.alias = ?", (alias,)).fetchone()
    return None if row is None else _profile_of(row)


def find_profile(connection: sqlite3.Connection, alias: str) -> Profile:
    """The profile that a caller named.

    Raises:
        DomainError: `unknown_profile`, with the nearest name there is.
    """
    profile = read_profile(connection, alias)
    if profile is None:
        near = nearest_name(alias, read_aliases(connection))
        hint = f"did you mean {near!r}?" if near else "GET /api/profiles lists the profiles"
        raise DomainError(ProblemCode.UNKNOWN_PROFILE, f"there is no profile {alias!r}", hint=hint)
    return profile


def read_aliases(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    return tuple(str(row["alias"]) for row in connection.execute("SELECT alias FROM profiles ORDER BY alias"))


def find_taken_alias(connection: sqlite3.Connection, alias: str) -> str | None:
    """The name of the profile that a new one of that name would collide with, which may differ in case."""
    row = connection.execute("SELECT alias FROM profiles WHERE alias = ? COLLATE NOCASE", (alias,)).fetchone()
    return None if row is None else str(row["alias"])


def insert_profile(connection: sqlite3.Connection, profile: NewProfile, *, now_ms: int) -> None:
    """Add a profile; its name must be free."""
    connection.execute(
        "INSERT INTO profiles (alias, agent_id, provider_id, endpoint_id, model, created_ms, home, has_api_key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            profile.alias,
            profile.agent_id,
            profile.provider_id,
            profile.endpoint_id,
            profile.model,
            now_ms,
            profile.home,
            profile.has_api_key,
        ),
    )


def update_profile(
    connection: sqlite3.Connection,
    alias: str,
    *,
    provider_id: str,
    endpoint_id: str | None,
    model: str | None,
    has_api_key: bool,
) -> None:
    """Set everything of a profile that may change."""
    connection.execute(
        "UPDATE profiles SET provider_id = ?, endpoint_id = ?, model = ?, has_api_key = ? WHERE alias = ?",
        (provider_id, endpoint_id, model, has_api_key, alias),
    )


def set_last_used(connection: sqlite3.Connection, alias: str, *, now_ms: int) -> None:
    """Say that a profile was used."""
    connection.execute("UPDATE profiles SET last_used_ms = ? WHERE alias = ?", (now_ms, alias))


def delete_profile(connection: sqlite3.Connection, alias: str) -> None:
    """Remove a profile with all its runs; its usage stays."""
    connection.execute("DELETE FROM runs WHERE alias = ?", (alias,))
    connection.execute("DELETE FROM profiles WHERE alias = ?", (alias,))


def _profile_of(row: sqlite3.Row) -> Profile:
    return Profile(
        alias=row["alias"],
        agent_id=row["agent_id"],
        provider_id=row["provider_id"],
        endpoint_id=row["endpoint_id"],
        model=row["model"],
        last_used=None if row["last_used_ms"] is None else rfc3339(row["last_used_ms"]),
        created_at=rfc3339(row["created_ms"]),
        profile_home=row["home"],
        has_api_key=bool(row["has_api_key"]),
        run=None if row["run_id"] is None else run_of(row),
    )
