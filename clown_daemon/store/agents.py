"""Agents in the database: what the last detection found of each, as the resource it published."""

import sqlite3

import msgspec

from clown_daemon.protocol.resources import Agent


def read_agents(connection: sqlite3.Connection) -> tuple[Agent, ...]:
    """All agents, sorted by id."""
    return tuple(_agent(row) for row in connection.execute("SELECT body FROM agents ORDER BY id"))


def read_agent(connection: sqlite3.Connection, agent_id: str) -> Agent | None:
    """One agent, or None."""
    row = connection.execute("SELECT body FROM agents WHERE id = ?", (agent_id,)).fetchone()
    return None if row is None else _agent(row)


def read_agent_ids(connection: sqlite3.Connection) -> list[str]:
    """The ids of agents that are known, or were ever used; sorted."""
    rows = connection.execute("SELECT id FROM agents UNION SELECT agent_id FROM usage_series ORDER BY 1")
    return [row[0] for row in rows]


def put_agent(connection: sqlite3.Connection, agent: Agent) -> None:
    """Insert an agent, or replace what is known of it."""
    connection.execute(
        "INSERT INTO agents (id, installed, version, binary_path, body) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET installed = excluded.installed, version = excluded.version,"
        " binary_path = excluded.binary_path, body = excluded.body",
        (agent.id, agent.installed, agent.version, agent.binary_path, msgspec.json.encode(agent)),
    )


def delete_agent(connection: sqlite3.Connection, agent_id: str) -> None:
    """Forget an agent, if it is known."""
    connection.execute("DELETE FROM agents WHERE id = ?", (agent_id,))


def count_profiles(connection: sqlite3.Connection) -> dict[str, int]:
    """The number of profiles by agent id; agents without any are left out."""
    rows = connection.execute("SELECT agent_id, count(*) AS profiles FROM profiles GROUP BY agent_id")
    return {row["agent_id"]: row["profiles"] for row in rows}


def _agent(row: sqlite3.Row) -> Agent:
    return msgspec.json.decode(row["body"], type=Agent)
