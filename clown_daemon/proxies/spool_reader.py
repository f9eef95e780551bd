"""Reads what proxies wrote down, into the ledger: each record once, whoever was down meanwhile.

The place up to which a file was read commits with what was read, so a daemon that is killed reads the rest again and
nothing twice. What comes close together is told together: traffic at most once a second, usage as the ledger has it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from clown_daemon.proxies import spool_files
from clown_daemon.proxies.billing import left_open, response_of, traffic_of
from clown_daemon.proxies.books import record_traffic
from clown_daemon.proxies.spool_files import Piece, Place
from clown_daemon.store import proxies as store
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.ledger import Response

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""How often to look while a proxy runs."""
REST_SECONDS = 5.0
"""How often to look while none does, and after files that can go."""
TRAFFIC_SECONDS = 1.0
"""Between two tellings of one proxy's traffic."""

Add = Callable[[str, Sequence[Response]], None]
"""Adds responses of a profile to the ledger, with their prices, and records the event that says so."""


class Ledger(Protocol):
    """What is needed of the ledger (`usage.service`)."""

    def wait_seconds(self, profiles: Iterable[str]) -> float:
        """How long until something of these profiles may be recorded."""

    async def record_metered(self, change: Callable[[Transaction, Add], None], profiles: Iterable[str]) -> None:
        """Make a change that adds responses of these profiles."""


class SpoolReader:
    """Reads all spools.

    Args:
        folder: one folder a profile lies in it.
        database: keeps what was read and how far.
        ledger: where it goes.
        is_busy: answers whether any proxy runs.
    """

    def __init__(
        self,
        *,
        folder: Path,
        database: Database,
        ledger: Ledger,
        is_busy: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._database = database
        self._ledger = ledger
        self._is_busy = is_busy
        self._offsets: dict[Place, int] | None = None
        self._untold: set[str] = set()
        """Profiles with traffic that no event has told."""
        self._told_at: dict[str, float] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: a proxy has started."""
        self._woken.set()

    async def watch(self) -> None:
        """Read for ever."""
        tidied = float("-inf")
        while True:
            await self.read()
            await self._tell_traffic(everything=False)
            if time.monotonic() - tidied >= REST_SECONDS:
                await self.tidy()
                tidied = time.monotonic()
            self._woken.clear()
            await self._rest(LOOK_SECONDS if self._is_busy() or self._untold else REST_SECONDS)

    async def read(self) -> None:
        """Read everything that is there and was not read yet."""
        offsets = await self._load()
        while pieces := await self._new():
            wait_seconds = self._ledger.wait_seconds({piece.profile for piece in pieces})
            if wait_seconds:
                await asyncio.sleep(wait_seconds)
                pieces = await self._new()  # with what came meanwhile
            await self._keep(pieces)
            offsets.update({(piece.profile, piece.file): piece.offset for piece in pieces})

    async def _new(self) -> Sequence[Piece]:
        return await asyncio.to_thread(spool_files.read_pieces, self._folder, dict(await self._load()))

    async def finish(self) -> None:
        """Read and tell everything: no proxy runs any more."""
        await self.read()
        await self._tell_traffic(everything=True)

    async def tidy(self) -> None:
        """Remove files that are over; what dead proxies left open is counted before."""
        offsets = await self._load()
        for over in await asyncio.to_thread(spool_files.find_over, self._folder, dict(offsets)):
            open_ones = await self._left_open(over.places)
            if open_ones and not over.ended:
                continue  # their ends will be in another file
            await self._count(over.places[0][0], open_ones)
            for place in over.places:
                # First the file: a file without its place would be read again from its beginning.
                await asyncio.to_thread(spool_files.remove, self._folder, place)
                await self._database.write(partial(_forget, place=place))
                del offsets[place]

    async def _load(self) -> dict[Place, int]:
        if self._offsets is None:
            self._offsets = await self._database.read(store.read_offsets)
            self._untold.update(await self._database.read(store.read_waiting))
        return self._offsets

    async def _keep(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if piece.broken:
                logger.warning("%d lines of %s/%s are no records", piece.broken, piece.profile, piece.file)
        profiles = {piece.profile for piece in pieces}
        due = self._due(profiles)
        await self._ledger.record_metered(partial(_keep, pieces=pieces, tell=due), profiles)
        self._untold |= profiles - due
        self._note_told(due)

    async def _tell_traffic(self, *, everything: bool) -> None:
        due = set(self._untold) if everything else self._due(self._untold)
        if due:
            await self._database.write(partial(_tell, profiles=due))
            self._note_told(due)

    def _due(self, profiles: Iterable[str]) -> set[str]:
        now = time.monotonic()
        return {name for name in profiles if now - self._told_at.get(name, float("-inf")) >= TRAFFIC_SECONDS}

    def _note_told(self, profiles: set[str]) -> None:
        self._untold -= profiles
        self._told_at.update(dict.fromkeys(profiles, time.monotonic()))

    async def _left_open(self, places: Sequence[Place]) -> tuple[Response, ...]:
        read = [await asyncio.to_thread(spool_files.read_whole, self._folder, place) for place in places]
        return left_open(record for records in read for record in records)

    async def _count(self, profile: str, responses: Sequence[Response]) -> None:
        if responses:
            logger.warning("a proxy of %s died over %d requests; they count as far as known", profile, len(responses))
            await self._ledger.record_metered(lambda _, add: add(profile, responses), [profile])

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass


def _keep(transaction: Transaction, add: Add, pieces: Sequence[Piece], tell: set[str]) -> None:
    for profile, group in groupby(pieces, key=attrgetter("profile")):
        own = list(group)
        records = [record for piece in own for record in piece.records]
        responses = [response for record in records if (response := response_of(record)) is not None]
        if responses:
            add(profile, responses)
        ended = [traffic_of(record) for record in records if record.kind == "end"]
        store.add_traffic(transaction.connection, profile, ended)
        for piece in own:
            store.put_offset(transaction.connection, piece.profile, piece.file, piece.offset)
    _tell(transaction, tell)


def _tell(transaction: Transaction, profiles: Iterable[str]) -> None:
    for profile in sorted(profiles):
        record_traffic(transaction, profile)


def _forget(transaction: Transaction, place: Place) -> None:
    store.delete_offset(transaction.connection, *place)
