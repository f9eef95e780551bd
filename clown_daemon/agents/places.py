"""The places on disk that decide what is detected, and whether something there changed.

Notifications only say when to look; what counts are the stamps (inode, time, size) of the files themselves, so that a
lost notification costs some seconds and never an upgrade. Reads the disk: call it off the event loop.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

Stamp = tuple[int, int, int] | None
"""Inode, modification time in nanoseconds, size; None where nothing is. Links are followed."""


def stamps(files: Iterable[Path]) -> Mapping[Path, Stamp]:
    """Look at every file."""
    return {file: _stamp(file) for file in files}


def folders_of(files: Iterable[Path]) -> frozenset[Path]:
    """The existing folders whose entries change when one of the files appears, goes or is replaced.

    These are a file's folder and, since package managers swap whole packages, the one above; for links those of the
    file they lead to as well. Where a folder is not there yet, it is the nearest one above that is.
    """
    found: set[Path] = set()
    for file in files:
        found.add(_existing(file.parent))
        real = _resolved(file)
        if real is not None and real != file:
            found.update((_existing(real.parent), _existing(real.parent.parent)))
        if file.name == "package.json":
            found.add(_existing(file.parent.parent))
    return frozenset(found)


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _resolved(file: Path) -> Path | None:
    try:
        return file.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _existing(folder: Path) -> Path:
    return next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))
