"""What every parser of a log format is: told bytes, it answers billed responses.

Pure and incremental. A parser can be put aside in the middle of a file: `state` is kept beside the offset and given to
the next one, which goes on as if nothing had happened.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from clown_daemon.store.ledger import Response

LAST_MS = 253_402_300_799_999
"""The end of the year 9999; a later instant is damage."""

UNKNOWN_MODEL = "unknown"
"""Where a log does not say which model answered: counted and listed, never priced."""

LONGEST_NAME = 1024
"""Longer names are cut: they are kept in states and rows."""


class Parser(Protocol):
    """Reads one file. No bytes whatsoever make it raise."""

    lines_broken: int
    """How much so far should bill but cannot be read; it is skipped, the rest of the file counts."""

    @property
    def pending_bytes(self) -> int:
        """How many of the bytes fed belong to what has not ended: they must be fed again to the next parser."""

    def feed(self, data: bytes) -> list[Response]:
        """Take the next bytes and answer the responses that they complete, in order."""

    def unfinished(self) -> list[Response]:
        """Answer what the end of the file says although it has not ended; it stays pending.

        Counting it early is safe: its key is the same later.
        """

    def state(self) -> bytes:
        """Answer what the next parser must know to go on before the pending bytes; at most some kilobytes."""


def short(name: str | None) -> str:
    """Answer a name from a log at a bounded length; empty where there is none."""
    return (name or "")[:LONGEST_NAME]


class _Kind(msgspec.Struct, frozen=True):
    type: str | None = None


_kind_decoder = msgspec.json.Decoder(_Kind)


def kind_of(text: bytes | msgspec.Raw) -> str | None:
    """Answer the `type` of a JSON object, whatever the rest of it looks like.

    Raises:
        ValueError: it is no object, or its type is no text.
    """
    return _kind_decoder.decode(text).type


def instant(at_ms: float) -> int:
    """Answer epoch milliseconds.

    Raises:
        ValueError: they are no instant.
    """
    if not 0 <= at_ms <= LAST_MS:
        raise ValueError(f"{at_ms} is no instant")
    return int(at_ms)


_Read = TypeVar("_Read")


def read_damaged(read: Callable[[bytes], _Read], text: bytes) -> _Read:
    """Answer what `read` makes of a text that may have been damaged; bytes that are no UTF-8 become U+FFFD.

    Raises:
        ValueError: `read` cannot read it.
    """
    # A crash can leave a run of NULs where the file system had not written yet; what follows is good.
    text = text.strip(b" \t\r\n\0")
    try:
        try:
            return read(text)
        except UnicodeDecodeError:
            return read(text.decode("utf-8", "replace").encode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
