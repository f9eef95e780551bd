"""Following: what agents append to their logs is recorded as spending that happens now, a moment later.

A change is read at once unless its profile had an update just now; then it waits for its turn, and whatever comes
meanwhile is read with it. Much at once (years of logs appear in a folder) is handed to the importer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.usage.backlog import LogName, is_as_it_was, to_read
from clown_daemon.usage.importing import Importer
from clown_daemon.usage.imports import Import
from clown_daemon.usage.inventory import Inventory
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.reader import Part, Task, Unreadable
from clown_daemon.usage.reading import is_large, read_in_thread
from clown_daemon.usage.recorder import Recorder
from clown_daemon.usage.sources import KINDS, SOURCES, LogFile, Pages
from clown_daemon.usage.troubles import Troubles
from clown_daemon.usage.watcher import Changes, Hint

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class Follower:
    """Reads what is new in the logs, as it comes; `follow` runs for ever."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        changes: Changes,
        recorder: Recorder,
        importer: Importer,
        prices: Callable[[], Awaitable[PriceList]],
        troubles: Troubles,
    ) -> None:
        self._inventory = inventory
        self._changes = changes
        self._recorder = recorder
        self._importer = importer
        self._prices = prices
        self._troubles = troubles
        self._pending: dict[LogName, LogFile] = {}
        """What changed, and was not read yet."""
        self._read_after_change: dict[LogName, LogFile] = {}
        """Files with a reader of their own, as they were when they were read because a change of them was told. To
        close one tells another change, and reading that would go on for ever."""

    async def follow(self) -> None:
        """Have what is there imported, then follow what is appended."""
        caught_up = False
        while True:
            try:
                if not caught_up:
                    await self.catch_up()
                    caught_up = True
                await self._next_change()
                await self.read_changes()
            except StoreUnavailableError as error:
                logger.warning("usage is not being recorded: %s", error)
                # What was not kept is read again; where else something happens meanwhile is not known.
                self._changes.add(None)
                await asyncio.sleep(RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Have everything imported that was written while nobody followed."""
        await self._recorder.price_unpriced(await self._prices())
        found = await self._look(None)
        tasks = await self._to_read(found, suspicious=False)
        interrupted = await self._recorder.interrupted()
        for source in SOURCES:
            files = [task.file for task in tasks if task.file.source == source.name]
            if files or source.name in interrupted:
                self._importer.add(Import(source.name, files, always=source.name in interrupted))

    async def read_changes(self) -> None:
        """Read what changed, of profiles that may have another update."""
        hint = self._changes.take()
        if hint is None or hint:
            found = await self._look(hint)
            changed = [file for file in found if self._read_after_change.get((file.source, file.path)) != file]
            tasks = await self._to_read(changed, suspicious=hint is not None)
            self._pending.update({(task.file.source, task.file.path): task.file for task in tasks})
        ready = [file for file in self._pending.values() if not self._recorder.wait_seconds([file.profile])]
        for file in ready:
            del self._pending[file.source, file.path]
        tasks = await self._to_read(ready, suspicious=True)
        if is_large(tasks):
            self._have_imported(tasks)
        elif tasks:
            await self._read(tasks)
            # What is found by a look may be changed in the same instant, with the same time and size.
            if hint is not None:
                await self._note_read(task.file for task in tasks)

    async def _next_change(self) -> None:
        """Wait until something changes, or what changed may be read."""
        rest = min((self._recorder.wait_seconds([file.profile]) for file in self._pending.values()), default=None)
        try:
            async with asyncio.timeout(rest):
                await self._changes.wait()
        except TimeoutError:
            pass

    async def _look(self, hint: Hint) -> tuple[LogFile, ...]:
        found = await self._inventory.look(hint)
        self._importer.providers = self._inventory.providers
        if hint is None:
            self._troubles.looked(found.problems, {(file.source, file.path) for file in found.files})
        return found.files

    async def _to_read(self, files: Iterable[LogFile], *, suspicious: bool) -> list[Task]:
        mine = [file for file in files if not self._importer.keeps(file)]
        known = await self._recorder.positions()
        return to_read(mine, known, self._inventory.providers, suspicious=suspicious)

    async def _note_read(self, files: Iterable[LogFile]) -> None:
        known = await self._recorder.positions()
        for file in files:
            name = (file.source, file.path)
            if isinstance(KINDS[file.kind].reading, Pages) and name in known and is_as_it_was(file, known[name]):
                self._read_after_change[name] = file

    def _have_imported(self, tasks: Iterable[Task]) -> None:
        for source in SOURCES:
            files = [task.file for task in tasks if task.file.source == source.name]
            if files:
                self._importer.add(Import(source.name, files, always=False))

    async def _read(self, tasks: list[Task]) -> None:
        parts: list[Part] = []
        unreadable: list[Unreadable] = []
        async with aclosing(read_in_thread(tasks, (await self._prices()).cost)) as answers:
            async for answer in answers:
                parts += answer.parts
                unreadable += answer.unreadable
        self._troubles.read([(task.file.source, task.file.path) for task in tasks], unreadable)
        if parts:
            await self._recorder.record(parts, imported=False)
