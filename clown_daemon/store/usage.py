"""The ledger in SQL: rows are added and corrected here, in the transaction that also moves the files' offsets.

Every write answers what it *added*, so that an event can say exactly that; the sums by quarter of an hour
(`usage_quarters`) change by the same amount in the same transaction. Reading totals is `usage_totals`, reports are
`usage_report`; the two readers of the snapshot are offered here too.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from clown_daemon.protocol.resources import Cost, Tokens, UsageImport
from clown_daemon.store.ledger import Costs, Entry, Response, merge
from clown_daemon.store.periods import QUARTER_MS
from clown_daemon.store.usage_totals import cost_of, read_one_profile_usage, read_profile_usage

__all__ = [
    "Added",
    "Position",
    "add_entries",
    "price_unpriced",
    "put_import",
    "put_position",
    "read_import",
    "read_imports",
    "read_one_profile_usage",
    "read_positions",
    "read_profile_usage",
]

_COLUMNS = (
    "key, source, profile, agent_id, model, session, project, at_ms, message_id, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, web_searches, fast, sidechain, complete, "
    "input_pico, output_pico, cache_write_pico, cache_read_pico, total_pico, price_table"
)
_INSERT = f"INSERT OR REPLACE INTO usage_records ({_COLUMNS}) VALUES ({', '.join('?' * 24)})"  # noqa: S608  # our own names

Sums = list[int]
"""responses, unpriced, input, output, cache write, cache read tokens; input, output, write, read, total picodollars."""

_UPSERT_QUARTER = """
INSERT INTO usage_quarters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (profile, quarter_ms, model, session) DO UPDATE SET
    responses = responses + excluded.responses,
    unpriced_responses = unpriced_responses + excluded.unpriced_responses,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    input_pico = input_pico + excluded.input_pico,
    output_pico = output_pico + excluded.output_pico,
    cache_write_pico = cache_write_pico + excluded.cache_write_pico,
    cache_read_pico = cache_read_pico + excluded.cache_read_pico,
    total_pico = total_pico + excluded.total_pico
