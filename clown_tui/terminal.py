"""Dying with the terminal.

A dashboard whose terminal is gone would read end-of-file for ever at full speed, and an ignored SIGHUP is inherited
(`nohup`, some multiplexers). So SIGHUP ends the process, and a thread looks at the terminal each second in case the
signal never comes. Both leave hard: there is nobody left to restore a terminal for.
"""

import contextlib
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from types import FrameType

EXIT_HUNG_UP = 128 + signal.SIGHUP
_CHECK_SECONDS = 1.0


@contextlib.contextmanager
def guarded_terminal(*, leave: Callable[[int], None] = os._exit) -> Iterator[None]:
    """While inside, die when the terminal does; at the end, put the terminal's settings back as they were."""
    descriptor = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
    before = _settings(descriptor)
    done = threading.Event()

    def hung_up(_number: int, _frame: FrameType | None) -> None:
        leave(EXIT_HUNG_UP)

    previous = signal.signal(signal.SIGHUP, hung_up)
    watcher = threading.Thread(target=_watch, args=(descriptor, done, leave), name="terminal-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        signal.signal(signal.SIGHUP, previous)
        if before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _settings(descriptor: int) -> "termios._AttrReturn | None":
    try:
        return termios.tcgetattr(descriptor)
    except termios.error:
        return None


def _watch(descriptor: int, done: threading.Event, leave: Callable[[int], None]) -> None:
    while not done.wait(_CHECK_SECONDS):
        if _is_gone(descriptor):
            leave(EXIT_HUNG_UP)


def _is_gone(descriptor: int) -> bool:
    # isatty alone still says yes on some systems after a hang-up; asking for the settings does not.
    if not os.isatty(descriptor):
        return True
    return _settings(descriptor) is None
