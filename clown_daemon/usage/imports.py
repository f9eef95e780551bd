"""One import: which logs, how far it has come, and what it recorded; and one batch of it. They do no I/O."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.usage.backlog import LogName, bytes_left
from clown_daemon.usage.progress import Progress
from clown_daemon.usage.reader import Answer, Part, Task, Unreadable
from clown_daemon.usage.recorder import Recorded
from clown_daemon.usage.sources import LogFile

TELL_SECONDS = 0.5
"""At most two events a second."""


class Import:
    """Logs of one source that are to be read in.

    Attributes:
        source: whose logs they are.
        path: where somebody said they are.
        always: whether its end is told although nothing was new.
        left: the logs that were not read to their ends.
        progress: how far it is; None before it began.
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
        self.progress: Progress | None = None
        self.recorded = Recorded()
        self.state: UsageImport | None = None
        self.failure: StoreUnavailableError | None = None
        self.cancelled = False
        self.settled = asyncio.Event()
        self._told_seconds = float("-inf")

    def begin(self, tasks: Sequence[Task], now_ms: int, now_seconds: float) -> Progress:
        """Begin, or go on after a wait, with what is left to read; the rest is forgotten."""
        self.left = {(task.file.source, task.file.path): task.file for task in tasks}
        if self.progress is None:
            self.progress = Progress(
                source=self.source,
                files_total=len(tasks),
                bytes_total=sum(map(bytes_left, tasks)),
                started_ms=now_ms,
                began_seconds=now_seconds,
            )
        return self.progress

    def told(self, batch: "Batch", recorded: Recorded, now_seconds: float) -> Iterable[UsageImport]:
        """Answer what is told in the transaction that records a batch, which adds so much."""
        progress = self.after(batch)
        records = (self.recorded + recorded).records
        if self.source in batch.sources and now_seconds - self._told_seconds >= TELL_SECONDS:
            yield progress.running(now_seconds, records)
        if self.ends_with(batch) and (self.always or self.state is not None or self.source in batch.sources):
            yield progress.done(records)

    def took(self, batch: "Batch", recorded: Recorded, told: Iterable[UsageImport], now_seconds: float) -> None:
        """Go on behind a batch that was recorded."""
        self.progress = self.after(batch)
        self.recorded += recorded
        for name in batch.read:
            self.left.pop(name, None)
        for state in told:
            if state.source == self.source:
                self.state = state
                self._told_seconds = now_seconds

    def after(self, batch: "Batch") -> Progress:
        """How far it is once a batch is recorded."""
        assert self.progress is not None  # it began
        files = sum(source == self.source for source, _ in batch.read)
        return self.progress.plus(files, batch.bytes_read[self.source], batch.lines_broken[self.source])

    def ends_with(self, batch: "Batch") -> bool:
        """Whether nothing is left to read once a batch is recorded."""
        return self.left.keys() <= set(batch.read)


class Batch:
    """What is recorded in one transaction: answers of readers, of any of the imports that are done together.

    Attributes:
        parts: in the order of the logs.
        profiles: whose they are.
        sources: those that have parts.
        read: the logs that were read to their ends.
        unreadable: those of them that could not be read.
        entries: how many responses there are.
    """

    def __init__(self, began_seconds: float) -> None:
        self.began_seconds = began_seconds
        self.parts: list[Part] = []
        self.profiles: set[str] = set()
        self.sources: set[str] = set()
        self.read: list[LogName] = []
        self.unreadable: list[Unreadable] = []
        self.bytes_read: Counter[str] = Counter()
        self.lines_broken: Counter[str] = Counter()
        self.entries = 0

    def add(self, answer: Answer, left: deque[LogName]) -> None:
        """Take what a reader answered; `left` are the logs that it had not finished before, in order."""
        self.parts += answer.parts
        self.unreadable += answer.unreadable
        self.read += [left.popleft() for _ in range(answer.finished)]
        for part in answer.parts:
            self.profiles.add(part.position.profile)
            self.sources.add(part.source)
            self.entries += len(part.entries)
            self.bytes_read[part.source] += part.bytes_read
            self.lines_broken[part.source] += part.lines_broken
