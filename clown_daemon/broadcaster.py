"""The ring of framed events and the cursors into it: how one commit reaches every client.

There are no queues per client, so nothing can be dropped: each client is a cursor. An event is framed once, when it
enters the ring; clients that stand at the same place and want the same events get the same bytes, all pending frames
in one write. A client whose socket is full stands still (it is *behind*) and reads on from the ring, or from the log
in the database, when there is room. The publisher never waits for anybody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import NamedTuple, Protocol

from clown_daemon.protocol.stream import STALL_SECONDS
from clown_daemon.store.event_log import EncodedEvent

RING_EVENTS = 16_384
RING_BYTES = 32 * 1024 * 1024
"""Either bound: when it is passed, the older half leaves the ring; the log in the database still has it."""
BATCH_EVENTS = 512
"""The most frames in one write."""
HIGH_WATER_BYTES = 256 * 1024
"""A client with more unsent bytes than this stands still until there are fewer."""
POLL_SECONDS = 0.02
"""How often the socket of a client that is behind is looked at; only while one is."""

logger = logging.getLogger(__name__)

LogReader = Callable[[int, int], Awaitable[Sequence[EncodedEvent]]]
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
        self.sent = 0
        self.behind = asyncio.Event()
        """Set while `Broadcaster.catch_up` has to carry it."""


class Broadcaster:
    """The ring. Everything but `publish` is called on the event loop."""

    def __init__(self, *, database_reader: LogReader, log: str, head: int) -> None:
        self.log = log
        self._read_log = database_reader
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[EncodedEvent] = deque()
        self._woken = False
        self._ring: list[_Frame] = []
        self._ring_bytes = 0
        self._before = head
        """The number before the oldest event in the ring."""
        self._cursors: dict[Cursor, None] = {}
        self._closers: dict[Cursor, Closer] = {}
        self.closing: str | None = None
        """The reason of the shutdown, once it began."""

    @property
    def head(self) -> int:
        """The number of the newest event in the ring."""
        return self._before + len(self._ring)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._cursors)

    @property
    def active_clients(self) -> int:
        """How many of them keep the daemon from its idle timeout."""
        return sum(not cursor.passive for cursor in self._cursors)

    def publish(self, events: Sequence[EncodedEvent]) -> None:
        """Take over committed events; called on the writer thread, in the order of commits."""
        self._incoming.extend(events)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self.flush)

    # -- cursors ------------------------------------------------------------------------------------------------------

    def attach(self, cursor: Cursor, close: Closer) -> None:
        """Let a cursor take part; `close` ends its connection with the reason of a shutdown."""
        self._cursors[cursor] = None
        self._closers[cursor] = close
        if cursor.seq < self.head:
            cursor.behind.set()

    def detach(self, cursor: Cursor) -> None:
        """Forget a cursor; twice does no harm."""
        self._cursors.pop(cursor, None)
        self._closers.pop(cursor, None)

    def write(self, cursor: Cursor, payload: bytes) -> None:
        """Send one client a control frame, in order with its events."""
        if not cursor.transport.is_closing():
            cursor.transport.write(text_frame(payload))

    def flush(self) -> None:
        """Move announced events into the ring and write them to every client that is not behind."""
        self._woken = False
        while self._incoming:
            event = self._incoming.popleft()
            payload = text_frame(event.body)
            self._ring.append(_Frame(event.type, payload))
            self._ring_bytes += len(payload)
        self._trim()
        joined: dict[tuple[int, frozenset[str] | None], tuple[bytes, int]] = {}
        for cursor in self._cursors:
            if cursor.seq < self.head and not cursor.behind.is_set():
                self._write_pending(cursor, joined)

    def _write_pending(
        self, cursor: Cursor, joined: dict[tuple[int, frozenset[str] | None], tuple[bytes, int]]
    ) -> None:
        transport = cursor.transport
        if (
            transport.get_write_buffer_size() > HIGH_WATER_BYTES
            or cursor.seq < self._before
            or self.head - cursor.seq > BATCH_EVENTS
        ):
            cursor.behind.set()
            return
        key = (cursor.seq, cursor.names)
        if key not in joined:
            joined[key] = self._join(cursor.seq, self.head, cursor.names)
        data, count = joined[key]
        if data and not transport.is_closing():
            transport.write(data)
        cursor.sent += count
        cursor.seq = self.head

    def _join(self, after: int, upto: int, names: frozenset[str] | None) -> tuple[bytes, int]:
        frames = self._ring[after - self._before : upto - self._before]
        wanted = [frame.payload for frame in frames if names is None or frame.type in names]
        return b"".join(wanted), len(wanted)

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
        """
        while True:
            await cursor.behind.wait()
            while cursor.seq < self.head:
                await self._room(cursor)
                if cursor.seq < self._before:
                    await self._write_from_log(cursor)
                else:
                    upto = min(cursor.seq + BATCH_EVENTS, self.head)
                    data, count = self._join(cursor.seq, upto, cursor.names)
                    self._write_batch(cursor, data, count, upto)
            # No await since the comparison: the next flush finds the cursor at the head.
            cursor.behind.clear()

    async def _write_from_log(self, cursor: Cursor) -> None:
        start = cursor.seq
        events = await self._read_log(start, BATCH_EVENTS)
        if not events or events[0].seq != start + 1:
            raise ExpiredError
        wanted = [text_frame(event.body) for event in events if cursor.names is None or event.type in cursor.names]
        self._write_batch(cursor, b"".join(wanted), len(wanted), events[-1].seq)

    def _write_batch(self, cursor: Cursor, data: bytes, count: int, upto: int) -> None:
        if data and not cursor.transport.is_closing():
            cursor.transport.write(data)
        cursor.sent += count
        cursor.seq = upto

    async def _room(self, cursor: Cursor) -> None:
        """Wait until the client's socket takes more; cut it when nothing moved for long, since it can resume."""
        unsent = cursor.transport.get_write_buffer_size()
        moved = self._loop.time()
        while unsent > HIGH_WATER_BYTES // 4:
            await asyncio.sleep(POLL_SECONDS)
            left = cursor.transport.get_write_buffer_size()
            if left < unsent:
                moved = self._loop.time()
            elif self._loop.time() - moved > STALL_SECONDS:
                logger.warning("a client took nothing for %d s and was cut; it can resume", STALL_SECONDS)
                cursor.transport.abort()
                return
            unsent = left

    # -- the end ------------------------------------------------------------------------------------------------------

    async def close(self, reason: str) -> None:
        """Write what is announced, then close every stream with the reason; a slow client gets two seconds."""
        self.flush()
        self.closing = reason
        async with asyncio.TaskGroup() as tasks:
            for number, close in enumerate(list(self._closers.values())):
                tasks.create_task(close(reason), name=f"stream.close.{number}")
