"""The daemon's log: a rotated file, and standard error when a person watches. It never holds a secret or a prompt."""

import logging
import os
import sys
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from clown_daemon.redaction import hide_secrets

_OLD_FILES = 3
_NO_DESCRIPTORS = "socket.accept() out of system resource"
_AGAIN_SECONDS = 60


class _Sparse(logging.Filter):
    """Lets asyncio say once a minute that no connection can be accepted; it says so 500 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith(_NO_DESCRIPTORS):
            return True
        if record.created < self._said + _AGAIN_SECONDS:
            return False
        self._said = record.created
        return True


class _PrivateFile(RotatingFileHandler):
    """A file that this user alone can read, and so is each one that follows it."""

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(file, 0o600)  # an older version left it to the umask
        return os.fdopen(file, "a", encoding=self.encoding, errors=self.errors)


class _Redacting(logging.Formatter):
    """Writes records without what looks like a key, also in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record))


def configure_logging(file: Path, *, level: str, max_bytes: int, to_stderr: bool) -> None:
    """Send the daemon's log to its file, 0600, and to standard error if asked. Times are UTC.

    Raises:
        OSError: the file cannot be opened.
    """
    formatter = _Redacting("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [_PrivateFile(file, maxBytes=max_bytes, backupCount=_OLD_FILES, encoding="utf-8")]
    if to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("asyncio").addFilter(_Sparse())
    # Libraries tell every request and every watched file at INFO; their warnings are enough.
    for library in ("aiohttp", "asyncio", "watchfiles", "keyring"):
        logging.getLogger(library).setLevel(logging.WARNING)
