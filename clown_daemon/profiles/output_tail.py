"""The last output of a profile's newest ended run, on disk: readable after the run and after a restart."""

from pathlib import Path

import msgspec

from clown_daemon.processes.output import OutputBuffer, Page
from clown_daemon.profiles.private_file import write_private
from clown_daemon.protocol.replies import OutputLine, OutputPage


class OutputTail(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an ended run."""

    run_id: str
    next: int
    lines: tuple[OutputLine, ...] = ()

    def page(self, after: int, limit: int) -> OutputPage:
        """Answer at most `limit` lines with a number above `after`."""
        after = min(max(after, 0), self.next)
        lines = tuple(line for line in self.lines if line.number > after)
        dropped = max(0, self.next - len(self.lines) - after)
        shown = lines[:limit]
        following = shown[-1].number if shown else max(after, self.next - len(lines))
        return OutputPage(run_id=self.run_id, lines=shown, next=following, dropped=dropped)


def tail_file(runs_dir: Path, alias: str) -> Path:
    """Where the tail of a profile is kept; one file each, so that the folder stays small."""
    return runs_dir / f"{alias}.json"


def write_tail(runs_dir: Path, alias: str, run_id: str, output: OutputBuffer) -> None:
    """Keep the output of an ended run instead of the one before. Blocking.

    Raises:
        OSError: the folder cannot be written.
    """
    tail = OutputTail(run_id=run_id, next=output.count, lines=lines_of(output.page()))
    write_private(tail_file(runs_dir, alias), msgspec.json.encode(tail))


def read_tail(runs_dir: Path, alias: str, run_id: str) -> OutputTail:
    """Read what was kept of a run; nothing when it was never written, or is of another run. Blocking."""
    try:
        tail = msgspec.json.decode(tail_file(runs_dir, alias).read_bytes(), type=OutputTail)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return OutputTail(run_id=run_id, next=0)
    return tail if tail.run_id == run_id else OutputTail(run_id=run_id, next=0)


def lines_of(page: Page) -> tuple[OutputLine, ...]:
    """The lines of a page as they stand on the wire."""
    return tuple(OutputLine(number=line.number, stream=line.stream, text=line.text) for line in page.lines)
