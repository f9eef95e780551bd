"""Imports: logs that were there already are read in, with progress, until they end or are cancelled.

They are done one after the other. A batch is recorded as soon as its profiles may have another update, and at the
latest when it is full, since others wait for the writer meanwhile. While the database cannot be written an import
waits, and then goes on from what is recorded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing

from clown_daemon.clock import Clock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.usage.backlog import LogName, to_read
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.progress import Progress
from clown_daemon.usage.reader import Answer, Part, Unreadable
from clown_daemon.usage.reading import LogReader
from clown_daemon.usage.recorder import Recorded, Recorder
from clown_daemon.usage.sources import LogFile
from clown_daemon.usage.troubles import Troubles

logger = logging.getLogger(__name__)

BATCH_ENTRIES = 10_000
"""What one transaction records at most, and one answer more."""
BATCH_SECONDS = 0.1
"""How long is gathered at least: every transaction waits for the disk."""
RETRY_SECONDS = 5.0


class Import:
    """Logs of one source that are to be read in.

    Attributes:
        source: whose logs they are.
        path: where somebody said they are.
        always: whether its end is told although nothing was new.
        left: the logs that were not read to their ends.
        recorded: what is in the ledger because of it.
        state: how far it is, as last told.
        failure: why it waits, while the database cannot be written.
        cancelled: set by whoever wants it to end.
        settled: set when it has ended, or waits for the database.
    """

    def __init__(self, source: str, files: Iterable[LogFile], *, always: bool, path: str | None = None) -> None:
        self.source = source
        self.path = path
        self.always = always
        self.left: dict[LogName, LogFile] = {(file.source, file.path): file for file in files}
        self.recorded = Recorded()
        self.state: UsageImport | None = None
        self.failure: StoreUnavailableError | None = None
        self.cancelled = False
        self.settled = asyncio.Event()


class Importer:
    """Does imports; `work` runs for ever beside the others.

    Args:
        recorder: where responses go.
        clock: what progress is measured with.
        prices: answers the prices as they are now.
        troubles: where it is said what cannot be read.
        ended: called when an import has ended, since its logs may have grown meanwhile.

    Attributes:
        providers: who bills each profile, where that is known.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        clock: Clock,
        prices: Callable[[], Awaitable[PriceList]],
        troubles: Troubles,
        ended: Callable[[], None],
    ) -> None:
        self.providers: Mapping[str, str] = {}
        self._recorder = recorder
        self._clock = clock
        self._prices = prices
        self._troubles = troubles
        self._ended = ended
        self._imports: list[Import] = []
        """The first one runs."""
        self._added = asyncio.Event()
        self._set_aside: dict[LogName, LogFile] = {}

    def of(self, source: str) -> Import | None:
        """Answer the import of a source that runs or waits for its turn."""
        return next((entry for entry in self._imports if entry.source == source), None)

    def left_alone(self, source: str) -> bool:
        """Whether an import was cancelled, and logs of the source were left alone since."""
        return any(of == source for of, _ in self._set_aside)

    def keeps(self, file: LogFile) -> bool:
        """Whether a log is not to be followed: an import will read it, or one that was cancelled left it alone.

        One that changed since is followed from now on.
        """
        name = (file.source, file.path)
        if self._set_aside.get(name, file) != file:
            del self._set_aside[name]
        return name in self._set_aside or any(name in entry.left for entry in self._imports)

    def add(self, entry: Import) -> None:
        """Have an import done when it is its turn."""
        self._imports.append(entry)
        self._added.set()

    async def announce(self, entry: Import) -> UsageImport:
        """Tell of an import before it begins.

        Raises:
            StoreUnavailableError: nobody was told.
        """
        progress = await self._progress(entry)
        return await self._tell(entry, progress.running(self._clock.monotonic()))

    async def cancel(self, source: str | None) -> tuple[UsageImport, ...]:
        """End the imports of a source, or all; answer how far they came. What they did not read is left alone.

        Raises:
            StoreUnavailableError: one had not begun, and its end cannot be told.
        """
        chosen = [entry for entry in self._imports if source in {None, entry.source}]
        for entry in chosen:
            entry.cancelled = True
        for entry in chosen:
            if entry is self._imports[0]:
                await entry.settled.wait()
            elif entry in self._imports:
                self._imports.remove(entry)
                await self._end(entry, await self._progress(entry), told=True)
        return tuple(entry.state for entry in chosen if entry.state is not None)

    async def work(self) -> None:
        """Do imports for ever."""
        while True:
            await self._added.wait()
            await self.do_all()

    async def do_all(self) -> None:
        """Do the imports that there are, and those that are added meanwhile."""
        self._added.clear()
        async with LogReader() as reader:
            while self._imports:
                await self._finish(self._imports[0], reader)

    async def _finish(self, entry: Import, reader: LogReader) -> None:
        """Do an import, however long the database cannot be written."""
        try:
            while True:
                try:
                    await self._do(entry, reader)
                except StoreUnavailableError as error:
                    logger.warning("the import of %s waits: %s", entry.source, error)
                    entry.failure = error
                    entry.settled.set()
                    await reader.stop()
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    return
        finally:
            self._imports.remove(entry)
            entry.settled.set()
            self._ended()

    async def _do(self, entry: Import, reader: LogReader) -> None:
        progress = await self._progress(entry)
        progress.began(self._clock.monotonic())
        batch = _Batch(self._clock.monotonic())
        told = False
        async with aclosing(reader.read(progress.tasks, await self._prices())) as answers:
            async for answer in answers:
                if entry.cancelled:
                    break
                progress.read(answer)
                batch.add(answer)
                if batch.full or self._may_record(batch):
                    told |= await self._record(entry, progress, batch)
                    batch = _Batch(self._clock.monotonic())
        told |= await self._record(entry, progress, batch)
        if entry.cancelled:
            await reader.stop()
        entry.failure = None
        await self._end(entry, progress, told=told)

    def _may_record(self, batch: "_Batch") -> bool:
        gathered = self._clock.monotonic() - batch.began_seconds
        return gathered >= BATCH_SECONDS and not self._recorder.wait_seconds(batch.profiles)

    async def _progress(self, entry: Import) -> Progress:
        """Find out what there is to read; forget the rest."""
        tasks = to_read(entry.left.values(), await self._recorder.positions(), self.providers)
        entry.left = {(task.file.source, task.file.path): task.file for task in tasks}
        return Progress(entry.source, tasks, self._clock.now_ms())

    async def _record(self, entry: Import, progress: Progress, batch: "_Batch") -> bool:
        """Record a batch and let go of the logs that were read to their ends; answer whether there was anything."""

        def tell(recorded: Recorded) -> UsageImport | None:
            now = self._clock.monotonic()
            if not progress.due(now):
                return None
            entry.state = progress.running(now, (entry.recorded + recorded).records)
            return entry.state

        if batch.parts:
            entry.recorded += await self._recorder.record(batch.parts, imported=True, tell=tell)
        read = list(entry.left)[: batch.finished]
        self._troubles.read(read, batch.unreadable)
        for name in read:
            del entry.left[name]
            self._set_aside.pop(name, None)
        return bool(batch.parts)

    async def _end(self, entry: Import, progress: Progress, *, told: bool) -> None:
        if entry.cancelled:
            self._set_aside.update(entry.left)
            await self._tell(entry, progress.ended("cancelled", entry.recorded.records))
        elif told or entry.always:
            await self._tell(entry, progress.ended("done", entry.recorded.records))

    async def _tell(self, entry: Import, state: UsageImport) -> UsageImport:
        entry.state = state
        await self._recorder.tell(state)
        return state


class _Batch:
    """What is recorded in one transaction."""

    def __init__(self, began_seconds: float) -> None:
        self.began_seconds = began_seconds
        self.parts: list[Part] = []
        self.profiles: set[str] = set()
        self.unreadable: list[Unreadable] = []
        self.finished = 0
        self._entries = 0

    @property
    def full(self) -> bool:
        return self._entries >= BATCH_ENTRIES

    def add(self, answer: Answer) -> None:
        self.parts += answer.parts
        self.profiles.update(part.position.profile for part in answer.parts)
        self.unreadable += answer.unreadable
        self.finished += answer.finished
        self._entries += sum(len(part.entries) for part in answer.parts)
