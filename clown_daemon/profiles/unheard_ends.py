"""Ends of interactive runs that no daemon heard of: `clown run` leaves a note, and the next daemon reads it. Blocking.

A note is a file of mode 0600 named by its run. One that is stale does no harm: runs have names of their own.
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from clown_daemon.profiles.private_file import write_private


class UnheardEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    run_id: str
    pid: int
    exit_code: int
    """The exit status, or minus the number of the signal that ended it."""
    ended_ms: int
    """Epoch milliseconds."""


def leave_note(folder: Path, end: UnheardEnd) -> None:
    """Write down an end for the next daemon.

    Raises:
        OSError: the folder cannot be written.
    """
    write_private(_file(folder, end.run_id), msgspec.json.encode(end))


def read_note(folder: Path, run_id: str) -> UnheardEnd | None:
    """Read what is known of the end of a run; None where there is no note of it, or none that can be read."""
    try:
        return msgspec.json.decode(_file(folder, run_id).read_bytes(), type=UnheardEnd)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def throw_away(folder: Path, run_id: str) -> None:
    """Remove the note of a run whose end is in the books."""
    _file(folder, run_id).unlink(missing_ok=True)


def throw_away_but(folder: Path, run_ids: Collection[str]) -> None:
    """Remove every note but those of these runs."""
    kept = {_file(folder, run_id) for run_id in run_ids}
    for file in set(folder.glob("*.json")) - kept:
        file.unlink(missing_ok=True)


def _file(folder: Path, run_id: str) -> Path:
    return folder / f"{Path(run_id).name}.json"
