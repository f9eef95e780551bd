"""The foreground of the controlling terminal: lent to a program in a process group of its own, and taken back.

Only the group in the foreground may read the terminal and gets its keys as signals. Source: POSIX.1, "General Terminal
Interface"; the C library manual, "Implementing a Job Control Shell".
"""

import contextlib
import os


class Foreground:
    """Who has the terminal. Without a controlling terminal nobody has it, and nothing here does anything.

    Whoever uses this must ignore SIGTTOU: the kernel stops who gives the terminal away from the background.

    Args:
        lender: the process group that lends it, a job of the user's shell.
    """

    def __init__(self, lender: int) -> None:
        self._lender = lender
        self._terminal: int | None = None
        with contextlib.suppress(OSError):
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)

    def lend(self, group: int) -> bool:
        """Give it to a group, if the lender has it; answer whether the group has it now."""
        if self._owner() == self._lender:
            self._give(group)
        return self._owner() == group

    def take_back(self, group: int) -> None:
        """Give it back to the lender, if the group still has it."""
        if self._owner() == group:
            self._give(self._lender)

    def _owner(self) -> int | None:
        if self._terminal is None:
            return None
        try:
            return os.tcgetpgrp(self._terminal)
        except OSError:  # it was hung up
            return None

    def _give(self, group: int) -> None:
        if self._terminal is not None:
            with contextlib.suppress(OSError):  # the terminal is gone, or everybody of the group
                os.tcsetpgrp(self._terminal, group)
