"""What a child printed, bounded: the last lines, numbered from 1 across both streams. Pure.

Three bounds hold at once (lines, bytes, bytes of one line); what falls out is counted, never silently lost. A line
counts once its end has come, or the stream ended: a partial line is never shown and then shown again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Stream = Literal["stdout", "stderr"]

MAX_LINES = 10_000
MAX_BYTES = 1024 * 1024
MAX_LINE_BYTES = 64 * 1024
MIN_SECRET_BYTES = 8
"""Shorter texts are no keys, and blanking them would garble what the child says."""
BLANK = b"[secret]"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line: without its end, undecodable bytes replaced."""

    number: int
    stream: Stream
    text: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Lines after an asked number, oldest first."""

    lines: tuple[Line, ...]
    next: int
    """Ask after this one to go on."""
    dropped: int
    """Lines after the asked number that are no longer kept."""


class OutputBuffer:
    """The last lines of one child.

    Args:
        max_lines: how many lines are kept.
        max_bytes: how many bytes of them are kept; the newest line stays even if it alone is longer.
        max_line_bytes: where a line is cut; its rest is dropped.
        secrets: texts that are replaced by `[secret]` wherever a whole line holds them.
    """

    def __init__(
        self,
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        max_line_bytes: int = MAX_LINE_BYTES,
        secrets: Iterable[str] = (),
    ) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._max_line_bytes = max_line_bytes
        encoded = [secret.encode() for secret in secrets]
        self._secrets = tuple(secret for secret in encoded if len(secret) >= MIN_SECRET_BYTES)
        self._lines: deque[tuple[Stream, bytes]] = deque()
        self._bytes = 0
        self._partial: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self.count = 0
        """How many lines there were so far, kept or not."""

    @property
    def dropped(self) -> int:
        """How many lines are no longer kept."""
        return self.count - len(self._lines)

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what a stream gave; it may end anywhere, also within a character."""
        head, *rest = data.split(b"\n")
        # One byte more than a line may have, so that a CR at the bound is still seen as a part of the line's end.
        started = (self._partial[stream] + head)[: self._max_line_bytes + 1]
        if not rest:
            self._partial[stream] = started
            return
        self._partial[stream] = rest.pop()[: self._max_line_bytes + 1]
        # A flood is counted, not split further: at most `max_lines` of it can be kept.
        skipped = max(0, 1 + len(rest) - self._max_lines)
        self.count += skipped
        for line in islice((started, *rest), skipped, None):
            self._add(stream, line)

    def finish(self) -> None:
        """Both streams ended: what has no line end yet is a line too."""
        for stream, partial in self._partial.items():
            if partial:
                self._add(stream, partial)
                self._partial[stream] = b""

    def page(self, after: int = 0, limit: int = MAX_LINES) -> Page:
        """Answer at most `limit` lines with a number above `after`; an `after` of the future counts as the end."""
        after = min(max(after, 0), self.count)
        skip = max(0, after - self.dropped)
        first = self.dropped + skip + 1
        lines = tuple(
            Line(number=number, stream=stream, text=raw.decode("utf-8", "replace"))
            for number, (stream, raw) in enumerate(islice(self._lines, skip, skip + max(limit, 0)), start=first)
        )
        return Page(lines=lines, next=first - 1 + len(lines), dropped=max(0, self.dropped - after))

    def _add(self, stream: Stream, line: bytes) -> None:
        kept = line.removesuffix(b"\r")[: self._max_line_bytes]
        for secret in self._secrets:
            kept = kept.replace(secret, BLANK)
        self._lines.append((stream, kept))
        self._bytes += len(kept)
        self.count += 1
        while len(self._lines) > self._max_lines or (self._bytes > self._max_bytes and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft()[1])
