"""Rows of the ledger: what an entry is stored as, and back.

What repeats in rows is a number that points at `usage_series`, `usage_sessions`,
`usage_projects` or `usage_price_tables`; `Names` finds
and gives out these numbers within one transaction.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple, get_args

from clown_daemon.store.ledger import Costs, Entry, Response, ServiceTier
from clown_daemon.store.usage_keys import key_hash, twin_hash

TIERS: tuple[ServiceTier, ...] = get_args(ServiceTier)
"""What the column `tier` counts in: new ones go to the end."""
_TIER_NUMBERS = {tier: number for number, tier in enumerate(TIERS)}

_UNPRICED = (None,) * len(Costs._fields)

_COLUMNS = (
    "key, twin, series, session, project, at_ms, source, response_id, tier, sidechain, complete, input_tokens, "
    "output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, web_searches, "
    "input_pico, output_pico, cache_write_pico, cache_read_pico, total_pico, price_table"
)
_PLACES = ", ".join("?" * len(_COLUMNS.split(", ")))
INSERT = f"INSERT INTO usage_records ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT (key) DO NOTHING"  # noqa: S608  # our own names
UPDATE = f"UPDATE usage_records SET ({_COLUMNS}) = ({_PLACES}) WHERE record = ?"  # noqa: S608  # our own names

SELECT = """
SELECT usage_records.*, label, profile, usage_series.agent_id, provider, model, path, name, parent
FROM usage_records
JOIN usage_series USING (series)
JOIN usage_sessions ON usage_sessions.session = usage_records.session
JOIN usage_projects ON usage_projects.project = usage_records.project
LEFT JOIN usage_price_tables USING (price_table)
"""
"""Whole rows, for `stored`; a condition goes after it."""


class Stored(NamedTuple):
    """A row of the ledger, read."""

    record: int
    series: int
    session: int
    project: int
    replay: bool
    """It repeats another row and counts nothing."""
    entry: Entry
    """Its `key` and `twin` are what they are stored as, since the texts are gone (see `as_stored`)."""


Row = tuple[object, ...]
"""What an entry is stored as: the values of `INSERT`."""
Numbers = dict[tuple[str, ...], int]


class Names:
    """The numbers of series, sessions, projects and price tables; new ones are written at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: Numbers = {}
        self._sessions: Numbers = {}
        self._projects: Numbers = {}
        self._price_tables: Numbers = {}

    def session(self, agent_id: str, name: str) -> int:
        """The number of a session of an agent."""
        return self._number(self._sessions, "usage_sessions", "session", "agent_id, name", (agent_id, name))

    def series(self, entry: Entry) -> int:
        """The number of an entry's series."""
        response = entry.response
        columns = "profile, agent_id, provider, model"
        found = (entry.profile, response.agent_id, response.provider, response.model)
        return self._number(self._series, "usage_series", "series", columns, found)

    def project(self, path: str | None) -> int:
        """The number of a working directory."""
        return self._number(self._projects, "usage_projects", "project", "path", (path or "",))

    def rows(self, entries: Iterable[Entry]) -> list[Row]:
        """What entries are stored as."""
        # The one loop that runs for every response of an import: it cuts the tuple instead of asking for names, and
        # what goes to SQLite is of exactly the types that it takes as they are: no bool, and no bytes.
        rows: list[Row] = []
        all_series, sessions, projects, price_tables = self._series, self._sessions, self._projects, self._price_tables
        for entry in entries:
            response, costs, profile = entry
            source, agent_id, key, provider, model, session, project, at_ms = response[:8]
            tier, sidechain, complete, response_id, twin = response[15:20]
            row = (
                bytearray(key_hash(key)),
                None if twin is None else twin_hash(agent_id, twin),
                all_series.get((profile, agent_id, provider, model)) or self.series(entry),
                sessions.get((agent_id, session)) or self.session(agent_id, session),
                projects.get((project or "",)) or self.project(project),
                at_ms,
                source,
                response_id,
                _TIER_NUMBERS[tier],
                1 if sidechain else 0,
                1 if complete else 0,
                *response[8:15],  # the seven counts
            )
            if costs is None:
                rows.append((*row, *_UNPRICED))
            else:
                rows.append((*row, *costs[:5], price_tables.get(costs[5:]) or self._price_table(costs[5])))
        return rows

    def stored_row(self, entry: Entry) -> Row:
        """The same of one entry whose key and twin are as they are stored."""
        [row] = self.rows([entry])
        response = entry.response
        return (bytearray.fromhex(response.key), None if response.twin is None else int(response.twin), *row[2:])

    def numbered(self, before: Stored, after: Entry) -> Stored:
        """A row once it says what `after` does."""
        response = after.response
        return before._replace(
            series=self.series(after),
            session=self.session(response.agent_id, response.session),
            project=self.project(response.project),
            entry=after,
        )

    def _price_table(self, label: str) -> int:
        return self._number(self._price_tables, "usage_price_tables", "price_table", "label", (label,))

    def _number(self, known: Numbers, table: str, number: str, columns: str, values: tuple[str, ...]) -> int:
        found = known.get(values)
        if found is None:
            places = ", ".join("?" * len(values))
            query = f"SELECT {number} FROM {table} WHERE ({columns}) = ({places})"  # noqa: S608  # our own names
            row = self._connection.execute(query, values).fetchone()
            if row is None:
                insert = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {number}"  # noqa: S608  # our own names
                row = self._connection.execute(insert, values).fetchone()
            found = known[values] = int(row[0])
        return found


def as_stored(entry: Entry) -> Entry:
    """Say an entry's key and twin as a row of the ledger says them: what is read can be compared with what is new."""
    response = entry.response
    twin = None if response.twin is None else str(twin_hash(response.agent_id, response.twin))
    return entry._replace(response=response._replace(key=key_hash(response.key).hex(), twin=twin))


def stored(row: sqlite3.Row) -> Stored:
    """Read a row of `SELECT`."""
    costs = None
    if row["total_pico"] is not None:
        costs = Costs(
            row["input_pico"],
            row["output_pico"],
            row["cache_write_pico"],
            row["cache_read_pico"],
            row["total_pico"],
            row["label"],
        )
    response = Response(
        source=row["source"],
        agent_id=row["agent_id"],
        key=row["key"].hex(),
        provider=row["provider"],
        model=row["model"],
        session=row["name"],
        project=row["path"] or None,
        at_ms=row["at_ms"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        cache_write_5m_tokens=row["cache_write_5m_tokens"],
        cache_write_1h_tokens=row["cache_write_1h_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        web_searches=row["web_searches"],
        tier=TIERS[row["tier"]],
        sidechain=bool(row["sidechain"]),
        complete=bool(row["complete"]),
        response_id=row["response_id"],
        twin=None if row["twin"] is None else str(row["twin"]),
        parent_session=row["parent"],
    )
    return Stored(
        row["record"],
        row["series"],
        row["session"],
        row["project"],
        bool(row["replay"]),
        Entry(response, costs, row["profile"]),
    )
