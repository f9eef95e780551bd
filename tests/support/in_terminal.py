"""`python -m tests.support.in_terminal LOG PROGRAM ...`: run a program as `clown run` does, without a daemon.

What the watcher is told goes into the log, a line each: `began PID`, `ended PID CODE`.
"""

import os
import sys
from pathlib import Path

from clown_daemon.errors import ClownError
from clown_daemon.processes.terminal import Terminal, end_like
from clown_daemon.processes.waiter import Order


class Log:
    """Writes down what the watcher is told."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def began(self, label: str, pid: int) -> None:
        self._add(f"began {label} {pid}")

    def ended(self, label: str, pid: int, exit_code: int) -> None:
        self._add(f"ended {label} {pid} {exit_code}")

    def _add(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def main() -> int:
    log, *argv = sys.argv[1:]
    try:
        with Terminal(Log(Path(log))) as terminal:
            return end_like(terminal.run(Order("it", tuple(argv), dict(os.environ), Path.cwd())))
    except ClownError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # a program
        return 125


if __name__ == "__main__":
    sys.exit(main())
