"""Rows of the ledger: what an entry is stored as, and back.

What repeats in rows is a number that points at `usage_series`, `usage_sessions` or `usage_price_tables`; `Names` finds
and gives out these numbers within one transaction.
"""

import sqlite3
from typing import NamedTuple, get_args

from clown_daemon.store.ledger import Costs, Entry, Response, ServiceTier
from clown_daemon.store.usage_keys import key_hash, twin_hash

TIERS: tuple[ServiceTier, ...] = get_args(ServiceTier)
"""What the column `tier` counts in: new ones go to the end."""
_TIER_NUMBERS = {tier: number for number, tier in enumerate(TIERS)}

_COLUMNS = (
    "key, twin, series, session, at_ms, source, response_id, tier, sidechain, complete, input_tokens, output_tokens, "
    "cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, reasoning_tokens, web_searches, input_pico, "
    "output_pico, cache_write_pico, cache_read_pico, total_pico, price_table"
)
INSERT = f"INSERT INTO usage_records ({_COLUMNS}) VALUES ({', '.join('?' * 23)}) ON CONFLICT (key) DO NOTHING"  # noqa: S608  # our own names
UPDATE = f"UPDATE usage_records SET ({_COLUMNS}) = ({', '.join('?' * 23)}) WHERE record = ?"  # noqa: S608  # our own names

SELECT = (
    "SELECT record, key, twin, series, usage_records.session, at_ms, source, response_id, tier, sidechain, complete,"
    " replay, usage_records.input_tokens, usage_records.output_tokens, usage_records.cache_write_5m_tokens,"
    " usage_records.cache_write_1h_tokens, usage_records.cache_read_tokens, usage_records.reasoning_tokens,"
    " usage_records.web_searches, usage_records.input_pico, usage_records.output_pico, usage_records.cache_write_pico,"
    " usage_records.cache_read_pico, usage_records.total_pico, label, profile, usage_series.agent_id, provider, model,"
    " project, name, parent"
    " FROM usage_records JOIN usage_series USING (series)"
    " JOIN usage_sessions ON usage_sessions.session = usage_records.session"
    " LEFT JOIN usage_price_tables USING (price_table)"
)
"""Whole rows, for `stored`; a condition goes after it."""


class Stored(NamedTuple):
    """A row of the ledger, read."""

    record: int
    series: int
    session: int
    replay: bool
    """It repeats another row and counts nothing."""
    entry: Entry
    """Its `key` and `twin` are what they are stored as, since the texts are gone (see `as_stored`)."""


class Series(NamedTuple):
    """Whose usage it is, and of what."""

    profile: str
    agent_id: str
    provider: str
    model: str
    project: str | None


class Names:
    """The numbers of series, sessions and price tables; new ones are written at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: dict[Series, int] = {}
        self._sessions: dict[tuple[str, str], int] = {}
        self._price_tables: dict[str, int] = {}

    def series(self, entry: Entry) -> int:
        """The number of an entry's series."""
        response = entry.response
        found = Series(entry.profile, response.agent_id, response.provider, response.model, response.project)
        number = self._series.get(found)
        if number is None:
            columns = "profile, agent_id, provider, model, project"
            number = self._number("usage_series", "series", columns, (*found[:4], found.project or ""))
            self._series[found] = number
        return number

    def session(self, agent_id: str, name: str) -> int:
        """The number of a session of an agent."""
        found = (agent_id, name)
        number = self._sessions.get(found)
        if number is None:
            number = self._number("usage_sessions", "session", "agent_id, name", found)
            self._sessions[found] = number
        return number

    def price_table(self, label: str) -> int:
        """The number of a price table."""
        number = self._price_tables.get(label)
        if number is None:
            number = self._number("usage_price_tables", "price_table", "label", (label,))
            self._price_tables[label] = number
        return number

    def row(self, entry: Entry) -> tuple[object, ...]:
        """What an entry is stored as, for `INSERT`."""
        response = entry.response
        return self._row(
            entry,
            key_hash(response.key),
            None if response.twin is None else twin_hash(response.agent_id, response.twin),
        )

    def stored_row(self, entry: Entry) -> tuple[object, ...]:
        """The same of an entry whose key and twin are as they are stored."""
        twin = entry.response.twin
        return self._row(entry, bytes.fromhex(entry.response.key), None if twin is None else int(twin))

    def _row(self, entry: Entry, key: bytes, twin: int | None) -> tuple[object, ...]:
        response, costs, _ = entry
        pico: tuple[object, ...] = (None,) * 6 if costs is None else (*costs[:5], self.price_table(costs.price_table))
        return (
            key,
            twin,
            self.series(entry),
            self.session(response.agent_id, response.session),
            response.at_ms,
            response.source,
            response.response_id,
            _TIER_NUMBERS[response.tier],
            response.sidechain,
            response.complete,
            response.input_tokens,
            response.output_tokens,
            response.cache_write_5m_tokens,
            response.cache_write_1h_tokens,
            response.cache_read_tokens,
            response.reasoning_tokens,
            response.web_searches,
            *pico,
        )

    def _number(self, table: str, number: str, columns: str, values: tuple[object, ...]) -> int:
        places = ", ".join("?" * len(values))
        query = f"SELECT {number} FROM {table} WHERE ({columns}) = ({places})"  # noqa: S608  # our own names
        row = self._connection.execute(query, values).fetchone()
        if row is None:
            insert = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {number}"  # noqa: S608  # our own names
            row = self._connection.execute(insert, values).fetchone()
        return int(row[0])


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
        project=row["project"] or None,
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
        row["record"], row["series"], row["session"], bool(row["replay"]), Entry(response, costs, row["profile"])
    )
