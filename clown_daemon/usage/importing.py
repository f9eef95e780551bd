"""Imports: logs that were there already are read in, with progress, until they end or are cancelled.

Those that wait are done together, source after source, as one stream: workers never wait until one of them has ended.
A batch is recorded, while the next one is gathered, as soon as its profiles may have another update, and at the latest
when it is full, since others wait for the writer meanwhile. While the database cannot be written imports wait, and then
go on from what is recorded.
"""

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager

from clown_daemon.clock import Clock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.usage.backlog import LogName, to_read
from clown_daemon.usage.imports import Batch, Import
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.reader import Task
from clown_daemon.usage.reading import LogReader
from clown_daemon.usage.recorder import Recorded, Recorder
from clown_daemon.usage.sources import LogFile
from clown_daemon.usage.troubles import Troubles

logger = logging.getLogger(__name__)

BATCH_ENTRIES = 25_000
"""What one transaction records at most, and one answer more."""
BATCH_SECONDS = 0.1
"""How long is gathered at least: every transaction waits for the disk."""
RETRY_SECONDS = 5.0
COLLECT_AFTER = 200_000


class Importer:
    """Does imports; `work` runs for ever beside the others.

    Args:
        recorder: where responses go.
        clock: what progress is measured with.
        prices: answers the prices as they are now.
        troubles: where it is said what cannot be read.
        ended: called when an import has ended that read something: its logs may have grown meanwhile.

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
        self._running: list[Import] = []
        """Those that are done now."""
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
        await self._begin(entry)
        assert entry.progress is not None
        entry.state = entry.progress.running(self._clock.monotonic(), 0)
        await self._recorder.tell(entry.state)
        return entry.state

    async def cancel(self, source: str | None) -> tuple[UsageImport, ...]:
        """End the imports of a source, or all; answer how far they came. What they did not read is left alone.

        Raises:
            StoreUnavailableError: one had not begun, and its end cannot be told.
        """
        chosen = [entry for entry in self._imports if source in {None, entry.source}]
        for entry in chosen:
            entry.cancelled = True
        for entry in chosen:
            if entry in self._running:
                await entry.settled.wait()
            elif entry in self._imports:
                await self._begin(entry)
                await self._end_cancelled(entry)
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
                by_source = {entry.source: entry for entry in reversed(self._imports)}
                self._running = [entry for entry in self._imports if by_source[entry.source] is entry]
                await self._do_running(reader)

    async def _do_running(self, reader: LogReader) -> None:
        """Do what runs, or a part of it; what is left is done the next time."""
        try:
            with _seldom_collecting():
                await self._do(tuple(self._running), reader)
        except StoreUnavailableError as error:
            logger.warning("imports wait: %s", error)
            for entry in self._running:
                entry.failure = error
                entry.settled.set()
            await reader.stop()
            await asyncio.sleep(RETRY_SECONDS)
        except BaseException:
            for entry in self._running:
                self._let_go(entry)
            raise

    async def _do(self, entries: Sequence[Import], reader: LogReader) -> None:
        tasks = [task for entry in entries for task in await self._begin(entry)]
        left = deque((task.file.source, task.file.path) for task in tasks)
        batch = Batch(self._clock.monotonic())
        recording = _nothing_to_record()
        try:
            async with aclosing(reader.read(tasks, await self._prices())) as answers:
                async for answer in answers:
                    if any(entry.cancelled for entry in entries):
                        break
                    batch.add(answer, left)
                    if batch.entries >= BATCH_ENTRIES or (recording.done() and self._may_record(batch)):
                        await recording
                        recording = asyncio.create_task(self._record(entries, batch), name="usage.imports.record")
                        batch = Batch(self._clock.monotonic())
        finally:
            await recording  # a transaction that was begun cannot be taken back
        await self._record(entries, batch)
        for entry in entries:
            if entry.cancelled and entry in self._imports:
                await reader.stop()
                await self._end_cancelled(entry)

    def _may_record(self, batch: Batch) -> bool:
        gathered = self._clock.monotonic() - batch.began_seconds
        return gathered >= BATCH_SECONDS and not self._recorder.wait_seconds(batch.profiles)

    async def _begin(self, entry: Import) -> Sequence[Task]:
        """Find out what there is to read."""
        tasks = to_read(entry.left.values(), await self._recorder.positions(), self.providers)
        entry.begin(tasks, self._clock.now_ms(), self._clock.monotonic())
        return tasks

    async def _record(self, entries: Sequence[Import], batch: Batch) -> None:
        """Record a batch, and let go of the imports that end with it."""
        entries = [entry for entry in entries if entry in self._imports]
        now_seconds = self._clock.monotonic()
        told: list[UsageImport] = []

        def tell(recorded: Mapping[str, Recorded]) -> Sequence[UsageImport]:
            for entry in entries:
                told.extend(entry.told(batch, recorded.get(entry.source, Recorded()), now_seconds))
            return told

        recorded = await self._recorder.record(batch.parts, imported=True, tell=tell)
        self._troubles.read(batch.read, batch.unreadable)
        for name in batch.read:
            self._set_aside.pop(name, None)
        for entry in entries:
            entry.took(batch, recorded.get(entry.source, Recorded()), told, now_seconds)
            if not entry.left and not entry.cancelled:
                self._let_go(entry)

    async def _end_cancelled(self, entry: Import) -> None:
        assert entry.progress is not None  # it began
        state = entry.progress.ended("cancelled", entry.recorded.records)
        await self._recorder.tell(state)
        entry.state = state
        self._set_aside.update(entry.left)
        self._let_go(entry)

    def _let_go(self, entry: Import) -> None:
        entry.failure = None
        self._imports.remove(entry)
        entry.settled.set()
        if entry.progress is not None and entry.progress.files_total:
            self._ended()


def _nothing_to_record() -> asyncio.Future[None]:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cycles less often: what an import makes in great numbers has none."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
