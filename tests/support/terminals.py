"""A program in a real pseudo-terminal, with its own session, so that a hang-up reaches it as from a real terminal."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

_TAKE_TERMINAL = (
    "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """Starts the program at once; use it with `with`."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], *, columns: int = 120, lines: int = 40
    ) -> None:
        self.master, slave = os.openpty()
        _set_size(slave, columns, lines)
        self.settings_before = termios.tcgetattr(slave)
        self.output = b""
        self.slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(environ),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.hang_up()
        self.process.wait()

    def read_for(self, seconds: float, until: Callable[[bytes], bool] = lambda _: False) -> bool:
        """Read what the program writes, for some time or until the output so far is as wanted."""
        end = time.monotonic() + seconds
        while not until(self.output):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                return until(self.output)
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                return until(self.output)
        return True

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def settings(self) -> list[object]:
        """The terminal's settings now."""
        return list(termios.tcgetattr(self.slave))

    def resize(self, *, columns: int, lines: int) -> None:
        """Change the window's size."""
        _set_size(self.slave, columns, lines)

    def hang_up(self) -> None:
        """Close the terminal."""
        for descriptor in (self.slave, self.master):
            if descriptor >= 0:
                os.close(descriptor)
        self.slave = self.master = -1


def _set_size(terminal: int, columns: int, lines: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
