"""The meter of one answer: told the bytes that pass, it answers what they bill. It never raises.

What cannot be read is said in `problem` and leaves the answer unmetered; the bytes have passed already.
"""

from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.metering.anthropic import AnthropicReader
from clown_daemon.proxies.metering.decoding import Decoder, DecodingError, decoder_for
from clown_daemon.proxies.metering.events import EventCutter
from clown_daemon.proxies.metering.gemini import GeminiReader
from clown_daemon.proxies.metering.measured import Measured, Reader
from clown_daemon.proxies.metering.openai import ChatReader, ResponsesReader

LARGEST_BODY_BYTES = 32 * 1024 * 1024
"""A whole answer that is larger is not metered."""

_READERS: dict[Wire, type[Reader]] = {
    "anthropic": AnthropicReader,
    "openai": ResponsesReader,
    "openai-chat": ChatReader,
    "gemini": GeminiReader,
}


class Meter:
    """One answer.

    Attributes:
        problem: why it, or a part of it, could not be read; None while all could.
    """

    def __init__(self, wire: Wire, *, content_type: str, content_encoding: str | None) -> None:
        self.problem: str | None = None
        self._reader = _READERS[wire]()
        self._cutter = EventCutter(self._reader.marker) if _is_events(content_type) else None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._decoder: Decoder | None = None
        try:
            self._decoder = decoder_for(content_encoding)
        except DecodingError as error:
            self.problem = str(error)

    @property
    def measured(self) -> Measured:
        """What is known by now."""
        return self._reader.measured

    def feed(self, chunk: bytes) -> bool:
        """Take the next bytes as they passed; answer whether more is known than before."""
        if self._decoder is None:
            return False
        try:
            plain = self._decoder.decode(chunk)
        except DecodingError as error:
            self._give_up(str(error))
            return False
        if self._cutter is None:
            self._collect(plain)
            return False
        events = list(self._cutter.feed(plain))
        for event in events:
            self._read_event(event)
        return bool(events)

    def finish(self) -> Measured:
        """The answer has ended, well or not: answer all that can be known of it."""
        if self._cutter is not None:
            for event in self._cutter.finish():
                self._read_event(event)
            if self._cutter.overflowed:
                self.problem = "an event was too large to be read"
        elif self._body:
            self._read_body(b"".join(self._body))
        return self._reader.measured

    def _collect(self, plain: bytes) -> None:
        self._body_bytes += len(plain)
        if self._body_bytes > LARGEST_BODY_BYTES:
            self._give_up("the answer was too large to be read")
        elif plain:
            self._body.append(plain)

    def _read_event(self, event: bytes) -> None:
        try:
            self._reader.read_event(event)
        except ValueError as error:
            self.problem = f"an event could not be read: {_kind_of(error)}"

    def _read_body(self, body: bytes) -> None:
        try:
            self._reader.read_body(body)
        except ValueError as error:
            self.problem = f"the answer could not be read: {_kind_of(error)}"

    def _give_up(self, why: str) -> None:
        self.problem = why
        self._decoder = None
        self._body.clear()


def _is_events(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def _kind_of(error: ValueError) -> str:
    """Name an error without its text: that may quote the answer."""
    return type(error).__name__
