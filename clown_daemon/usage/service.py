"""Usage as the daemon sees it: follow the agents' logs, import on request, report.

Reading is done in threads and writing on the database's thread, in bounded batches; one lock keeps an import on request
and the follower from reading the same bytes at once. There are at most four transactions a second (`pace`): each waits
a little, and what came meanwhile is in one transaction and one event a profile.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.paths import Paths
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import ImportClaudeQuery, UsageQuery
from clown_daemon.protocol.resources import UNATTRIBUTED, UsageImport, UsageReport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.periods import span_of
from clown_daemon.store.usage import Position, price_unpriced, read_import, read_positions
from clown_daemon.store.usage_report import has_usage, read_report
from clown_daemon.usage.formats.claude import SOURCE
from clown_daemon.usage.pace import Pace
from clown_daemon.usage.price_files import PriceFiles, load_prices
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.recorder import (
    Recorded,
    priced,
    record_added,
    record_batch,
    record_imported,
    record_progress,
)
from clown_daemon.usage.scanner import LOGS_FOLDER, LogFile, Root, Scan, default_roots, find_roots, scan, with_root
from clown_daemon.usage.tailer import Batch, Tailer
from clown_daemon.usage.watcher import Hint, hints

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
RETRY_SECONDS = 5.0

Profiles = Callable[[], Awaitable[Mapping[str, Path]]]
"""Answers the Claude configuration folder of each profile, by alias."""


class UsageService:
    """Follows, imports, reports. `follow` runs for ever beside the others."""

    def __init__(
        self, *, database: Database, clock: Clock, environ: Mapping[str, str], paths: Paths, profiles: Profiles
    ) -> None:
        self._database = database
        self._clock = clock
        self._environ = environ
        self._paths = paths
        self._profiles = profiles
        self._reading = asyncio.Lock()
        self._positions: dict[str, Position] | None = None
        self._prices: PriceList | None = None
        self._pace = Pace()
        self._problems: dict[str, tuple[str, ...]] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not work right now, one sentence each, sorted."""
        return tuple(sorted({sentence for sentences in self._problems.values() for sentence in sentences}))

    async def report(self, query: UsageQuery) -> UsageReport:
        """Answer `GET /api/usage`.

        Raises:
            DomainError: the time zone or the profile is unknown.
        """
        now_ms = self._clock.now_ms()

        def read(connection: sqlite3.Connection) -> UsageReport:
            zone = self._clock.zone if query.tz is None else _zone(query.tz)
            if query.profile not in {None, UNATTRIBUTED} and not has_usage(connection, query.profile or ""):
                raise DomainError(ProblemCode.UNKNOWN_PROFILE, f"there is no profile {query.profile!r}")
            return read_report(
                connection,
                query.period,
                span_of(query.period, now_ms, zone),
                now_ms=now_ms,
                profile=query.profile,
                model=query.model,
            )

        return await self._database.read(read)

    async def import_claude(self, query: ImportClaudeQuery) -> str:
        """Import Claude Code's logs now, and say in a sentence what was new.

        Raises:
            DomainError: there is no such folder, or there are no logs in it.
        """
        folders = await asyncio.to_thread(_import_folders, query.claude_dir, self._environ)
        found = await asyncio.to_thread(_scan_also, await self._roots(), folders)
        self._problems["import"] = found.problems
        recorded = await self._import(found.files, always=True)
        where = " and ".join(map(str, folders))
        return (
            f"Imported {_counted(recorded.records, 'record')} ({_counted(recorded.tokens, 'token')},"
            f" {_counted(len(recorded.sessions), 'session')}) from {where}"
        )

    async def follow(self) -> None:
        """Import what is there, then follow what is appended, for ever.

        A full disk or an unreadable folder ends nothing: it becomes one of the `problems`, and is tried again.
        """
        while True:
            if await self._survive(self._catch_up()):
                break
            await asyncio.sleep(RETRY_SECONDS)
        async for hint in hints(self._folders):
            where = hint
            while not await self._survive(self._tail(where)):
                # What was not kept is read again; where else something happens meanwhile is not known.
                where = None
                await asyncio.sleep(RETRY_SECONDS)

    async def _survive(self, work: Awaitable[None]) -> bool:
        """Whether the work was done; else the next full look does it."""
        try:
            await work
        except StoreUnavailableError as error:
            logger.warning("usage is not being recorded: %s", error)
            self._problems["store"] = (f"usage is not being recorded: {error}",)
            return False
        self._problems.pop("store", None)
        return True

    async def _catch_up(self) -> None:
        await self._price_unpriced()
        found = await asyncio.to_thread(scan, await self._roots())
        self._problems["folders"] = found.problems
        await self._import(found.files, always=False)

    async def _tail(self, hint: Hint) -> None:
        """Read what is new and record it as spending that happens now."""
        await self._pace.wait()
        found = await asyncio.to_thread(scan, await self._roots(), hint)
        if hint is None:
            self._problems["folders"] = found.problems
        async with self._reading:
            tailer = Tailer(found.files, await self._known_positions(), suspicious=hint is not None)
            while (batch := await self._next_batch(tailer)) is not None:
                await self._write(batch, imported=False, progress=None)
            self._problems["files"] = tuple(tailer.problems)

    async def _import(self, files: Sequence[LogFile], *, always: bool) -> Recorded:
        """Read files to their ends with progress; without anything new it is only told if `always`."""
        async with self._reading:
            tailer = Tailer(files, await self._known_positions())
            unfinished = await self._database.read(_was_interrupted)
            state = UsageImport(
                source=SOURCE,
                state="running",
                files_total=tailer.files_total,
                bytes_total=tailer.bytes_total,
                started_at=rfc3339(self._clock.now_ms()),
            )
            total = Recorded(0, 0, frozenset())
            told = float("-inf")
            wrote = False
            while (batch := await self._next_batch(tailer)) is not None:
                state = _advanced(state, batch, total.records)
                time = asyncio.get_running_loop().time()
                due = time - told >= PROGRESS_SECONDS
                told = time if due else told
                recorded = await self._write(batch, imported=True, progress=state if due else None)
                total = _sum(total, recorded)
                wrote |= recorded.changed
            self._problems["files"] = tuple(tailer.problems)
            if wrote or always or unfinished:
                await self._finish(state, tailer, total.records)
            return total

    async def _next_batch(self, tailer: Tailer) -> Batch | None:
        """Read until there is something to write and it may be written; None when everything was read."""
        gathered: Batch | None = None
        while (batch := await asyncio.to_thread(tailer.next_batch)) is not None:
            if batch.parts:
                gathered = batch if gathered is None else gathered.followed_by(batch)
            # A transaction has its bound: others wait for the writer meanwhile.
            if gathered is not None and (self._pace.free or gathered.full):
                break
        return gathered

    async def _finish(self, state: UsageImport, tailer: Tailer, records: int) -> None:
        done = msgspec.structs.replace(
            state,
            state="done",
            files_done=tailer.files_total,
            bytes_done=max(state.bytes_done, tailer.bytes_total),
            records_imported=records,
        )
        await self._database.write(lambda transaction: record_imported(transaction, done))

    async def _write(self, batch: Batch, *, imported: bool, progress: UsageImport | None) -> Recorded:
        prices = await self._price_list()
        entries = await asyncio.to_thread(priced, batch, prices)
        zone: tzinfo = self._clock.zone
        known = await self._known_positions()
        # A last line without its end is offered again and again, and says nothing new.
        moved = any(part.position != known.get(part.path) for part in batch.parts)

        def change(transaction: Transaction) -> Recorded:
            began = time.monotonic()
            recorded = record_batch(transaction, batch, entries, zone, imported=imported)
            if recorded.changed:
                self._pace.began(began)
            recorded = recorded._replace(changed=recorded.changed or moved)
            if progress is not None and recorded.changed:
                records = progress.records_imported + recorded.records
                record_progress(transaction, msgspec.structs.replace(progress, records_imported=records))
            return recorded

        await self._pace.wait()
        recorded = await self._database.write(change)
        known.update({part.path: part.position for part in batch.parts})
        return recorded

    async def _price_unpriced(self) -> None:
        """Price what no table knew when it was read; a release or the user's file may know it now."""
        prices = await self._price_list()

        def change(transaction: Transaction) -> None:
            began = time.monotonic()
            added = price_unpriced(transaction.connection, prices.cost)
            if added:
                self._pace.began(began)
            record_added(transaction, added, self._clock.zone, imported=True)

        await self._database.write(change)

    async def _price_list(self) -> PriceList:
        if self._prices is not None:
            return self._prices
        prices, self._problems["prices"] = await asyncio.to_thread(load_prices, PriceFiles.of(self._paths))
        self._prices = prices
        return prices

    async def _known_positions(self) -> dict[str, Position]:
        if self._positions is None:
            self._positions = await self._database.read(lambda connection: read_positions(connection, SOURCE))
        return self._positions

    async def _roots(self) -> tuple[Root, ...]:
        profiles = await self._profiles()
        return await asyncio.to_thread(find_roots, self._environ, profiles)

    async def _folders(self) -> tuple[Path, ...]:
        return tuple(root.path for root in await self._roots())


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DomainError(
            ProblemCode.INVALID_FIELD,
            f"tz: there is no time zone {name!r}",
            hint="write an IANA name, such as Europe/Berlin",
        ) from None


