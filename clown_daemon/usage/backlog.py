"""What of the logs that were found has to be read at all. Pure.

A log whose size, time of change and number are as they were when it was read last is not opened. A log that has a new
name but a number that is known was most likely moved, as agents do with old sessions: it is read on from where it was,
if its bytes say that it is the same one.
"""

from collections.abc import Iterable, Mapping

from clown_daemon.store.positions import Position
from clown_daemon.usage.reader import NOT_DONE, Task
from clown_daemon.usage.sources import KINDS, LogFile, Pages

LogName = tuple[str, str]
"""The source and the path of a log."""


def to_read(
    files: Iterable[LogFile],
    known: Mapping[LogName, Position],
    providers: Mapping[str, str],
    *,
    suspicious: bool = False,
) -> list[Task]:
    """Answer the logs to read, in the order of the files.

    Args:
        files: as they were found.
        known: how far each was read before.
        providers: who bills each profile, where that is known.
        suspicious: also those whose size and time tell nothing new: they are known to have changed.
    """
    moved: dict[int, Position] | None = None
    tasks: list[Task] = []
    for file in files:
        position = known.get((file.source, file.path))
        if position is None:
            if moved is None:
                moved = {position.inode: position for position in known.values()}
            position = moved.get(file.inode)
            if position is not None:
                position = position._replace(size=NOT_DONE)  # under this name nothing is known of it
        elif not suspicious and is_as_it_was(file, position):
            continue
        tasks.append(Task(file, position, providers.get(file.profile)))
    return tasks


def bytes_left(task: Task) -> int:
    """Answer how much of a log is new, most likely."""
    offset, size = task.known.offset if task.known else 0, task.file.size
    if isinstance(KINDS[task.file.kind].reading, Pages):
        return max(0, size - offset)  # what shrinks was tidied up, not cut
    return size - offset if offset <= size else size


def is_as_it_was(file: LogFile, position: Position) -> bool:
    """Whether nothing tells that a log is another than when it was read last."""
    return (file.inode, file.size, file.modified_ns) == (position.inode, position.size, position.modified_ns)
