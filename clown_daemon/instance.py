"""One daemon per state folder: the lock, and the file that tells others where the daemon listens.

The lock is a `flock`, which the kernel releases when its holder dies, however it dies; the file is information only.
"""

import fcntl
import json
import os
import time
from pathlib import Path

from clown_daemon.errors import StartError
from clown_daemon.paths import Paths

_LOCK_TRIES = 10
_LOCK_REST_SECONDS = 0.02
"""Clients look at the lock by holding it for an instant; that is no daemon."""


class AlreadyRunningError(StartError):
    """Another daemon holds the lock of this state folder."""


def prepare_folders(paths: Paths) -> None:
    """Create Clown's folders, for the user alone.

    Raises:
        StartError: one of them cannot be created or written.
    """
    for folder in (paths.config_dir, paths.state_dir, paths.data_dir, paths.log_dir):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(
                f"the folder {folder} cannot be created: {error.strerror}", hint="set CLOWN_HOME to a folder you own"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StartError(f"the folder {folder} cannot be written", hint="set CLOWN_HOME to a folder you own")


class InstanceLock:
    """Held for the life of the daemon; released last."""

    def __init__(self, file: Path) -> None:
        """Take the lock.

        Raises:
            AlreadyRunningError: another daemon has it.
            StartError: the file cannot be opened.
        """
        try:
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"the lock {file} cannot be opened: {error.strerror}") from error
        for left in reversed(range(_LOCK_TRIES)):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if left:
                    time.sleep(_LOCK_REST_SECONDS)
                    continue
                os.close(self._descriptor)
                raise AlreadyRunningError(
                    "a Clown daemon already runs on this state folder", hint="clown-daemon status tells where"
                ) from None
            return

    def release(self) -> None:
        """Let the next daemon in."""
        os.close(self._descriptor)


def write_daemon_file(file: Path, facts: dict[str, object]) -> None:
    """Tell others where the daemon listens; replaced in one step, so that no reader sees half a file."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    fresh.chmod(0o600)
    fresh.replace(file)
