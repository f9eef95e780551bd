"""The one way into the ledger: responses, how far the logs were read, and the events that say so commit together.

That is what makes an import exactly-once across a `kill -9`: either all of it happened, or it is read again.
"""

import asyncio
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple, TypeVar

from clown_daemon.clock import Clock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.events import UsageImported, UsageImportProgressed, UsageUpdated
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.ledger import Entry, Response
from clown_daemon.store.positions import Position
from clown_daemon.store.proxied_runs import without_proxied
from clown_daemon.store.usage import (
    Added,
    Unpriced,
    add_entries,
    joined,
    price_unpriced,
    put_import,
    put_position,
    read_imports,
    read_one_profile_usage,
    read_positions,
    read_unpriced,
)
from clown_daemon.usage.backlog import LogName
from clown_daemon.usage.crossings import record_crossings
from clown_daemon.usage.pace import Pace
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.reader import Part, Price
from clown_daemon.usage.sources import SOURCES

T = TypeVar("T")


class Recorded(NamedTuple):
    """What was added, over all profiles."""

    records: int = 0
    tokens: int = 0
    sessions: frozenset[str] = frozenset()
    changed: bool = False
    """Whether any total changed: a correction adds no record."""

    def __add__(self, other: object) -> "Recorded":
        assert isinstance(other, Recorded)
        return Recorded(
            self.records + other.records,
            self.tokens + other.tokens,
            self.sessions | other.sessions,
            self.changed or other.changed,
        )


Meter = Callable[[str, Sequence[Response]], None]
"""Adds responses of a profile to the ledger, with their prices, and tells it."""

Tell = Callable[[Mapping[str, Recorded]], Sequence[UsageImport]]
"""Answers what is told of imports together with what was just recorded, by source."""


