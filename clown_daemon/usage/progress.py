"""How far an import has come and how long it will take. Pure: the time is passed in."""

from dataclasses import dataclass, replace

import msgspec

from clown_daemon.protocol.resources import ImportState, UsageImport
from clown_daemon.protocol.timestamps import rfc3339

TRUSTED_SECONDS = 0.5
"""The rate of what was read in less time than this says nothing."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The import of one source; seconds are those of a monotonic clock."""

    source: str
    files_total: int
    bytes_total: int
    started_ms: int
    began_seconds: float
    files_done: int = 0
    bytes_done: int = 0
    lines_broken: int = 0

    def plus(self, files: int, bytes_read: int, lines_broken: int) -> "Progress":
        """Answer how far it is with so much more."""
        return replace(
            self,
            files_done=self.files_done + files,
            bytes_done=self.bytes_done + bytes_read,
            lines_broken=self.lines_broken + lines_broken,
        )

    def running(self, now_seconds: float, records: int) -> UsageImport:
        """Answer how far it is now, with so many responses that were new."""
        state = self.ended("running", records)
        elapsed = now_seconds - self.began_seconds
        rate = round(self.bytes_done / elapsed) if elapsed >= TRUSTED_SECONDS else 0
        if not rate:
            return state
        left = max(0, state.bytes_total - state.bytes_done)
        return msgspec.structs.replace(state, bytes_per_second=rate, seconds_left=round(left / rate, 1))

    def done(self, records: int) -> UsageImport:
        """Answer that all was read, with so many responses that were new."""
        state = self.ended("done", records)
        # Logs may have gone away meanwhile: there is nothing left of them to read.
        return msgspec.structs.replace(state, files_done=state.files_total, bytes_done=state.bytes_total)

    def ended(self, how: ImportState, records: int) -> UsageImport:
        """Answer how it ended, with so many responses that were new."""
        return UsageImport(
            source=self.source,
            state=how,
            files_done=self.files_done,
            files_total=self.files_total,
            bytes_done=self.bytes_done,
            # Logs grow while they are read.
            bytes_total=max(self.bytes_total, self.bytes_done),
            records_imported=records,
            lines_broken=self.lines_broken,
            started_at=rfc3339(self.started_ms),
        )
