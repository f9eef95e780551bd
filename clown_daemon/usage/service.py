"""Usage as the daemon sees it: follow the agents' logs, and import on request.

Builds the parts of this package and connects them; what they do stands in their own modules.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError
from clown_daemon.paths import Paths
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import CancelImports, ImportClaudeQuery, ImportUsage
from clown_daemon.protocol.resources import UsageImport, UsageSource
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.usage_report import responses_by_agent
from clown_daemon.usage.following import Follower
from clown_daemon.usage.importing import Importer
from clown_daemon.usage.imports import Import
from clown_daemon.usage.inventory import Inventory, Owners
from clown_daemon.usage.places import roots_to_import, source_called
from clown_daemon.usage.price_files import PriceFiles
from clown_daemon.usage.price_watch import PriceWatch
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.recorder import Meter, Recorder
from clown_daemon.usage.sources import BY_NAME, SOURCES, Source
from clown_daemon.usage.status import Seen, describe
from clown_daemon.usage.troubles import Troubles
from clown_daemon.usage.watcher import Changes, Watcher

T = TypeVar("T")


class UsageService:
    """Follows and imports. `follow` runs for ever beside the others."""

    def __init__(
        self, *, database: Database, clock: Clock, environ: Mapping[str, str], paths: Paths, owners: Owners
    ) -> None:
        self._database = database
        self._clock = clock
        self._environ = environ
        self._prices = PriceWatch(PriceFiles.of(paths), self._price_again)
        self._troubles = Troubles()
        self._changes = Changes()
        self._inventory = Inventory(environ, owners)
        self._recorder = Recorder(database, clock)
        self._importer = Importer(
            recorder=self._recorder,
            clock=clock,
            prices=self._prices.current,
            troubles=self._troubles,
            ended=lambda: self._changes.add(None),
        )
        self._follower = Follower(
            inventory=self._inventory,
            changes=self._changes,
            recorder=self._recorder,
            importer=self._importer,
            prices=self._prices.current,
            troubles=self._troubles,
        )
        self._watcher = Watcher(self._inventory.folders, self._changes)

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not work right now, one sentence each, sorted."""
        refusal = self._recorder.refusal
        refused = () if refusal is None else (f"usage is not being recorded: {refusal}",)
        return tuple(sorted({*self._prices.problems, *self._troubles.sentences(), *refused}))

    async def follow(self) -> None:
        """Import what is there, then follow what is appended, and do imports on request, for ever.

        A full disk or an unreadable folder ends nothing: it becomes one of the `problems`, and is tried again.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._importer.work(), name="usage.imports")
            group.create_task(self._follower.follow(), name="usage.follower")
            group.create_task(self._watcher.watch(), name="usage.watcher")
            group.create_task(self._prices.watch(), name="usage.prices")

    async def import_claude(self, query: ImportClaudeQuery) -> str:
        """Import Claude Code's logs now, and say in a sentence what was new.

        Raises:
            DomainError: there is no such folder, or there are no logs in it.
            StoreUnavailableError: it is done once the database can be written.
        """
        source = BY_NAME["claude"]
        roots = await asyncio.to_thread(roots_to_import, source, query.claude_dir, self._environ, field="claude_dir")
        entry = Import(source.name, (await self._inventory.look_also(roots)).files, always=True)
        self._importer.add(entry)
        await entry.settled.wait()
        if entry.failure is not None:
            raise entry.failure
        recorded = entry.recorded
        where = " and ".join(root.folder for root in roots)
        return (
            f"Imported {_counted(recorded.records, 'record')} ({_counted(recorded.tokens, 'token')},"
            f" {_counted(len(recorded.sessions), 'session')}) from {where}"
        )

    async def import_usage(self, request: ImportUsage) -> UsageImport:
        """Begin an import; answer it as it begins, or as it is when it runs already.

        Raises:
            DomainError: there is no such source, there are no logs, or others of the source are being imported.
            StoreUnavailableError: nothing was begun.
        """
        source = source_called(request.source)
        running = self._importer.of(source.name)
        if running is not None and running.path != request.path:
            raise DomainError(
                ProblemCode.BUSY,
                f"logs of {source.title} are being imported already",
                hint="wait for `UsageImported`, or cancel it",
            )
        if running is not None:
            return running.state or await self._importer.announce(running)
        roots = await asyncio.to_thread(roots_to_import, source, request.path, self._environ)
        found = await self._inventory.look_also(roots)
        entry = Import(source.name, found.files, always=True, path=request.path)
        state = await self._importer.announce(entry)
        self._importer.add(entry)
        return state

    async def cancel_imports(self, request: CancelImports) -> tuple[UsageImport, ...]:
        """End imports; answer how far they came.

        Raises:
            DomainError: there is no such source.
        """
        if request.source is not None:
            source_called(request.source)
        return await self._importer.cancel(request.source)

    async def sources(self) -> tuple[UsageSource, ...]:
        """Answer `GET /api/usage/sources`."""
        places, existing = await self._inventory.places()
        records = await self._database.read(responses_by_agent)
        broken: Counter[str] = Counter()
        for (source, _), position in (await self._recorder.positions()).items():
            broken[source] += position.lines_broken
        return tuple(
            describe(source, places[source.name], existing, self._watcher.polled, self._seen(source, records, broken))
            for source in SOURCES
        )

    def wait_seconds(self, profiles: Iterable[str]) -> float:
        """How long until something of these profiles may be recorded; 0 is now."""
        return self._recorder.wait_seconds(profiles)

    async def record_metered(self, change: Callable[[Transaction, Meter], T], profiles: Iterable[str]) -> T:
        """Make a change that adds responses which proxies metered, priced as of now.

        Raises:
            StoreUnavailableError: nothing of it was recorded.
        """
        return await self._recorder.record_metered(change, profiles, (await self._prices.current()).cost)

    def _seen(self, source: Source, records: Mapping[str, int], broken: Mapping[str, int]) -> Seen:
        files, size = self._inventory.found.get(source.name, (0, 0))
        return Seen(
            files=files,
            bytes=size,
            records=records.get(source.agent_id, 0),
            lines_broken=broken.get(source.name, 0),
            last_read_ms=self._recorder.last_read_ms.get(source.name),
            problems=self._troubles.of(source.name),
            importing=self._importer.of(source.name) is not None,
            left_alone=self._importer.left_alone(source.name),
        )

    async def _price_again(self, prices: PriceList) -> None:
        await self._recorder.price_unpriced(prices)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