def _was_interrupted(connection: sqlite3.Connection) -> bool:
    """Whether the books say that an import runs: then its daemon died over it, since there is one at a time."""
    state = read_import(connection, SOURCE)
    return state is not None and state.state == "running"


def _advanced(state: UsageImport, batch: Batch, records: int) -> UsageImport:
    return msgspec.structs.replace(
        state,
        files_done=batch.files_done,
        # Files grow while they are read.
        bytes_done=batch.bytes_done,
        bytes_total=max(state.bytes_total, batch.bytes_done),
        lines_broken=batch.lines_broken,
        records_imported=records,
    )


def _sum(one: Recorded, other: Recorded) -> Recorded:
    return Recorded(one.records + other.records, one.tokens + other.tokens, one.sessions | other.sessions)


def _scan_also(roots: tuple[Root, ...], folders: Sequence[Path]) -> Scan:
    """Look only into these folders; what a profile owns in them stays the profile's."""
    for folder in folders:
        roots = with_root(roots, folder)
    return scan(roots, [folder.resolve() for folder in folders])


def _import_folders(claude_dir: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Answer the folders to import from.

    Raises:
        DomainError: there is none.
    """
    if claude_dir is None:
        looked = default_roots(environ)
        found = tuple(path for path in looked if path.is_dir())
        if not found:
            places = " or ".join(map(str, looked)) or "your home folder"
            raise DomainError(ProblemCode.BAD_REQUEST, f"there are no Claude Code logs in {places}")
        return found
    path = Path(claude_dir)
    if path.parts[:1] == ("~",) and environ.get("HOME"):
        path = Path(environ["HOME"], *path.parts[1:])
    if not path.is_absolute():
        raise DomainError(ProblemCode.BAD_REQUEST, f"claude_dir: {claude_dir!r} is no absolute path")
    if not path.is_dir():
        raise DomainError(ProblemCode.BAD_REQUEST, f"there is no folder {path}")
    logs = path if path.name == LOGS_FOLDER else path / LOGS_FOLDER
    if not logs.is_dir():
        raise DomainError(
            ProblemCode.BAD_REQUEST,
            f"there are no Claude Code logs in {path}",
            hint="name a Claude configuration folder, such as ~/.claude, or its projects folder",
        )
    return (logs,)
