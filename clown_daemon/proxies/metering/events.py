"""Cuts a stream of server-sent events into the data of each; only events with a marker are cut out at all.

Source: WHATWG HTML, "Server-sent events": lines end with LF, CRLF or CR, a blank line ends an event, the `data` lines
of one event are joined by LF.
"""

from collections.abc import Iterator

LARGEST_EVENT_BYTES = 32 * 1024 * 1024
"""A larger one is let go of: it must not fill the memory."""


class EventCutter:
    """One stream.

    Attributes:
        overflowed: how many events were too large to be looked at.
    """

    def __init__(self, marker: bytes) -> None:
        self.overflowed = 0
        self._marker = marker
        self._rest = b""
        self._dropping = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes; answer the data of each event that they complete and that holds the marker."""
        whole = self._rest + chunk if self._rest else chunk
        end = _last_blank(whole)
        if end < 0:
            self._keep(whole)
            return
        done, self._rest = whole[:end], whole[end:]
        if self._dropping:
            self._dropping = False
            done = done[_first_blank(done) :]
        if self._marker in done:
            yield from self._marked(done)

    def finish(self) -> Iterator[bytes]:
        """Answer what the end of the stream completes: some providers leave out the last blank line."""
        if self._marker in self._rest:
            yield from self._marked(self._rest)
        self._rest = b""

    def _keep(self, whole: bytes) -> None:
        self._rest = whole
        if len(whole) > LARGEST_EVENT_BYTES:
            self.overflowed += 1
            self._rest = whole[-3:]  # may hold the first half of the blank line
            self._dropping = True

    def _marked(self, done: bytes) -> Iterator[bytes]:
        for event in done.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
            if self._marker in event and (data := _data_of(event)):
                yield data


def _last_blank(whole: bytes) -> int:
    """Where the last whole event ends; -1 when none does."""
    return max(_after(whole.rfind(b"\n\n"), 2), _after(whole.rfind(b"\r\n\r\n"), 4), _after(whole.rfind(b"\r\r"), 2))


def _first_blank(whole: bytes) -> int:
    ends = [_after(whole.find(blank), len(blank)) for blank in (b"\n\n", b"\r\n\r\n", b"\r\r")]
    return min(end for end in ends if end >= 0)


def _after(at: int, length: int) -> int:
    return at if at < 0 else at + length


def _data_of(event: bytes) -> bytes:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
