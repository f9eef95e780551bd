"""How far an import has come and how long it will take. Pure: the time is passed in."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from clown_daemon.protocol.resources import ImportState, UsageImport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.usage.backlog import bytes_left
from clown_daemon.usage.reader import Answer, Task

TELL_SECONDS = 0.5
"""At most two events a second."""
TRUSTED_SECONDS = 0.5
"""The rate of what was read in less time than this says nothing."""


@dataclass
class Progress:
    """The import of one source; seconds are those of a monotonic clock."""

    source: str
    tasks: Sequence[Task]
    started_ms: int
    files_done: int = 0
    bytes_done: int = 0
    lines_broken: int = 0
    bytes_total: int = field(init=False)
    _began_seconds: float | None = None
    _told_seconds: float = float("-inf")

    def __post_init__(self) -> None:
        self.bytes_total = sum(bytes_left(task) for task in self.tasks)

    def began(self, now_seconds: float) -> None:
        """Reading begins."""
        self._began_seconds = now_seconds

    def read(self, answer: Answer) -> None:
        """Count what was read."""
        self.files_done += answer.finished
        self.bytes_done += sum(part.bytes_read for part in answer.parts)
        self.lines_broken += sum(part.lines_broken for part in answer.parts)

    def due(self, now_seconds: float) -> bool:
        """Whether it may be told again; the caller tells it then."""
        if now_seconds - self._told_seconds < TELL_SECONDS:
            return False
        self._told_seconds = now_seconds
        return True

    def running(self, now_seconds: float, records: int = 0) -> UsageImport:
        """Answer how far it is now, with so many responses that were new."""
        rate = self._bytes_per_second(now_seconds)
        state = self._state("running", records)
        if not rate:
            return state
        left = max(0, state.bytes_total - state.bytes_done)
        return msgspec.structs.replace(state, bytes_per_second=rate, seconds_left=round(left / rate, 1))

    def ended(self, how: ImportState, records: int) -> UsageImport:
        """Answer how it ended, with so many responses that were new."""
        state = self._state(how, records)
        if how != "done":
            return state
        # Logs may have gone away meanwhile: there is nothing left of them to read.
        return msgspec.structs.replace(state, files_done=state.files_total, bytes_done=state.bytes_total)

    def _state(self, state: ImportState, records: int) -> UsageImport:
        return UsageImport(
            source=self.source,
            state=state,
            files_done=self.files_done,
            files_total=len(self.tasks),
            bytes_done=self.bytes_done,
            # Logs grow while they are read.
            bytes_total=max(self.bytes_total, self.bytes_done),
            records_imported=records,
            lines_broken=self.lines_broken,
            started_at=rfc3339(self.started_ms),
        )

    def _bytes_per_second(self, now_seconds: float) -> int:
        if self._began_seconds is None or now_seconds - self._began_seconds < TRUSTED_SECONDS:
            return 0
        return round(self.bytes_done / (now_seconds - self._began_seconds))
