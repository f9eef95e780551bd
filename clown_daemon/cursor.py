"""One client's place in the stream, and how much it still has to take."""

import asyncio
from typing import Protocol

from clown_daemon.ring import Batch

HIGH_WATER_BYTES = 64 * 1024
"""A client with more unsent bytes than this stands still until a quarter of it is left."""


class Transport(Protocol):
    """What the stream needs of a connection: asyncio's transport has it."""

    def write(self, data: bytes) -> None:
        """Send, or keep until there is room."""

    def get_write_buffer_size(self) -> int:
        """How many bytes are kept."""

    def is_closing(self) -> bool:
        """Whether it is of no use any more."""

    def abort(self) -> None:
        """End it at once."""


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
        """How many events were written."""
        self.behind = asyncio.Event()
        """Set while `Broadcaster.catch_up` has to carry it."""
        self._written = 0
        self._gone: int | None = None
        self._moved = 0.0

    @property
    def unsent(self) -> int:
        """How many bytes its socket did not take yet."""
        return self.transport.get_write_buffer_size()

    @property
    def full(self) -> bool:
        """Whether its socket has enough unsent bytes already."""
        return self.unsent > HIGH_WATER_BYTES

    def write(self, data: bytes) -> None:
        """Write frames, unless the connection ends."""
        if data and not self.transport.is_closing():
            self.transport.write(data)
            self._written += len(data)

    def take(self, batch: Batch) -> None:
        """Write a batch and stand behind it."""
        self.write(batch.data)
        self.sent += batch.frames
        self.seq = batch.upto

    def stuck_seconds(self, now: float) -> float:
        """For how long its socket took nothing although there was something to take, as far as this was asked."""
        unsent = self.unsent
        # None while nothing waits: nobody asks then, and the time until the next look must not count.
        gone = self._written - unsent if unsent else None
        if gone is None or gone != self._gone:
            self._gone, self._moved = gone, now
        return now - self._moved
