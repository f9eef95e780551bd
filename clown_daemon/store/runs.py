"""Rows of runs and their resources. A run is open from before its spawn until its end is written here."""

import sqlite3
from dataclasses import dataclass

from clown_daemon.protocol.resources import Run, RunState
from clown_daemon.protocol.timestamps import rfc3339

RUNS_KEPT = 500
"""How many runs of each profile are kept; older ones go when a new one starts."""


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run whose end is not in the books."""

    run_id: str
    alias: str
    pid: int | None
    process_start: float | None
    """Epoch seconds; with the pid it names the process."""
    interactive: bool
    """Whether it owns a terminal: then it is not the daemon's child."""
    announced: bool
    """Whether its start was published."""


def insert_run(
    connection: sqlite3.Connection, run_id: str, alias: str, *, now_ms: int, interactive: bool = False
) -> None:
    """Open a run that is about to be spawned, and let go of the oldest of the profile."""
    connection.execute(
        "INSERT INTO runs (run_id, alias, state, started_ms, interactive) VALUES (?, ?, 'starting', ?, ?)",
        (run_id, alias, now_ms, interactive),
    )
    connection.execute(
        "DELETE FROM runs WHERE alias = ? AND ended_ms IS NOT NULL AND number <= ("
        " SELECT number FROM runs WHERE alias = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
        (alias, alias, RUNS_KEPT),
    )


def set_running(connection: sqlite3.Connection, run_id: str, *, pid: int, process_start: float | None) -> None:
    """Write down which process an open run is."""
    connection.execute(
        "UPDATE runs SET state = 'running', pid = ?, process_start = ? WHERE run_id = ?", (pid, process_start, run_id)
    )


def close_run(
    connection: sqlite3.Connection,
    run_id: str,
    state: RunState,
    *,
    ended_ms: int,
    exit_code: int | None = None,
    error: str | None = None,
) -> int:
    """Write down the end of a run and answer how many whole seconds it took; never less than 0."""
    connection.execute(
        "UPDATE runs SET state = ?, ended_ms = max(?, started_ms), exit_code = ?, error = ? WHERE run_id = ?",
        (state, ended_ms, exit_code, error, run_id),
    )
    row = connection.execute(
        "SELECT (ended_ms - started_ms) / 1000 AS seconds FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return int(row["seconds"])


def read_open_runs(connection: sqlite3.Connection) -> tuple[OpenRun, ...]:
    """All open runs, newest first."""
    rows = connection.execute(
        "SELECT run_id, alias, pid, process_start, state, interactive FROM runs"
        " WHERE ended_ms IS NULL ORDER BY number DESC"
    )
    return tuple(
        OpenRun(
            run_id=row["run_id"],
            alias=row["alias"],
            pid=row["pid"],
            process_start=row["process_start"],
            interactive=bool(row["interactive"]),
            announced=row["state"] != "starting",
        )
        for row in rows
    )


def read_last_sign_of_life(connection: sqlite3.Connection) -> int:
    """When the newest event was recorded, epoch milliseconds, 0 before the first: a daemon was alive then."""
    row = connection.execute("SELECT at_ms FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row["at_ms"])


def run_of(row: sqlite3.Row) -> Run:
    """Make the resource of a row that has the columns of `runs`."""
    ended_ms = row["ended_ms"]
    return Run(
        run_id=row["run_id"],
        state=row["state"],
        pid=row["pid"],
        started_at=rfc3339(row["started_ms"]),
        ended_at=None if ended_ms is None else rfc3339(ended_ms),
        exit_code=row["exit_code"],
        runtime_secs=None if ended_ms is None else (ended_ms - row["started_ms"]) // 1000,
        interactive=bool(row["interactive"]),
        error=row["error"],
    )