"""


@dataclass
class Added:
    """What one write added to one profile. A correction adds the difference, which may be negative in a class."""

    agent_id: str
    sums: Sums = field(default_factory=lambda: [0] * 11)
    priced: bool = False
    """Whether any response that was touched has a price."""
    models: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)

    @property
    def responses(self) -> int:
        return self.sums[0]

    @property
    def tokens(self) -> Tokens:
        return Tokens(
            input_tokens=self.sums[2],
            output_tokens=self.sums[3],
            cache_creation_input_tokens=self.sums[4],
            cache_read_input_tokens=self.sums[5],
        )

    @property
    def cost(self) -> Cost:
        return cost_of(self.sums[6:11], known=self.priced)


class Position(NamedTuple):
    """How far a log file was read, and how to tell that it is still the same file."""

    inode: int
    offset: int
    fingerprint: bytes
    profile: str


class _Ledger:
    """One write: looks rows up, writes them, and collects by how much the sums change."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._quarters: dict[tuple[str, int, str, str], Sums] = {}
        self.added: dict[str, Added] = {}

    def find(self, key: str) -> Entry | None:
        row = self._connection.execute("SELECT * FROM usage_records WHERE key = ?", (key,)).fetchone()
        return None if row is None else _entry(row)

    def witnesses(self, message_id: str) -> Iterator[tuple[str, Entry]]:
        """Everything known of a message id, with its key."""
        rows = self._connection.execute("SELECT * FROM usage_records WHERE message_id = ?", (message_id,)).fetchall()
        return ((row["key"], _entry(row)) for row in rows)

    def put(self, key: str, entry: Entry, before: Entry | None) -> None:
        self._connection.execute(_INSERT, _values(key, entry))
        if before is not None:
            self._count(before, -1)
        self._count(entry, +1)

    def remove(self, key: str, entry: Entry) -> None:
        self._connection.execute("DELETE FROM usage_records WHERE key = ?", (key,))
        self._count(entry, -1)

    def finish(self) -> dict[str, Added]:
        """Bring the sums up to date; answer what was added, by profile, without profiles where nothing changed."""
        changed = [(place, sums) for place, sums in self._quarters.items() if any(sums)]
        self._connection.executemany(_UPSERT_QUARTER, [(*place, *sums) for place, sums in changed])
        self._connection.executemany(
            "DELETE FROM usage_quarters"
            " WHERE profile = ? AND quarter_ms = ? AND model = ? AND session = ? AND responses = 0",
            [place for place, sums in changed if sums[0] < 0],
        )
        return {profile: added for profile, added in sorted(self.added.items()) if any(added.sums)}

    def _count(self, entry: Entry, sign: int) -> None:
        response = entry.response
        amounts = _amounts(entry)
        place = (entry.profile, response.at_ms // QUARTER_MS * QUARTER_MS, response.model, response.session)
        quarter = self._quarters.setdefault(place, [0] * 11)
        added = self.added.setdefault(entry.profile, Added(response.agent_id))
        for number, amount in enumerate(amounts):
            quarter[number] += sign * amount
            added.sums[number] += sign * amount
        added.priced |= entry.costs is not None
        added.models.add(response.model)
        if sign > 0:
            added.sessions.add(response.session)


def add_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[str, Added]:
    """Add responses to the ledger, each once; answer what that added, by profile.

    A response that is there already is corrected if this witness knows more, and adds nothing otherwise. The price of
    an entry belongs to its own token counts, so the witness that is right brings its price.
    """
    ledger = _Ledger(connection)
    for key, entry in _folded(entries).items():
        _add(ledger, key, entry)
    return ledger.finish()


def _folded(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Merge the lines of each response before any row is looked up."""
    folded: dict[str, Entry] = {}
    for entry in entries:
        key = entry.response.key
        folded[key] = merge(folded[key], entry) if key in folded else entry
    return folded


def _add(ledger: _Ledger, key: str, entry: Entry) -> None:
    before = ledger.find(key)
    after = entry if before is None else merge(before, entry)
    if after == before:
        return
    for other_key, other in list(ledger.witnesses(entry.response.message_id)):
        if other_key == key:
            continue
        if after.response.replays(other.response):
            if before is not None:
                ledger.remove(key, before)
            return
        if other.response.replays(after.response):
            ledger.remove(other_key, other)
    ledger.put(key, after, before)


def price_unpriced(connection: sqlite3.Connection, price: Callable[[Response], Costs | None]) -> dict[str, Added]:
    """Price what had no price when it was read; answer what that added, by profile."""
    ledger = _Ledger(connection)
    rows = connection.execute("SELECT * FROM usage_records WHERE total_pico IS NULL").fetchall()
    for row in rows:
        entry = _entry(row)
        costs = price(entry.response)
        if costs is not None:
            ledger.put(row["key"], entry._replace(costs=costs), entry)
    return ledger.finish()


def _amounts(entry: Entry) -> Sequence[int]:
    response, costs = entry.response, entry.costs
    pico = (0, 0, 0, 0, 0) if costs is None else costs[:5]
    return (
        1,
        costs is None,
        response.input_tokens,
        response.output_tokens,
        response.cache_write_tokens,
        response.cache_read_tokens,
        *pico,
    )


def _values(key: str, entry: Entry) -> tuple[object, ...]:
    response = entry.response
    costs: Sequence[object] = entry.costs or (None,) * 6
    return (
        key,
        response.source,
        entry.profile,
        response.agent_id,
        response.model,
        response.session,
        response.project,
        response.at_ms,
        response.message_id,
        response.input_tokens,
        response.output_tokens,
        response.cache_read_tokens,
        response.cache_write_5m_tokens,
        response.cache_write_1h_tokens,
        response.web_searches,
        response.fast,
        response.sidechain,
        response.complete,
        *costs,
    )


def _entry(row: sqlite3.Row) -> Entry:
    costs = None if row["total_pico"] is None else Costs(*(row[name] for name in Costs._fields))
    request = f"{row['source']}|request|{row['message_id']}|"
    response = Response(
        source=row["source"],
        agent_id=row["agent_id"],
        message_id=row["message_id"],
        request_id=row["key"].removeprefix(request) if row["key"].startswith(request) else None,
        model=row["model"],
        session=row["session"],
        project=row["project"],
        at_ms=row["at_ms"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        cache_write_5m_tokens=row["cache_write_5m_tokens"],
        cache_write_1h_tokens=row["cache_write_1h_tokens"],
        web_searches=row["web_searches"],
        fast=bool(row["fast"]),
        sidechain=bool(row["sidechain"]),
        complete=bool(row["complete"]),
    )
    return Entry(response, costs, row["profile"])


# -- how far files were read ------------------------------------------------------------------------------------------


def read_positions(connection: sqlite3.Connection, source: str) -> dict[str, Position]:
    """How far each file of a source was read, by path."""
    rows = connection.execute("SELECT * FROM usage_offsets WHERE source = ?", (source,))
    return {row["path"]: Position(row["inode"], row["offset"], row["fingerprint"], row["profile"]) for row in rows}


def put_position(connection: sqlite3.Connection, source: str, path: str, position: Position) -> None:
    """Remember how far a file was read."""
    connection.execute(
        "INSERT OR REPLACE INTO usage_offsets (source, path, inode, offset, fingerprint, profile)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (source, path, *position),
    )


# -- imports ----------------------------------------------------------------------------------------------------------


def read_imports(connection: sqlite3.Connection) -> tuple[UsageImport, ...]:
    """How far reading each source has come, sorted by source."""
    rows = connection.execute("SELECT body FROM usage_imports ORDER BY source")
    return tuple(msgspec.json.decode(row["body"], type=UsageImport) for row in rows)


def read_import(connection: sqlite3.Connection, source: str) -> UsageImport | None:
    """How far reading one source has come; None when it never began."""
    return next((found for found in read_imports(connection) if found.source == source), None)


def put_import(connection: sqlite3.Connection, state: UsageImport) -> None:
    """Remember how far reading a source has come."""
    connection.execute(
        "INSERT OR REPLACE INTO usage_imports (source, body) VALUES (?, ?)", (state.source, msgspec.json.encode(state))
    )
