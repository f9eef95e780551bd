"""The files of a service: written whole, and never over or away what somebody else wrote."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from clown_daemon.errors import ClownError
from clown_daemon.service.plan import MARKER


class FileState(StrEnum):
    """How a file compares with what this program would write."""

    MISSING = "missing"
    SAME = "same"
    DIFFERS = "differs"
    """Ours, from another version or for another configuration."""
    FOREIGN = "foreign"
    """Not written by `clown-daemon service install`."""


class ServiceFiles:
    """The files of one service in one folder."""

    def __init__(self, folder: Path, texts: Mapping[str, str]) -> None:
        self.texts = {folder / name: text for name, text in texts.items()}

    def states(self) -> dict[Path, FileState]:
        """How each file stands.

        Raises:
            ClownError: one cannot be read.
        """
        return {file: _state(file, text) for file, text in self.texts.items()}

    def check_ours(self) -> None:
        """Make sure that no file is somebody else's.

        Raises:
            ClownError: one is.
        """
        for file, state in self.states().items():
            if state is FileState.FOREIGN:
                raise ClownError(
                    f"{file} was not written by clown-daemon service install",
                    hint="move it away, or use --force to have it replaced or removed",
                )

    def write(self) -> None:
        """Write the files, each in one step.

        Raises:
            ClownError: the folder cannot be made, or a file not written.
        """
        for file, text in self.texts.items():
            fresh = file.with_name(f".{file.name}.new")
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(file)
            except OSError as error:
                raise ClownError(f"{file} cannot be written: {error.strerror}") from error

    def remove(self) -> tuple[Path, ...]:
        """Remove the files that are there; answers which were.

        Raises:
            ClownError: one cannot be removed.
        """
        removed = []
        for file in self.texts:
            try:
                file.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ClownError(f"{file} cannot be removed: {error.strerror}") from error
            removed.append(file)
        return tuple(removed)


def _state(file: Path, text: str) -> FileState:
    try:
        there = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return FileState.MISSING
    except OSError as error:
        raise ClownError(f"{file} cannot be read: {error.strerror}") from error
    if there == text:
        return FileState.SAME
    return FileState.DIFFERS if MARKER in there else FileState.FOREIGN
