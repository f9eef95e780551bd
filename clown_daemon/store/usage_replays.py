"""Which rows of the ledger are replays: copies under another key, of which only one may count.

Rows with one twin may repeat each other. In such a group counts what no session before it told: a copy in a forked
session is a replay of what an ancestor has; of the rest, a line of a side conversation is a replay where a main one is
left. The rule knows nothing of time, so what counts does not depend on what was read first.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple


class Copy(NamedTuple):
    """One of the rows that may repeat each other."""

    record: int
    session: int
    sidechain: bool


def replays_among(copies: Collection[Copy], ancestors: Callable[[int], Collection[int]]) -> set[int]:
    """Answer the rows of a group with one twin that are replays; at least one is none.

    Args:
        copies: the whole group.
        ancestors: answers the sessions that a session was forked from, at whatever distance, without itself.
    """
    sessions = {copy.session for copy in copies}
    replays = {copy.record for copy in copies if not sessions.isdisjoint(ancestors(copy.session))}
    left = [copy for copy in copies if copy.record not in replays]
    if any(not copy.sidechain for copy in left):
        replays.update(copy.record for copy in left if copy.sidechain)
    return replays


class Lineage:
    """Which session was forked from which."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._before: dict[int, frozenset[int]] = {}

    def ancestors(self, session: int) -> frozenset[int]:
        """The sessions that this one was forked from, at whatever distance; none that claims the same of this one."""
        return frozenset(found for found in self._walk(session) if session not in self._walk(found))

    def _walk(self, session: int) -> frozenset[int]:
        found = self._before.get(session)
        if found is None:
            rows = self._connection.execute(
                "WITH RECURSIVE line (session, agent_id, parent) AS ("
                " SELECT session, agent_id, parent FROM usage_sessions WHERE session = ?1"
                " UNION SELECT above.session, above.agent_id, above.parent FROM line"
                " JOIN usage_sessions AS above ON above.agent_id = line.agent_id AND above.name = line.parent"
                ") SELECT session FROM line WHERE session <> ?1",
                (session,),
            )
            found = self._before[session] = frozenset(row[0] for row in rows)
        return found


def link_sessions(connection: sqlite3.Connection, parents: dict[int, str]) -> set[int]:
    """Write from which session (by name) each was forked; what is known stays. Answer the twins that this concerns."""
    linked = [
        session
        for session, parent in parents.items()
        if connection.execute(
            "UPDATE usage_sessions SET parent = ?1 WHERE session = ?2 AND parent IS NULL", (parent, session)
        ).rowcount
    ]
    if not linked:
        return set()
    rows = connection.execute(
        "WITH RECURSIVE line (session) AS ("
        " SELECT value FROM json_each(?)"
        " UNION SELECT below.session FROM line JOIN usage_sessions AS above USING (session)"
        " JOIN usage_sessions AS below ON below.agent_id = above.agent_id AND below.parent = above.name"
        ") SELECT twin FROM line JOIN usage_sessions USING (session) JOIN usage_records"
        " ON at_ms BETWEEN first_ms AND last_ms AND usage_records.session = line.session WHERE twin IS NOT NULL"
        " UNION SELECT twin FROM line JOIN usage_records USING (session) WHERE replay AND twin IS NOT NULL",
        (json.dumps(linked),),
    )
    return {row[0] for row in rows}


def twins_since(connection: sqlite3.Connection, last_record: int) -> set[int]:
    """The twins that rows after this one share with others."""
    rows = connection.execute(
        "SELECT DISTINCT new.twin FROM usage_records AS new JOIN usage_records AS other ON other.twin = new.twin"
        " WHERE new.record > ? AND other.record <> new.record",
        (last_record,),
    )
    return {row[0] for row in rows}


def settle(connection: sqlite3.Connection, twins: Iterable[int], lineage: Lineage) -> tuple[list[int], list[int]]:
    """Decide anew in these groups; answer which rows must become replays, and which must count again."""
    hidden, shown = [], []
    for twin in twins:
        rows = connection.execute(
            "SELECT record, session, sidechain, replay FROM usage_records WHERE twin = ?", (twin,)
        ).fetchall()
        replays = replays_among([Copy(row[0], row[1], bool(row[2])) for row in rows], lineage.ancestors)
        hidden += [row[0] for row in rows if row[0] in replays and not row[3]]
        shown += [row[0] for row in rows if row[0] not in replays and row[3]]
    return hidden, shown


def mark(connection: sqlite3.Connection, records: Collection[int], *, replay: bool) -> None:
    """Write that rows are replays, or that they count."""
    connection.execute(
        "UPDATE usage_records SET replay = ? WHERE record IN (SELECT value FROM json_each(?))",
        (int(replay), json.dumps(list(records))),
    )


def settle_replays(connection: sqlite3.Connection) -> None:
    """Decide anew wherever something was a replay: what it repeats may be lost. The sums must be made again then."""
    twins = [row[0] for row in connection.execute("SELECT DISTINCT twin FROM usage_records WHERE replay")]
    hidden, shown = settle(connection, twins, Lineage(connection))
    mark(connection, hidden, replay=True)
    mark(connection, shown, replay=False)
