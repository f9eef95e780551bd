"""Which event comes next. Pure: told what arrived, it answers what it means.

Two numbers: `seq`, the last event that the stream gave (or where it began), and `loaded`, the event that the snapshot
is true at. The stream moves the first by one per event, the snapshot the second; an event at or below `loaded` is in
the picture already. Since events wait in the connection while a snapshot is read, `loaded` is never behind `seq`.
"""

from typing import NamedTuple

from clown_daemon.protocol.stream import Hello


class Resume(NamedTuple):
    """Where to go on: every event after `seq` of `log`."""

    seq: int
    log: str


class Continuity:
    """The position in the daemon's log.

    Attributes:
        log: the log that `seq` counts in; None before the first greeting.
    """

    def __init__(self, *, filtered: bool) -> None:
        """Begin; a filtered stream has holes in its numbers, so no gap can be seen in it."""
        self.log: str | None = None
        self.seq = 0
        self.loaded = 0
        self._filtered = filtered

    @property
    def resume(self) -> Resume | None:
        """Where the next connection should go on; None when there is nothing to go on from."""
        return None if self.log is None else Resume(self.seq, self.log)

    def greeted(self, hello: Hello) -> int | None:
        """Take a new connection's position; answer how many events were lost for good, None if nobody can know."""
        same_log = hello.log == self.log
        lost = hello.seq - self.seq if same_log else None
        self.log, self.seq = hello.log, hello.seq
        if lost == 0:
            return 0
        return lost if lost is not None and lost > 0 and not self._filtered else None

    def accepts(self, log: str, seq: int) -> bool:
        """Whether a snapshot fits what the stream has given: of the same log, and not older."""
        return log == self.log and seq >= self.seq

    def load(self, seq: int) -> None:
        """Take the snapshot's position."""
        self.loaded = seq

    def skipped(self, seq: int) -> int:
        """How many events are missing before this one; minus one for one that was given before."""
        if seq <= self.seq:
            return -1
        return 0 if self._filtered else seq - self.seq - 1

    def advance(self, seq: int) -> bool:
        """Move to an event and answer whether the snapshot has it already."""
        self.seq = seq
        return seq <= self.loaded
