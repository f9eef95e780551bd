"""A usage service on a real database in a temporary folder, with everything it recorded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from clown_daemon.clock import ManualClock
from clown_daemon.paths import Paths
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, UsageUpdated
from clown_daemon.protocol.requests import ImportClaudeQuery
from clown_daemon.protocol.resources import ProfileUsage, UsageImport
from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent
from clown_daemon.store.usage import read_imports, read_profile_usage
from clown_daemon.usage.inventory import LogOwner
from clown_daemon.usage.reports import UsageReports
from clown_daemon.usage.service import UsageService

NOON = epoch_ms("2026-11-23T12:00:00Z")


class Bench:
    """One machine: a home, a database, profiles, and what was announced."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.home = folder / "home"
        self.environ = {"HOME": str(self.home)}
        self.clock = clock
        self.paths = Paths.from_environment({"CLOWN_HOME": str(folder / "clown")})
        self.profiles: dict[str, Path] = {}
        """The home of each, by alias."""
        self.events: list[Event] = []
        self.database: Database
        self.service: UsageService
        self.reports: UsageReports

    @property
    def logs(self) -> Path:
        """Where Claude Code keeps the transcripts of nobody's profile."""
        return self.home / ".claude" / "projects"

    def write(self, name: str, data: bytes, folder: Path | None = None) -> Path:
        """Write a transcript; answer its path."""
        path = (folder or self.logs) / "-home-dev-project" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def announce(self, events: Sequence[EncodedEvent]) -> None:
        for encoded in events:
            event = codec.decode_frame(encoded.body)
            assert isinstance(event, Event)
            self.events.append(event)

    def updates(self) -> list[UsageUpdated]:
        """The data of every `UsageUpdated` so far."""
        return [event.data for event in self.events if isinstance(event.data, UsageUpdated)]

    def restart(self) -> None:
        """A new daemon process on the same database."""

        async def owners() -> dict[str, LogOwner]:
            return {alias: LogOwner(home, None) for alias, home in self.profiles.items()}

        self.reports = UsageReports(database=self.database, clock=self.clock, providers=("anthropic", "openai"))
        self.service = UsageService(
            database=self.database, clock=self.clock, environ=self.environ, paths=self.paths, owners=owners
        )

    async def catch_up(self) -> None:
        """What the daemon does first: import everything that is there."""
        await self.service._follower.catch_up()
        await self.service._importer.do_all()

    async def look(self, *changed: Path) -> None:
        """What the daemon does when files changed; everywhere unless it knows which."""
        self.service._changes.add(frozenset(changed) or None)
        await self.service._follower.read_changes()
        while self.service._follower._pending:
            await self.service._follower._next_change()
            await self.service._follower.read_changes()
        await self.service._importer.do_all()

    async def import_claude(self, claude_dir: Path | str | None = None) -> str:
        """What a daemon that does nothing else answers to `POST /api/usage/import-claude`."""
        async with self.importing():
            query = ImportClaudeQuery(claude_dir=None if claude_dir is None else str(claude_dir))
            return await self.service.import_claude(query)

    @asynccontextmanager
    async def importing(self) -> AsyncIterator[None]:
        """Do imports beside the test, and nothing else."""
        working = asyncio.create_task(self.service._importer.work(), name="usage.imports")
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait([working])

    async def totals(self) -> tuple[ProfileUsage, ...]:
        return await self.database.read(
            lambda connection: read_profile_usage(connection, self.clock.now_ms(), self.clock.zone)
        )

    async def imports(self) -> tuple[UsageImport, ...]:
        return await self.database.read(read_imports)

    async def replayed(self) -> tuple[ProfileUsage, ...]:
        """What a client that followed the events from the first one holds."""
        model = {
            event.resource.profile: event.resource for event in self.events if isinstance(event.resource, ProfileUsage)
        }
        return tuple(model[profile] for profile in sorted(model))

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Run `follow` beside the test."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.service.follow(), name="usage-follow")
            try:
                yield
            finally:
                task.cancel()


@asynccontextmanager
async def open_bench(folder: Path, zone_name: str = "UTC") -> AsyncIterator[Bench]:
    """A bench with an empty home, at noon."""
    bench = Bench(folder, ManualClock(NOON, zone_name))
    bench.home.mkdir(exist_ok=True)
    bench.database = await open_database(folder / "clown.db", bench.clock, bench.announce)
    bench.restart()
    try:
        yield bench
    finally:
        await bench.database.close()
