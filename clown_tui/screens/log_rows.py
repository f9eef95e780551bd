"""The event log as rows that are made when they are seen. Keys are line numbers, which a line keeps while it grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from clown_tui.screens.view import Times
from clown_tui.state.event_log import EventLog
from clown_tui.state.rows import Row
from clown_tui.state.selectors.events import event_row


@dataclass(frozen=True, slots=True)
class LogRows:
    """Rows of the log's current view."""

    log: EventLog
    zone: tzinfo
    times: Times
    now_ms: int

    def __len__(self) -> int:
        return len(self.log)

    def window(self, start: int, stop: int) -> Sequence[Row]:
        """Make the rows that are seen."""
        return [
            event_row(self.log[index], zone=self.zone, times=self.times, now_ms=self.now_ms)
            for index in range(start, min(stop, len(self.log)))
        ]

    def key_at(self, index: int) -> str:
        """A line's number."""
        return str(self.log[index].number)

    def index_of(self, key: str) -> int | None:
        """Where a line stands in the view."""
        return self.log.index_of(int(key))
