"""Logs that are one JSON document a file, which the agent writes anew whenever something is added.

Nothing can be told before the document is whole, so all its bytes stay pending: the file is read again from its start
whenever it changes, and what it repeats has the same keys. What is a subclass's own: what one document says.
"""

from abc import ABC, abstractmethod

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.parser import read_damaged

LARGEST_DOCUMENT_BYTES = 64 * 1024 * 1024
"""A larger document is left out and counted as one broken line: it must not fill the memory."""

_TOO_LARGE = b"\x01"


class DocumentParser(ABC):
    """Reads one document; see `parser.Parser`.

    `lines_broken` counts what the document as it stands says and cannot be read: since it is read from its start every
    time, the number replaces the one of the time before.
    """

    def __init__(self, state: bytes = b"") -> None:
        """Begin a document; or go on ignoring one that the parser which answered this state found too large."""
        self._pieces: list[bytes] = []
        self._pending_bytes = 0
        self._too_large = state == _TOO_LARGE
        self.lines_broken = int(self._too_large)

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    def feed(self, data: bytes) -> list[Response]:
        if self._too_large:
            return []
        self._pieces.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > LARGEST_DOCUMENT_BYTES:
            self._too_large = True
            self.lines_broken = 1
            self._pieces.clear()
            self._pending_bytes = 0
        return []

    def unfinished(self) -> list[Response]:
        if self._too_large:
            return []
        self.lines_broken = 0
        document = b"".join(self._pieces)
        self._pieces = [document]
        try:
            return read_damaged(self._read_document, document) if document.strip(b" \t\r\n\0") else []
        except ValueError:
            self.lines_broken = 1
            return []

    def state(self) -> bytes:
        return _TOO_LARGE if self._too_large else b""

    # -- a format's own

    @abstractmethod
    def _read_document(self, document: bytes) -> list[Response]:
        """Answer what a document bills; a part that cannot be read is counted in `lines_broken` and left out.

        Raises:
            ValueError: it cannot be read at all (`msgspec.DecodeError` is one).
        """
