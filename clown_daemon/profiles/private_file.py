"""A file that nobody else may read, replaced at once: readers see the old content or the new. Blocking."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Put the content where the path names, mode 0600, durable when this returns.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old content stays.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own each time, never an existing file and never through somebody's link.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