class Recorder:
    """Writes what was read, one transaction at a time.

    Attributes:
        refusal: why nothing can be recorded; None while it works.
        last_read_ms: when something of a source was recorded last, since the daemon began.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.refusal: StoreUnavailableError | None = None
        self.last_read_ms: dict[str, int] = {}
        self._database = database
        self._clock = clock
        self._pace = Pace()
        self._turn = asyncio.Lock()
        self._positions: dict[LogName, Position] | None = None

    async def positions(self) -> Mapping[LogName, Position]:
        """How far every log was read."""
        return await self._known_positions()

    def wait_seconds(self, profiles: Iterable[str]) -> float:
        """How long until something of these profiles may be recorded; 0 is now."""
        return self._pace.wait_seconds(profiles)

    async def record(
        self, parts: Sequence[Part], *, imported: bool, tell: Tell = lambda _: ()
    ) -> Mapping[str, Recorded]:
        """Record parts in one transaction, once their profiles may have another update; answer what of each source.

        Args:
            parts: those of one log in their order.
            imported: whether it is a back-fill.
            tell: what is told of imports in the same transaction.

        Raises:
            StoreUnavailableError: nothing of it was recorded.
        """

        def change(transaction: Transaction) -> Mapping[str, Recorded]:
            began = time.monotonic()
            added = {
                source: add_entries(transaction.connection, _news(transaction, some))
                for source, some in _by_source(parts).items()
            }
            for part in parts:
                put_position(transaction.connection, part.source, part.path, part.position)
            self._tell_added(transaction, joined(added.values()), began, imported=imported)
            recorded = {source: _sum(found) for source, found in added.items()}
            for state in tell(recorded):
                _tell_import(transaction, state)
            return recorded

        known = await self._known_positions()
        profiles = {part.position.profile for part in parts}
        recorded = await self._write(change, profiles)
        known.update({(part.source, part.path): part.position for part in parts})
        self.last_read_ms.update(dict.fromkeys((part.source for part in parts), self._clock.now_ms()))
        return recorded

    async def record_metered(
        self, change: Callable[[Transaction, Meter], T], profiles: Iterable[str], price: Price
    ) -> T:
        """Make a change that adds responses which proxies metered, once their profiles may have another update.

        Args:
            change: is given what adds responses of a profile.
            profiles: all that it may add to.
            price: of a response.

        Raises:
            StoreUnavailableError: nothing of it was recorded.
        """

        def whole(transaction: Transaction) -> T:
            began = time.monotonic()

            def add(profile: str, responses: Sequence[Response]) -> None:
                entries = [Entry(response, price(response), profile) for response in responses]
                self._tell_added(transaction, add_entries(transaction.connection, entries), began, imported=False)

            return change(transaction, add)

        return await self._write(whole, profiles)

    async def tell(self, state: UsageImport) -> None:
        """Record how far an import is."""
        await self._commit(lambda transaction: _tell_import(transaction, state))

    async def interrupted(self) -> frozenset[str]:
        """Answer the sources whose import the books take for running: their daemon died over it."""
        states = await self._database.read(read_imports)
        return frozenset(state.source for state in states if state.state == "running")

    async def price_unpriced(self, prices: PriceList) -> None:
        """Price what no table knew when it was read; a release or the user's file may know it now.

        Only models that are known now are looked at, some thousand responses at a time.
        """
        for unpriced in await self._database.read(read_unpriced):
            if not prices.find(unpriced.model, unpriced.provider):
                continue
            last: int | None = 0
            while last is not None:
                last = await self._price_some(unpriced, prices.cost, last)

    async def _price_some(self, unpriced: Unpriced, price: Price, after: int) -> int | None:
        def change(transaction: Transaction) -> int | None:
            began = time.monotonic()
            added, last = price_unpriced(transaction.connection, price, unpriced.series, after=after)
            self._tell_added(transaction, added, began, imported=True)
            return last

        return await self._write(change, [unpriced.profile])

    async def _known_positions(self) -> dict[LogName, Position]:
        if self._positions is None:
            self._positions = await self._database.read(_read_positions)
        return self._positions

    async def _write(self, change: Callable[[Transaction], T], profiles: Iterable[str]) -> T:
        while True:
            await asyncio.sleep(self._pace.wait_seconds(profiles))
            async with self._turn:
                if not self._pace.wait_seconds(profiles):
                    return await self._commit(change)

    async def _commit(self, change: Callable[[Transaction], T]) -> T:
        try:
            result = await self._database.write(change)
        except StoreUnavailableError as error:
            self.refusal = error
            raise
        self.refusal = None
        return result

    def _tell_added(
        self, transaction: Transaction, added: Mapping[str, Added], began: float, *, imported: bool
    ) -> None:
        tell_added(transaction, added, self._clock.zone, imported=imported)
        self._pace.began(added, began)


def tell_added(transaction: Transaction, added: Mapping[str, Added], zone: tzinfo, *, imported: bool) -> None:
    """Tell each profile what was added to it, with the profile's totals after it; and what that crosses of budgets."""
    for profile, found in added.items():
        event = UsageUpdated(
            profile=profile,
            tokens=found.tokens,
            cost=found.cost,
            responses=found.responses,
            models=tuple(sorted(found.models)),
            agent_id=found.agent_id,
            imported=imported,
        )
        transaction.record(event, read_one_profile_usage(transaction.connection, profile, transaction.now_ms, zone))
    record_crossings(transaction, added.keys(), zone, imported=imported)


def _news(transaction: Transaction, parts: Iterable[Part]) -> Sequence[Entry]:
    """The entries of parts that no proxy tells."""
    return without_proxied(transaction.connection, [entry for part in parts for entry in part.entries])


def _read_positions(connection: sqlite3.Connection) -> dict[LogName, Position]:
    return {
        (source.name, path): position
        for source in SOURCES
        for path, position in read_positions(connection, source.name).items()
    }


def _tell_import(transaction: Transaction, state: UsageImport) -> None:
    """Keep how far an import is, and tell it: a snapshot never knows more than the events."""
    put_import(transaction.connection, state)
    if state.state == "done":
        transaction.record(UsageImported(source=state.source, records_imported=state.records_imported), state)
    else:
        told = UsageImportProgressed(source=state.source, files_done=state.files_done, files_total=state.files_total)
        transaction.record(told, state)


def _by_source(parts: Iterable[Part]) -> Mapping[str, list[Part]]:
    found: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        found[part.source].append(part)
    return found


def _sum(added: Mapping[str, Added]) -> Recorded:
    return Recorded(
        records=sum(found.responses for found in added.values()),
        tokens=sum(found.tokens.total for found in added.values()),
        sessions=frozenset(session for found in added.values() if found.responses > 0 for session in found.sessions),
        changed=bool(added),
    )
