"""Logs of JSON lines: only lines that hold a marker are parsed at all.

A search for a marker costs a tenth of a parse, and most lines of a log are tool output. What is a subclass's own: the
markers, and what one line says.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.parser import read_damaged

LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is skipped and counted as broken: it must not fill the memory."""

_SKIPPING = b"\x01"
_READING = b"\x00"


class LineParser(ABC):
    """Reads one log of JSON lines; see `parser.Parser`."""

    markers: ClassVar[tuple[bytes, ...]]
    """Every line that matters holds one of these."""

    def __init__(self, state: bytes = b"") -> None:
        """Go on where the parser that answered this state stood; at the start of a file unless given."""
        self.lines_broken = 0
        self._pieces: list[bytes] = []
        self._pending_bytes = 0
        self._skipping = state[:1] == _SKIPPING
        if state[1:]:
            self._restore(state[1:])

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    def feed(self, data: bytes) -> list[Response]:
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            if not newline:
                return []
            self._skipping = False
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return []
        whole = b"".join((*self._pieces, data[:end])) if self._pieces else data[:end]
        self._pieces.clear()
        self._pending_bytes = 0
        self._keep(data[end:])
        return [response for line in self._marked(whole) if (response := self._read(line)) is not None]

    def unfinished(self) -> list[Response]:
        line = b"".join(self._pieces)
        if not any(marker in line for marker in self.markers):
            return []
        broken, context = self.lines_broken, self._context()
        response = self._read(line)
        self.lines_broken = broken  # the rest may be still to come
        self._restore(context)
        return [] if response is None else [response]

    def state(self) -> bytes:
        context = self._context()
        if self._skipping:
            return _SKIPPING + context
        return _READING + context if context else b""

    # -- a format's own

    @abstractmethod
    def _read_line(self, line: bytes) -> Response | None:
        """Answer what a whole line bills; None when it bills nothing.

        Raises:
            ValueError: it should bill but cannot be read (`msgspec.DecodeError` is one).
        """

    def _context(self) -> bytes:
        """Answer what earlier lines said that later ones need; empty at the start of a file."""
        return b""

    def _restore(self, context: bytes) -> None:  # noqa: B027  # most formats need no context
        """Take what `_context` answered."""

    # -- lines

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._pieces.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > LONGEST_LINE_BYTES:
            self._skipping = True
            self.lines_broken += 1
            self._pieces.clear()
            self._pending_bytes = 0

    def _marked(self, whole: bytes) -> Iterator[bytes]:
        """Answer every line that holds a marker, once, in order."""
        if len(self.markers) == 1:
            yield from _lines_with(whole, self.markers[0])
            return
        found = {marker: at for marker in self.markers if (at := whole.find(marker)) >= 0}
        while found:
            at = min(found.values())
            start = whole.rfind(b"\n", 0, at) + 1
            end = whole.find(b"\n", at)
            yield whole[start:end]
            for marker in [marker for marker, place in found.items() if place < end]:
                found[marker] = whole.find(marker, end)
                if found[marker] < 0:
                    del found[marker]

    def _read(self, line: bytes) -> Response | None:
        try:
            return read_damaged(self._read_line, line)
        except ValueError:
            self.lines_broken += 1
            return None


def _lines_with(whole: bytes, marker: bytes) -> Iterator[bytes]:
    at = whole.find(marker)
    while at >= 0:
        start = whole.rfind(b"\n", 0, at) + 1
        end = whole.find(b"\n", at)
        yield whole[start:end]
        at = whole.find(marker, end)
