"""What is told of each source: where its logs are, how much there is, and what of it cannot be read. Pure."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from clown_daemon.protocol.resources import UNATTRIBUTED, FolderState, SourceState, UsageFolder, UsageSource
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.usage.sources import Source


class LogFolder(NamedTuple):
    """A folder where logs of a source may be."""

    path: str
    profile: str


class Seen(NamedTuple):
    """What is known of the logs of a source."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    lines_broken: int = 0
    last_read_ms: int | None = None
    problems: tuple[str, ...] = ()
    importing: bool = False
    left_alone: bool = False
    """Whether an import was cancelled, and logs were left alone since."""


def describe(
    source: Source, folders: Iterable[LogFolder], existing: Collection[str], polled: Collection[str], seen: Seen
) -> UsageSource:
    """Describe a source.

    Args:
        source: whose logs.
        folders: where they may be.
        existing: which of the folders are there.
        polled: which of them are looked at again and again, since nobody tells what changes.
        seen: what is known of the logs.
    """
    described = tuple(
        UsageFolder(
            path=folder.path,
            profile=folder.profile,
            state=_folder_state(source, existing=folder.path in existing, polled=folder.path in polled),
        )
        for folder in folders
        if folder.path in existing or folder.profile == UNATTRIBUTED
    )
    return UsageSource(
        source=source.name,
        agent_id=source.agent_id,
        name=source.title,
        state=_state(source, described, seen),
        folders=described,
        files=seen.files,
        bytes=seen.bytes,
        records=seen.records,
        lines_broken=seen.lines_broken,
        last_read=None if seen.last_read_ms is None else rfc3339(seen.last_read_ms),
        problems=seen.problems,
    )


def _folder_state(source: Source, *, existing: bool, polled: bool) -> FolderState:
    if not existing:
        return "absent"
    if not source.kinds:
        return "unread"
    return "polled" if polled else "watched"


def _state(source: Source, folders: Sequence[UsageFolder], seen: Seen) -> SourceState:
    if not source.kinds:
        return "unsupported"
    if seen.importing:
        return "importing"
    if seen.left_alone:
        return "cancelled"
    return "following" if any(folder.state != "absent" for folder in folders) else "absent"
