"""The ring of framed events and the cursors into it: how one commit reaches every client.

There are no queues per client, so nothing can be dropped: each client is a cursor. An event is framed once, when it
enters the ring; clients that stand at the same place and want the same events get the same bytes, all pending frames
in one write. A client whose socket is full stands still (it is *behind*) and reads on from the ring, or from the log
in the database, when there is room. The publisher never waits for anybody.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NamedTuple, Protocol

from clown_daemon.protocol.stream import STALL_SECONDS

RING_EVENTS = 16_384
RING_BYTES = 32 * 1024 * 1024
"""Either bound: when it is passed, the older half leaves the ring; the log in the database still has it."""
LOG_PAGE_EVENTS = 256
"""The most events of one read of the log."""
BATCH_BYTES = 128 * 1024
"""A write ends with the frame that passes this."""
HIGH_WATER_BYTES = 128 * 1024
"""A client with more unsent bytes than this stands still until a quarter of it is left."""
SHARED_BATCHES = 64
"""The most joined batches kept for the next client that stands at the same place."""
TICK_SECONDS = 0.002
"""Under load, writes are at least this far apart, so that each carries more events; a lone event goes out at once."""
POLL_SECONDS = 0.01
"""How often the socket of a client that is behind is looked at; only while one is."""
CLOSE_SECONDS = 3
"""How long the end of one stream may take."""

logger = logging.getLogger(__name__)


class LoggedEvent(Protocol):
    """What the broadcaster needs of an event: the store's encoded events have it."""

    @property
    def seq(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


LogReader = Callable[[int, int], Awaitable[Sequence[LoggedEvent]]]
"""Answers events of the log after a number, oldest first, at most so many."""

Closer = Callable[[str], Coroutine[None, None, None]]
"""Ends a connection with the reason of a shutdown."""


class Transport(Protocol):
    """What the broadcaster needs of a connection: asyncio's transport has it."""

    def write(self, data: bytes) -> None:
        """Send, or keep until there is room."""

    def get_write_buffer_size(self) -> int:
        """How many bytes are kept."""

    def is_closing(self) -> bool:
        """Whether it is of no use any more."""

    def abort(self) -> None:
        """End it at once."""


class ExpiredError(Exception):
    """A cursor stands before what the log still holds."""


class _Frame(NamedTuple):
    type: str
    payload: bytes
    """A whole WebSocket frame."""


class _Batch(NamedTuple):
    """Frames to be written in one go."""

    data: bytes
    frames: int
    upto: int
    """The number of the last event it covers, wanted or not."""


def text_frame(payload: bytes) -> bytes:
    """Frame a text message as a server sends it: one fragment, unmasked (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        return b"\x81" + length.to_bytes(1) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload


class Cursor:
    """One client's place in the stream."""

    def __init__(self, transport: Transport, seq: int, names: frozenset[str] | None, *, passive: bool) -> None:
        self.transport = transport
        self.seq = seq
        """Every event up to this number has been written, if it was asked for."""
        self.names = names
        """The event types it wants; None wants all."""
        self.passive = passive
        self.extended = False
        """Whether it asked for control frames."""
        self.sent = 0
        self.behind = asyncio.Event()
        """Set while `Broadcaster.catch_up` has to carry it."""

    @property
    def full(self) -> bool:
        """Whether its socket has enough unsent bytes already."""
        return self.transport.get_write_buffer_size() > HIGH_WATER_BYTES

    def take(self, batch: _Batch) -> None:
        """Write a batch and stand behind it."""
        if batch.data and not self.transport.is_closing():
            self.transport.write(batch.data)
        self.sent += batch.frames
        self.seq = batch.upto


class Broadcaster:
    """The ring. Everything but `publish` is called on the event loop."""

    def __init__(
        self, *, database_reader: LogReader, log: str, head: int, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self.log = log
        self._read_log = database_reader
        self._stall_seconds = stall_seconds
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[LoggedEvent] = deque()
        self._woken = False
        self._flushed = float("-inf")
        """When the last flush was, on the loop's clock; that clock may begin at the start of the machine, so not 0."""
        self._ring: list[_Frame] = []
        self._ring_bytes = 0
        self._shared: dict[tuple[int, frozenset[str] | None], _Batch] = {}
        self._before = head
        """The number before the oldest event in the ring."""
        self._cursors: dict[Cursor, None] = {}
        self._closers: dict[Cursor, Closer] = {}
        self.by_type: Counter[str] = Counter()
        """How many events were announced, by type."""
        self.stalled = 0
        """How many clients were cut because they took nothing."""
        self._delivered_before = 0
        """How many events were written to clients that are gone."""
        self.closing: str | None = None
        """The reason of the shutdown, once it began."""

    @property
    def head(self) -> int:
        """The number of the newest event in the ring."""
        return self._before + len(self._ring)

    @property
    def ring_events(self) -> int:
        """How many events the ring holds."""
        return len(self._ring)

    @property
    def ring_bytes(self) -> int:
        """How long the frames in the ring are together."""
        return self._ring_bytes

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
        self._cursors[cursor] = None
        self._closers[cursor] = close
        if cursor.seq < self.head:
            cursor.behind.set()

    def detach(self, cursor: Cursor) -> None:
        """Forget a cursor; twice does no harm."""
        if cursor in self._cursors:
            del self._cursors[cursor], self._closers[cursor]
            self._delivered_before += cursor.sent

    def write(self, cursor: Cursor, payload: bytes) -> None:
        """Send one client a control frame, in order with its events."""
        if not cursor.transport.is_closing():
            cursor.transport.write(text_frame(payload))

    def flush(self) -> None:
        """Move announced events into the ring and write them to every client that is not behind."""
        # Lowered before the deque is emptied: what is announced after that wakes the loop again.
        self._woken = False
        self._flushed = self._loop.time()
        while self._incoming:
            event = self._incoming.popleft()
            payload = text_frame(event.body)
            self._ring.append(_Frame(event.type, payload))
            self._ring_bytes += len(payload)
            self.by_type[event.type] += 1
        self._shared.clear()
        for cursor in self._cursors:
            if not cursor.behind.is_set():
                self._advance(cursor)
        # Last, so that a burst larger than the ring still reaches the clients that have room from memory.
        self._trim()

    def _advance(self, cursor: Cursor) -> None:
        """Bring a cursor to the head, or as far as its socket takes it; it is behind then."""
        while cursor.seq < self.head:
            if cursor.full or cursor.seq < self._before:
                cursor.behind.set()
                return
            cursor.take(self._batch(cursor.seq, cursor.names))

    def _batch(self, after: int, names: frozenset[str] | None) -> _Batch:
        key = (after, names)
        batch = self._shared.get(key)
        if batch is None:
            if len(self._shared) >= SHARED_BATCHES:
                self._shared.clear()
            batch = self._shared[key] = self._join(after, names)
        return batch

    def _join(self, after: int, names: frozenset[str] | None) -> _Batch:
        payloads: list[bytes] = []
        size = 0
        upto = after
        for frame in itertools.islice(self._ring, after - self._before, None):
            upto += 1
            if names is None or frame.type in names:
                payloads.append(frame.payload)
                size += len(frame.payload)
                if size >= BATCH_BYTES:
                    break
        return _Batch(b"".join(payloads), len(payloads), upto)

    def _trim(self) -> None:
        while len(self._ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
            half = max(len(self._ring) // 2, 1)
            self._ring_bytes -= sum(len(frame.payload) for frame in self._ring[:half])
            del self._ring[:half]
            self._before += half

    # -- clients that are behind --------------------------------------------------------------------------------------

    async def catch_up(self, cursor: Cursor) -> None:
        """Carry one cursor whenever it is behind; runs as long as its connection.

        Raises:
            ExpiredError: what it needs next is in neither the ring nor the log.
            StoreUnavailableError: the log cannot be read.
        """
        while not cursor.transport.is_closing():
            await cursor.behind.wait()
            await self._room(cursor)
            if cursor.seq < self._before:
                await self._write_from_log(cursor)
            else:
                # No await between the two: the next flush finds the cursor at the head, or behind again.
                cursor.behind.clear()
                self._advance(cursor)

    async def _write_from_log(self, cursor: Cursor) -> None:
        events = await self._read_log(cursor.seq, LOG_PAGE_EVENTS)
        if not events or events[0].seq != cursor.seq + 1:
            raise ExpiredError
        payloads: list[bytes] = []
        size = 0
        for event in events:
            # What it wants may change while it waits for room, so each event is asked about when its turn comes.
            if cursor.names is None or event.type in cursor.names:
                payloads.append(text_frame(event.body))
                size += len(payloads[-1])
            if size >= BATCH_BYTES or event is events[-1]:
                cursor.take(_Batch(b"".join(payloads), len(payloads), event.seq))
                payloads, size = [], 0
                await self._room(cursor)

    async def _room(self, cursor: Cursor) -> None:
        """Wait until the client's socket takes more; cut it when nothing moved for long, since it can resume."""
        unsent = cursor.transport.get_write_buffer_size()
        moved = self._loop.time()
        while unsent > HIGH_WATER_BYTES // 4 and not cursor.transport.is_closing():
            await asyncio.sleep(POLL_SECONDS)
            left = cursor.transport.get_write_buffer_size()
            if left < unsent:
                moved = self._loop.time()
            elif self._loop.time() - moved > self._stall_seconds:
                logger.warning("a client took nothing for %g s and was cut; it can resume", self._stall_seconds)
                self.stalled += 1
                cursor.transport.abort()
            unsent = left

    # -- the end ------------------------------------------------------------------------------------------------------

    async def close(self, reason: str) -> None:
        """Let every client have what was announced, then close its stream with the reason; bounded for slow ones."""
        self.closing = self.closing or reason
        self.flush()
        async with asyncio.TaskGroup() as tasks:
            for number, (cursor, close) in enumerate(list(self._closers.items())):
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
