"""Whose project a log is where its lines do not say it, but a file in a folder above does. Blocking.

Gemini CLI keeps the chats of a project in `tmp/NAME/chats` and writes its working directory into
`tmp/NAME/.project_root`; older versions name the folder by a hash and leave no such file.
"""

import os
import stat
from pathlib import Path

from clown_daemon.usage.formats.parser import short

FOLDERS_ABOVE = 3
"""A sub-agent's chat lies one folder deeper than others."""
LONGEST_BYTES = 4096


def marked_project(log: Path, marker: str) -> str | None:
    """Answer the working directory that the nearest marker above a log holds; None where there is none to read."""
    for folder in log.parents[:FOLDERS_ABOVE]:
        try:
            text = _read(folder / marker)
        except OSError:  # no marker here, or none that we may read: the response counts all the same
            continue
        return short(text.decode("utf-8", "replace").strip()) or None
    return None


def _read(path: Path) -> bytes:
    """Read the beginning of a file.

    Raises:
        OSError: it is not there, is no file, or cannot be read.
    """
    # A pipe in its place must not keep us waiting.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no file")
        return os.read(descriptor, LONGEST_BYTES)
    finally:
        os.close(descriptor)
