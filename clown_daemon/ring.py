"""The newest events in memory, each framed once for all clients, and joined once for all that stand at one place."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

RING_EVENTS = 16_384
RING_BYTES = 32 * 1024 * 1024
"""Either bound: what is over it leaves the ring, oldest first; the log in the database still has it."""
BATCH_BYTES = 64 * 1024
"""A write ends with the frame that passes this."""
BATCH_EVENTS = 1024
"""The most events that are looked at for one write."""
SHARED_BATCHES = 16
"""The most joined batches kept for the next client that stands at the same place."""


class LoggedEvent(Protocol):
    """What the stream needs of an event: the store's encoded events have it."""

    @property
    def seq(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Frame(NamedTuple):
    """One event as it is written."""

    type: str
    payload: bytes
    """A whole WebSocket frame."""


class Batch(NamedTuple):
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


def framed(event: LoggedEvent) -> Frame:
    """Frame an event."""
    return Frame(event.type, text_frame(event.body))


def pong_frame(payload: bytes) -> bytes:
    """Frame the answer to a ping; it has at most 125 bytes."""
    return b"\x8a" + len(payload).to_bytes(1) + payload


def join(frames: Iterable[Frame], after: int, names: frozenset[str] | None) -> Batch:
    """Join the wanted ones of the events after a number, as many as one write may have."""
    payloads: list[bytes] = []
    size = 0
    upto = after
    for frame in frames:
        upto += 1
        if names is None or frame.type in names:
            payloads.append(frame.payload)
            size += len(frame.payload)
            if size >= BATCH_BYTES:
                break
    return Batch(b"".join(payloads), len(payloads), upto)


class Ring:
    """The events after `before` up to `head`, bounded in number and in bytes."""

    def __init__(self, head: int) -> None:
        self.before = head
        """The number before the oldest event in the ring."""
        self.bytes = 0
        """How long its frames are together."""
        self.by_type: Counter[str] = Counter()
        """How many events ever came in, by type."""
        self._frames: list[Frame] = []
        self._shared: dict[tuple[int, frozenset[str] | None], Batch] = {}

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def head(self) -> int:
        """The number of the newest event."""
        return self.before + len(self._frames)

    def add(self, event: LoggedEvent) -> None:
        """Take in the next event; `trim` keeps the bounds."""
        frame = framed(event)
        self._frames.append(frame)
        self.bytes += len(frame.payload)
        self.by_type[event.type] += 1

    def batch(self, after: int, names: frozenset[str] | None) -> Batch:
        """Join the wanted events after a number, which is in the ring; whoever asks for the same gets the same."""
        key = (after, names)
        batch = self._shared.get(key)
        if batch is None:
            if len(self._shared) >= SHARED_BATCHES:
                self._shared.clear()
            start = after - self.before
            batch = self._shared[key] = join(self._frames[start : start + BATCH_EVENTS], after, names)
        return batch

    def forget_batches(self) -> None:
        """Free what was joined: there are newer events."""
        self._shared.clear()

    def trim(self) -> None:
        """Let go what is over the bounds; little by little, so that memory stays flat."""
        over = 0
        while len(self._frames) - over > RING_EVENTS or self.bytes > RING_BYTES:
            self.bytes -= len(self._frames[over].payload)
            over += 1
        if over:
            del self._frames[:over]
            self.before += over
