"""The stream's publisher and the cursors into its ring: how one commit reaches every client.

There are no queues per client, so nothing can be dropped: each client is a cursor. An event is framed once, when it
enters the ring; clients that stand at the same place and want the same events get the same bytes, all pending frames
in one write. A client whose socket is full stands still (it is *behind*) and reads on from the ring, or from the log
in the database, when there is room. The publisher never waits for anybody; a client that takes nothing is cut.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from clown_daemon import cursor as places
from clown_daemon.cursor import Cursor
from clown_daemon.protocol.stream import STALL_SECONDS
from clown_daemon.ring import LoggedEvent, Ring, framed, join, pong_frame, text_frame

LOG_PAGE_EVENTS = 128
"""The most events of one read of the log."""
TICK_SECONDS = 0.002
"""Under load, writes are at least this far apart, so that each carries more events; a lone event goes out at once."""
POLL_SECONDS = 0.01
"""How often the socket of a client that is behind is looked at; only while one is."""
REST_SECONDS = 0.1
"""And how often at least, after it took nothing several times."""
SWEEP_SECONDS = 1
"""How often all clients are looked through for stalled ones; only while one has unsent bytes."""
CLOSE_SECONDS = 3
"""How long the end of one stream may take."""

logger = logging.getLogger(__name__)

LogReader = Callable[[int, int], Awaitable[Sequence[LoggedEvent]]]
"""Answers events of the log after a number, oldest first, at most so many."""

Closer = Callable[[str], Coroutine[None, None, None]]
"""Ends a connection with the reason of a shutdown."""


class ExpiredError(Exception):
    """A cursor stands before what the log still holds."""


class Broadcaster:
    """Carries every client along the ring. Everything but `publish` is called on the event loop."""

    def __init__(
        self, *, database_reader: LogReader, log: str, head: int, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self.log = log
        self.ring = Ring(head)
        self._read_log = database_reader
        self._stall_seconds = stall_seconds
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[LoggedEvent] = deque()
        self._woken = False
        self._flushed = float("-inf")
        """When the last flush was, on the loop's clock; that clock may begin at the start of the machine, so not 0."""
        self._cursors: dict[Cursor, Closer] = {}
        self._sweeping = False
        self.stalled = 0
        """How many clients were cut because they took nothing."""
        self._delivered_before = 0
        """How many events were written to clients that are gone."""
        self.closing: str | None = None
        """The reason of the shutdown, once it began."""

    @property
    def head(self) -> int:
        """The number of the newest event in the ring."""
        return self.ring.head

    @property
    def deliveries(self) -> int:
        """How many events were written to clients; one event for two clients counts twice."""
        return self._delivered_before + sum(cursor.sent for cursor in self._cursors)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._cursors)

    @property
    def cursors(self) -> tuple[Cursor, ...]:
        """The places of all clients, in the order in which they came."""
        return tuple(self._cursors)

    @property
    def active_clients(self) -> int:
        """How many of them keep the daemon from its idle timeout."""
        return sum(not cursor.passive for cursor in self._cursors)

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Take over committed events; called on the writer thread, in the order of commits."""
        self._incoming.extend(events)
        if not self._woken:
            self._woken = True
            # The loop may be gone when a daemon was torn down while a change was under way.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        rest = self._flushed + TICK_SECONDS - self._loop.time()
        if rest > 0:
            self._loop.call_later(rest, self.flush)
        else:
            self.flush()

    # -- cursors ------------------------------------------------------------------------------------------------------

    def attach(self, cursor: Cursor, close: Closer) -> None:
        """Let a cursor take part; `close` ends its connection with the reason of a shutdown."""
        self._cursors[cursor] = close
        if cursor.seq < self.head:
            cursor.behind.set()

    def detach(self, cursor: Cursor) -> None:
        """Forget a cursor; twice does no harm."""
        if cursor in self._cursors:
            del self._cursors[cursor]
            self._delivered_before += cursor.sent

    def write(self, cursor: Cursor, payload: bytes) -> None:
        """Send one client a control frame, in order with its events."""
        cursor.write(text_frame(payload))
        self._watch(cursor)

    def pong(self, cursor: Cursor, payload: bytes) -> None:
        """Answer a client's ping, in order with its events."""
        cursor.write(pong_frame(payload))
        self._watch(cursor)

    def flush(self) -> None:
        """Move announced events into the ring and write them to every client that is not behind."""
        # Lowered before the deque is emptied: what is announced after that wakes the loop again.
        self._woken = False
        self._flushed = self._loop.time()
        while self._incoming:
            self.ring.add(self._incoming.popleft())
        self.ring.forget_batches()
        for cursor in self._cursors:
            if not cursor.behind.is_set():
                self._advance(cursor)
        # Last, so that a burst larger than the ring still reaches the clients that have room from memory.
        self.ring.trim()

    def _advance(self, cursor: Cursor) -> None:
        """Bring a cursor to the head, or as far as its socket takes it; it is behind then."""
        while cursor.seq < self.ring.head:
            if cursor.full or cursor.seq < self.ring.before:
                cursor.behind.set()
                return
            cursor.take(self.ring.batch(cursor.seq, cursor.names))
            self._watch(cursor)

    # -- clients that are behind --------------------------------------------------------------------------------------

    async def catch_up(self, cursor: Cursor) -> None:
        """Carry one cursor whenever it is behind; runs as long as its connection.

        Raises:
            ExpiredError: what it needs next is in neither the ring nor the log.
            StoreUnavailableError: the log cannot be read.
        """
        while not cursor.transport.is_closing():
            await cursor.behind.wait()
            await self.room(cursor)
            if cursor.seq < self.ring.before:
                await self._write_from_log(cursor)
            else:
                # No await between the two: the next flush finds the cursor at the head, or behind again.
                cursor.behind.clear()
                self._advance(cursor)

    async def _write_from_log(self, cursor: Cursor) -> None:
        """Write one batch; what else was read is read again, so that nothing is kept for a client that waits."""
        events = await self._read_log(cursor.seq, LOG_PAGE_EVENTS)
        if not events or events[0].seq != cursor.seq + 1:
            raise ExpiredError
        cursor.take(join(map(framed, events), cursor.seq, cursor.names))
        self._watch(cursor)

    async def room(self, cursor: Cursor) -> None:
        """Wait until the client's socket takes more, or the connection ends."""
        unsent = cursor.unsent
        rest = POLL_SECONDS
        while unsent > places.HIGH_WATER_BYTES // 4 and not cursor.transport.is_closing():
            await asyncio.sleep(rest)
            left = cursor.unsent
            rest = POLL_SECONDS if left < unsent else min(rest * 2, REST_SECONDS)
            unsent = left

    # -- clients that take nothing ------------------------------------------------------------------------------------

    def _watch(self, cursor: Cursor) -> None:
        if not self._sweeping and cursor.unsent:
            self._sweeping = True
            self._loop.call_later(min(SWEEP_SECONDS, self._stall_seconds / 4), self._sweep)

    def _sweep(self) -> None:
        """Cut every client whose socket took nothing for long, whatever it waits for; it can resume."""
        self._sweeping = False
        now = self._loop.time()
        for cursor in self._cursors:
            if cursor.stuck_seconds(now) >= self._stall_seconds:
                logger.warning("a client took nothing for %g s and was cut; it can resume", self._stall_seconds)
                self.stalled += 1
                cursor.transport.abort()
            else:
                self._watch(cursor)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def close(self, reason: str) -> None:
        """Let every client have what was announced, then close its stream with the reason; bounded for slow ones."""
        self.closing = self.closing or reason
        self.flush()
        async with asyncio.TaskGroup() as tasks:
            for number, (cursor, close) in enumerate(list(self._cursors.items())):
                tasks.create_task(self._end(cursor, close, reason), name=f"stream.close.{number}")

    async def _end(self, cursor: Cursor, close: Closer, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._caught_up(cursor)
                # Nothing may follow a close frame, and the stop of the runs is still to be announced.
                self.detach(cursor)
                await close(reason)
        except TimeoutError:
            cursor.transport.abort()
        finally:
            self.detach(cursor)

    async def _caught_up(self, cursor: Cursor) -> None:
        while True:
            if not cursor.behind.is_set() or cursor.transport.is_closing():
                return
            await asyncio.sleep(POLL_SECONDS)
