"""The ledger in SQL: rows are added and corrected here, in the transaction that also moves the files' positions.

Every write answers what it *added*, so that an event can say exactly that; the sums (`usage_rollups`) change by that in
the same transaction. A batch is folded in memory and inserted at once, and only what was there already is looked at
one by one: that is what makes an import fast. Reading totals is `usage_totals`, reports are `usage_report`; the readers
of the snapshot and the positions of files are offered here too.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from clown_daemon.protocol.resources import Cost, Tokens
from clown_daemon.store.ledger import Costs, Entry, Response, merge
from clown_daemon.store.positions import Position
from clown_daemon.store.usage_files import (
    put_import,
    put_position,
    read_import,
    read_imports,
    read_positions,
)
from clown_daemon.store.usage_replays import Lineage, link_sessions, mark, settle, twins_since
from clown_daemon.store.usage_rollups import Growth
from clown_daemon.store.usage_rows import INSERT, SELECT, UPDATE, Names, Stored, as_stored, stored
from clown_daemon.store.usage_sums import NOTHING, Sums, add_up
from clown_daemon.store.usage_totals import read_one_profile_usage, read_profile_usage

__all__ = [
    "Added",
    "Position",
    "Repriced",
    "Unpriced",
    "add_entries",
    "joined",
    "price_unpriced",
    "put_import",
    "put_position",
    "read_import",
    "read_imports",
    "read_one_profile_usage",
    "read_positions",
    "read_profile_usage",
    "read_unpriced",
]

LOOKED_UP_AT_ONCE = 500
"""Keys in one query; SQLite takes 999 everywhere."""
PRICED_AT_ONCE = 5000
"""Rows that are priced in one transaction: others wait for it."""


@dataclass
class Added:
    """What one write added to one profile. A correction adds the difference, which may be negative in a class."""

    agent_id: str
    sums: Sums = NOTHING
    priced: bool = False
    """Whether any response that was touched has a price."""
    models: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)

    @property
    def responses(self) -> int:
        return self.sums.responses

    @property
    def tokens(self) -> Tokens:
        return self.sums.tokens

    @property
    def cost(self) -> Cost:
        return self.sums.cost_if(known=self.priced)

    def plus(self, later: "Added") -> "Added":
        """This and what another write added to the same profile."""
        return Added(
            self.agent_id,
            add_up((self.sums, later.sums)),
            self.priced or later.priced,
            self.models | later.models,
            self.sessions | later.sessions,
        )


def add_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[str, Added]:
    """Add responses to the ledger, each once; answer what that added, by profile.

    A response that is there already is corrected if this witness knows more, and adds nothing otherwise. The price of
    an entry belongs to its own token counts, so the witness that is right brings its price. What is added in the end
    does not depend on the order; whose it is does: the first importer's.
    """
    growth = Growth(connection)
    names = Names(connection)
    folded, parents = _folded(entries)
    rows = names.rows(folded.values())
    before = connection.total_changes
    connection.executemany(INSERT, rows)
    known = len(rows) - (connection.total_changes - before)
    twins = set()
    if known:
        by_key = {bytes(cast("bytearray", row[0])): entry for row, entry in zip(rows, folded.values(), strict=True)}
        twins = _correct(connection, growth, names, by_key)
    twins |= link_sessions(connection, {names.session(*place): parent for place, parent in parents.items()})
    _settle(connection, growth, twins | twins_since(connection, growth.last_record))
    growth.finish()
    return _told(connection)


def joined(writes: Iterable[Mapping[str, Added]]) -> dict[str, Added]:
    """What several writes added together, by profile."""
    together: dict[str, Added] = {}
    for write in writes:
        for profile, added in write.items():
            known = together.get(profile)
            together[profile] = added if known is None else known.plus(added)
    return {profile: added for profile, added in sorted(together.items()) if any(added.sums)}


class Unpriced(NamedTuple):
    """A series that has responses without a price."""

    series: int
    profile: str
    provider: str
    model: str


class Repriced(NamedTuple):
    """What pricing some of a series added."""

    added: dict[str, Added]
    """By profile."""
    last: int | None
    """The row to go on after; None when that was all."""


def read_unpriced(connection: sqlite3.Connection) -> tuple[Unpriced, ...]:
    """The series that have responses without a price."""
    rows = connection.execute(
        "SELECT series, profile, provider, model FROM usage_series WHERE unpriced_responses > 0 ORDER BY series"
    )
    return tuple(Unpriced(*row) for row in rows)


def price_unpriced(
    connection: sqlite3.Connection,
    price: Callable[[Response], Costs | None],
    series: int,
    *,
    after: int = 0,
    limit: int = PRICED_AT_ONCE,
) -> Repriced:
    """Price what had no price when it was read, some rows of one series.

    Args:
        connection: in a transaction.
        price: answers what a response costs now; None leaves it as it is.
        series: which one.
        after: the `last` of what was answered before.
        limit: at most this many rows.
    """
    growth = Growth(connection)
    names = Names(connection)
    rows = connection.execute(
        f"{SELECT} WHERE series = ? AND usage_records.total_pico IS NULL AND record > ? ORDER BY record LIMIT ?",
        (series, after, limit),
    ).fetchall()
    for found in map(stored, rows):
        costs = price(found.entry.response)
        if costs is not None:
            _put(connection, growth, names, found, found.entry._replace(costs=costs))
    growth.finish()
    return Repriced(_told(connection), rows[-1]["record"] if len(rows) == limit else None)


def _folded(entries: Iterable[Entry]) -> tuple[dict[str, Entry], dict[tuple[str, str], str]]:
    """Merge the lines of each response; also answer which session, of which agent, was forked from which."""
    folded: dict[str, Entry] = {}
    parents: dict[tuple[str, str], str] = {}
    for entry in entries:
        response = entry.response
        key = response.key
        known = folded.setdefault(key, entry)
        if known is not entry:
            folded[key] = merge(known, entry)
        if response.parent_session is not None:
            parents[response.agent_id, response.session] = response.parent_session
    return folded, parents


def _correct(connection: sqlite3.Connection, growth: Growth, names: Names, by_key: Mapping[bytes, Entry]) -> set[int]:
    """Merge what was there before with what a batch, by stored keys, says of it; answer the twins of what changed."""
    twins = set()
    for before in _known(connection, list(by_key), growth.last_record):
        after = merge(before.entry, as_stored(by_key[bytes.fromhex(before.entry.response.key)]))
        if after == before.entry:
            continue
        twins |= {int(twin) for twin in (before.entry.response.twin, after.response.twin) if twin is not None}
        _put(connection, growth, names, before, after)
    return twins


def _known(connection: sqlite3.Connection, keys: Sequence[bytes], last_record: int) -> Iterator[Stored]:
    """The rows of these keys that were there before."""
    for start in range(0, len(keys), LOOKED_UP_AT_ONCE):
        some = keys[start : start + LOOKED_UP_AT_ONCE]
        places = ", ".join("?" * len(some))
        query = f"{SELECT} WHERE key IN ({places}) AND record <= ?"
        for row in connection.execute(query, (*some, last_record)).fetchall():
            yield stored(row)


def _put(connection: sqlite3.Connection, growth: Growth, names: Names, before: Stored, after: Entry) -> None:
    row = names.stored_row(after)
    connection.execute(UPDATE, (*row, before.record))
    if not before.replay:
        growth.count(before, added=False)
        growth.count(names.numbered(before, after), added=True)


def _settle(connection: sqlite3.Connection, growth: Growth, twins: Iterable[int]) -> None:
    """Decide which rows of these groups are replays, and count accordingly."""
    hidden, shown = settle(connection, twins, Lineage(connection))
    for records, replay in ((hidden, True), (shown, False)):
        for row in _rows(connection, records, growth.last_record):
            growth.count(row, added=not replay)
        mark(connection, records, replay=replay)


def _rows(connection: sqlite3.Connection, records: Sequence[int], last_record: int) -> list[Stored]:
    """Those of these rows that were there before."""
    some = "record IN (SELECT value FROM json_each(?))"
    rows = connection.execute(f"{SELECT} WHERE {some} AND record <= ?", (json.dumps(records), last_record))
    return [stored(row) for row in rows]


_GROWTH = "usage_growth JOIN usage_series USING (series)"
_GROWN = ", ".join(f"sum(usage_growth.{name})" for name in Sums._fields)


def _told(connection: sqlite3.Connection) -> dict[str, Added]:
    """Say by profile what grew, without profiles where nothing did."""
    rows = connection.execute(
        f"SELECT profile, max(agent_id), max(priced), {_GROWN} FROM {_GROWTH} GROUP BY profile ORDER BY profile"  # noqa: S608  # our own names
    )
    added = {row[0]: Added(row[1], Sums(*row[3:]), bool(row[2])) for row in map(tuple, rows) if any(row[3:])}
    for profile, model in connection.execute(f"SELECT DISTINCT profile, model FROM {_GROWTH}"):  # noqa: S608  # our own names
        if profile in added:
            added[profile].models.add(model)
    for profile, session in connection.execute(
        f"SELECT DISTINCT profile, name FROM {_GROWTH} JOIN usage_sessions USING (session)"  # noqa: S608  # our own names
        " WHERE usage_growth.responses > 0"
    ):
        if profile in added:
            added[profile].sessions.add(session)
    return added
