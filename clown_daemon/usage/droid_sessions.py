"""Droid's sessions on the disk: `<id>.settings.json` holds the sums, `<id>.jsonl` beside it says whose they are.

The settings do not say which session they are of. And a session that goes on from a compacted one begins with the sums
of that; the transcript alone tells it: it has a parent, and the summary comes first. What was inherited is not counted
again.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from clown_daemon.usage.formats.droid import Session, Settings, Totals, bill, read_settings
from clown_daemon.usage.formats.parser import read_damaged, short
from clown_daemon.usage.pages import Page, UnreadablePagesError

SUFFIX = ".settings.json"
LARGEST_SETTINGS_BYTES = 4 * 1024 * 1024
HEAD_BYTES = 64 * 1024
"""So much of a transcript is read: its first line, and the kind of the second."""

_NAME = re.compile(r"[\w-]+")
_SUMMARY = b'{"type":"compaction_state"'


class _Start(msgspec.Struct, frozen=True, rename="camel"):
    """The first line of a transcript."""

    cwd: str | None = None
    parent: str | None = None
    forked_at_message_id: str | None = None
    """A fork has a parent, too, and begins with no sums."""
    calling_session_id: str | None = None
    """Whose sub-agent it is."""


_start_decoder = msgspec.json.Decoder(_Start)


class _Written(NamedTuple):
    settings: Settings
    modified_ms: int


def read_rows(path: Path, state: bytes = b"") -> Iterator[Page]:
    """Read what is new in the settings of a session since a state; at most one page.

    Args:
        path: the settings; a session that is gone holds nothing new.
        state: of the last page that was kept; from the start unless given.

    Raises:
        UnreadablePagesError: they cannot be read now.
    """
    written = _read_settings(path)
    if written is None:
        return
    session = _session(path, written, began=not state)
    try:
        response, reached = bill(written.settings, session, state)
    except ValueError as error:
        raise UnreadablePagesError(f"Droid's session {path} cannot be counted: {error}") from error
    if reached != state:
        yield Page(() if response is None else (response,), reached, 0)


def _read_settings(path: Path) -> _Written | None:
    try:
        data, status = _read(path, LARGEST_SETTINGS_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadablePagesError(f"Droid's session {path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or len(data) > LARGEST_SETTINGS_BYTES:
        raise UnreadablePagesError(f"{path} holds no settings of a Droid session, and is not read")
    try:
        return _Written(read_damaged(read_settings, data), status.st_mtime_ns // 1_000_000)
    except ValueError as error:
        raise UnreadablePagesError(f"Droid's session {path} cannot be read: {error}") from error


def _session(path: Path, written: _Written, *, began: bool) -> Session:
    """Answer what the transcript says of a session, and, when it is seen for the first time, what it began with."""
    name = path.name.removesuffix(SUFFIX)
    try:
        head, _ = _read(path.with_name(f"{name}.jsonl"), HEAD_BYTES)
    except OSError:
        return Session(name, written.modified_ms)  # its tokens count all the same
    first, _, rest = head.partition(b"\n")
    try:
        start = read_damaged(_start_decoder.decode, first)
    except ValueError:
        return Session(name, written.modified_ms)
    inherited = Totals()
    if began and start.parent and not start.forked_at_message_id and rest.startswith(_SUMMARY):
        inherited = _inherited(path, start.parent, written.settings.token_usage or Totals())
    return Session(name, written.modified_ms, short(start.cwd) or None, start.calling_session_id is not None, inherited)


def _inherited(path: Path, parent: str, usage: Totals) -> Totals:
    """Answer the sums that a session began with: those of the one that was compacted."""
    written = _read_settings(path.with_name(parent + SUFFIX)) if _NAME.fullmatch(parent) else None
    inherited = written.settings.token_usage if written else None
    if inherited is None or usage.less(inherited) is None:
        raise UnreadablePagesError(
            f"Droid's session {path} goes on from {parent}, and which part of its tokens is its own is not known"
        )
    return inherited


def _read(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read the beginning of a file; nothing of what is none, so that a pipe does not keep us waiting.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        return (os.read(descriptor, most_bytes) if stat.S_ISREG(status.st_mode) else b""), status
    finally:
        os.close(descriptor)
