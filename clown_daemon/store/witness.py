"""The witness: a small file beside the database that says how far its log had come.

The database cannot know by itself that somebody put an older version of it back: it looks whole. So the writer notes
the number of every commit here as well, in place and without waiting for the disk: a killed process leaves it right, a
power loss may leave it behind, and the database wins then. What must not be lost (a new log, damage that was found,
the beginning of a life) waits for the disk.
"""

import logging
import os
from pathlib import Path

import msgspec

SIZE = 256
"""Every version of the file has this size and overwrites the last one, so that a full disk still takes it."""

logger = logging.getLogger(__name__)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What the witness says."""

    log: str
    head: int
    """The newest number that was committed; a power loss may have left an older one."""
    closed_ns: int | None = None
    """When the database file last changed, as of a clean end; None while a daemon uses it, and after it was killed."""
    damaged: bool = False
    """Whether a daemon met damage in the database and could go on only in part."""


class Witness:
    """The file beside a database.

    Raises:
        OSError: it can be neither opened nor made.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.head")
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._told: Statement | None = self._read()
        self._behind = False

    @property
    def told(self) -> Statement | None:
        """What it says; None when there was no such file, or it cannot be understood."""
        return self._told

    def tell(self, statement: Statement) -> None:
        """Put new statement on disk.

        Raises:
            OSError: it cannot be written.
        """
        self._write(statement)
        os.fsync(self._descriptor)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def saw(self, head: int) -> None:
        """Note the number of a commit."""
        assert self._told is not None  # it was told the log when the database was opened
        try:
            self._write(msgspec.structs.replace(self._told, head=head))
        except OSError as error:
            # Being behind is allowed, and the commit is done.
            if not self._behind:
                logger.warning("%s cannot be written: %s", self.path, error.strerror)
            self._behind = True
        else:
            self._behind = False

    def suspect(self) -> None:
        """Let the next start look for damage thoroughly.

        Raises:
            OSError: it cannot be written.
        """
        assert self._told is not None  # as above
        self.tell(msgspec.structs.replace(self._told, damaged=True))

    def closed(self, changed_ns: int) -> None:
        """Note a clean end; waiting for the disk is not needed, since nothing less than this is still right.

        Raises:
            OSError: it cannot be written.
        """
        assert self._told is not None  # as above
        self._write(msgspec.structs.replace(self._told, closed_ns=changed_ns))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _write(self, statement: Statement) -> None:
        os.pwrite(self._descriptor, msgspec.json.encode(statement).ljust(SIZE - 1) + b"\n", 0)
        self._told = statement

    def _read(self) -> Statement | None:
        try:
            return msgspec.json.decode(os.pread(self._descriptor, SIZE, 0), type=Statement)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
