"""When agents ran behind their proxies, and which entries of logs are no news because of that.

A proxy sees every response of such a run. What the agent's log tells of the same one under a key that a proxy makes,
too, is joined with it in the ledger; what it tells under a key of its own would count twice, and is left out.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clown_daemon.store.ledger import Entry
from clown_daemon.store.response_keys import is_shared


class Span(NamedTuple):
    """One run."""

    started_ms: int
    ended_ms: int | None
    """None while it goes on."""

    def covers(self, at_ms: int) -> bool:
        """Whether something happened during the run."""
        return self.started_ms <= at_ms and (self.ended_ms is None or at_ms <= self.ended_ms)


def begin_proxied_run(connection: sqlite3.Connection, run_id: str, profile: str, *, now_ms: int) -> None:
    """Write down that a profile's agent is about to run behind its proxy."""
    connection.execute("INSERT INTO proxied_runs VALUES (?, ?, ?, NULL)", (run_id, profile, now_ms))


def end_proxied_run(connection: sqlite3.Connection, run_id: str, *, ended_ms: int) -> None:
    """Write down its end; nothing where the run was none of these."""
    connection.execute(
        "UPDATE proxied_runs SET ended_ms = max(?, started_ms) WHERE run_id = ? AND ended_ms IS NULL",
        (ended_ms, run_id),
    )


def without_proxied(connection: sqlite3.Connection, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Leave out the entries of logs that a proxy has told, or will tell, under another key."""
    spans = {profile: _read_spans(connection, profile) for profile in {entry.profile for entry in entries}}
    if not any(spans.values()):
        return entries
    return [entry for entry in entries if not _is_told(entry, spans[entry.profile])]


def _is_told(entry: Entry, spans: Iterable[Span]) -> bool:
    response = entry.response
    return not is_shared(response.key) and any(span.covers(response.at_ms) for span in spans)


def _read_spans(connection: sqlite3.Connection, profile: str) -> tuple[Span, ...]:
    rows = connection.execute("SELECT started_ms, ended_ms FROM proxied_runs WHERE profile = ?", (profile,))
    return tuple(Span(*row) for row in rows)
