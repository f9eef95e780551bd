"""Logs of JSON lines: only lines that hold a marker are parsed at all.

A search for a marker costs a tenth of a parse, and most lines of a log are tool output; where a line says at its
beginning what it is, not even that is needed. What is a subclass's own: the markers, and what one line says.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
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
    head: ClassVar[re.Pattern[bytes] | None] = None
    """What lines begin with, where that tells which of them matter: those where a group took part. A line that begins
    otherwise is searched for the markers."""

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
        start, end = 0, data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return []
        responses: list[Response] = []
        if self._skipping or self._pieces:
            start = data.index(b"\n") + 1
            responses += self._end_pending(data[:start])
        for line in self._marked(data, start, end):
            responses += self._read(line)
        self._keep(data[end:])
        return responses

    def unfinished(self) -> list[Response]:
        line = b"".join(self._pieces)
        if not any(marker in line for marker in self.markers):
            return []
        broken, context = self.lines_broken, self._context()
        responses = self._read(line)
        self.lines_broken = broken  # the rest may be still to come
        self._restore(context)
        return list(responses)

    def state(self) -> bytes:
        context = self._context()
        if self._skipping:
            return _SKIPPING + context
        return _READING + context if context else b""

    # -- a format's own

    @abstractmethod
    def _read_line(self, line: bytes) -> Sequence[Response]:
        """Answer what a whole line bills; a part that cannot be read is counted in `lines_broken` and left out.

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
        if not data or self._skipping:
            return
        self._pieces.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > LONGEST_LINE_BYTES:
            self._skipping = True
            self.lines_broken += 1
            self._pieces.clear()
            self._pending_bytes = 0

    def _end_pending(self, rest: bytes) -> list[Response]:
        """Take the rest of a line that began earlier, and its end."""
        if self._skipping:
            self._skipping = False
            return []
        whole = b"".join((*self._pieces, rest))
        self._pieces.clear()
        self._pending_bytes = 0
        return [response for line in self._marked(whole, 0, len(whole)) for response in self._read(line)]

    def _marked(self, text: bytes, start: int, end: int) -> Iterator[bytes]:
        """Answer every line of a part that may matter, once, in order; the part is of whole lines."""
        if self.head is not None:
            return _lines_by_head(text, start, end, self.head, self.markers)
        if len(self.markers) == 1:
            return _lines_with(text, start, end, self.markers[0])
        return _lines_with_any(text, start, end, self.markers)

    def _read(self, line: bytes) -> Sequence[Response]:
        if len(line) > LONGEST_LINE_BYTES:  # the same as when it comes in pieces
            self.lines_broken += 1
            return ()
        try:
            if line.startswith(b"{") and line.endswith(b"}"):
                try:
                    return self._read_line(line)  # nothing has to be mended in most lines
                except UnicodeDecodeError:
                    pass
            return read_damaged(self._read_line, line)
        except (ValueError, RecursionError):
            self.lines_broken += 1
            return ()


def _lines_by_head(
    text: bytes, start: int, end: int, head: re.Pattern[bytes], markers: tuple[bytes, ...]
) -> Iterator[bytes]:
    while start < end:
        stop = text.find(b"\n", start)
        begins = head.match(text, start)
        if begins.lastindex if begins else any(text.find(marker, start, stop) >= 0 for marker in markers):
            yield text[start:stop]
        start = stop + 1


def _lines_with(text: bytes, start: int, end: int, marker: bytes) -> Iterator[bytes]:
    at = text.find(marker, start, end)
    while at >= 0:
        stop = text.find(b"\n", at)
        yield text[text.rfind(b"\n", start, at) + 1 or start : stop]
        at = text.find(marker, stop, end)


def _lines_with_any(text: bytes, start: int, end: int, markers: tuple[bytes, ...]) -> Iterator[bytes]:
    found = {marker: at for marker in markers if (at := text.find(marker, start, end)) >= 0}
    while found:
        at = min(found.values())
        stop = text.find(b"\n", at)
        yield text[text.rfind(b"\n", start, at) + 1 or start : stop]
        for marker in [marker for marker, place in found.items() if place < stop]:
            found[marker] = text.find(marker, stop, end)
            if found[marker] < 0:
                del found[marker]
