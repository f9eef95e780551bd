"""The life of one run that owns the user's terminal: it is prepared, begins as a process, ends, and is written down.

Whoever started it tells how it ended. The daemon watches the process as well: when nobody tells, the end is known all
the same, only its exit code is not.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from clown_daemon.processes.adoption import wait_until_gone
from clown_daemon.profiles import books
from clown_daemon.store.database import Transaction

Change = Callable[[Transaction], None]


class Process(NamedTuple):
    """A process: a pid alone names nobody."""

    pid: int
    start: float | None
    """Epoch seconds; None when it had ended before anybody asked."""


class End(NamedTuple):
    """How a run ended."""

    at_ms: int
    """Epoch milliseconds."""
    exit_code: int | None = None
    """The exit status, or minus the number of the signal; None when nobody knows."""
    error: str | None = None
    """Why it never began."""


class Patience(NamedTuple):
    """How long others may take."""

    begin_seconds: float = 60.0
    """For a prepared run to begin."""
    tell_seconds: float = 3.0
    """For whoever started it to tell how it ended, once the process is gone."""


@dataclass(eq=False, kw_only=True)
class InteractiveRun:
    """A run whose end is not in the books."""

    alias: str
    run_id: str
    process: Process | None = None
    """None until it has begun."""
    missed: bool = False
    """Whether the process was gone already when this daemon started."""
    end: End | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once `process` is, or it is known that it never will be."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once `end` is."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """What is told of it takes turns."""
    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its end is in the books."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its end is in the books, or was refused by them for now, or is left to the next daemon."""

    def begin(self, process: Process) -> None:
        """It is this process."""
        self.process = process
        self.begun.set()

    def tell(self, end: End) -> None:
        """It ended like this; what is told first counts."""
        if self.end is None:
            self.end = end
            self.told.set()
            self.begun.set()

    async def last_change(
        self, patience: Patience, *, now_ms: Callable[[], int], read_note: Callable[[], End | None]
    ) -> Change:
        """Return once it has ended, with the change that writes this down.

        Args:
            patience: with others.
            now_ms: the wall time.
            read_note: answers an end that no daemon was there to be told; blocking.
        """
        try:
            async with asyncio.timeout(patience.begin_seconds):
                await self.begun.wait()
        except TimeoutError:
            self.tell(End(now_ms(), error="it was prepared and did not begin"))
        await self._until_told_or_gone()
        gone_ms = now_ms()
        await self._until_told(patience.tell_seconds)
        end = self.end or await asyncio.to_thread(read_note)
        if end is None and self.missed:
            return partial(books.record_loss, alias=self.alias, run_id=self.run_id)
        return self._change(end or End(gone_ms))

    async def _until_told_or_gone(self) -> None:
        if self.process is None or self.process.start is None:
            return
        gone = asyncio.ensure_future(wait_until_gone(self.process.pid, self.process.start))
        told = asyncio.ensure_future(self.told.wait())
        try:
            await asyncio.wait((gone, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            told.cancel()
            await asyncio.gather(gone, told, return_exceptions=True)

    async def _until_told(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.told.wait()
        except TimeoutError:
            return

    def _change(self, end: End) -> Change:
        if end.error is not None:
            return partial(books.record_failure, alias=self.alias, run_id=self.run_id, error=end.error)
        return partial(
            books.record_end, alias=self.alias, run_id=self.run_id, exit_code=end.exit_code, ended_ms=end.at_ms
        )
