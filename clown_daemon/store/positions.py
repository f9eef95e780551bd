"""How far a log was read, and how to tell that it is still the same file. Pure: it also crosses to other processes."""

from typing import NamedTuple


class Position(NamedTuple):
    """Where to go on in a log. Kept in the transaction that keeps what was read before it."""

    inode: int
    offset: int
    """Always the start of a line; what follows it is fed again."""
    fingerprint: bytes
    """Of the first bytes of the file and of the last ones before the offset."""
    profile: str
    state: bytes = b""
    """What the parser must know to go on."""
    size: int = 0
    """The file's size and time of change when it was read: as long as both stay, there is nothing new."""
    modified_ns: int = 0
    lines_broken: int = 0
    """How much of the file could not be read so far."""
