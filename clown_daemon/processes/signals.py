"""Catching signals in a program without an event loop: they are read from a descriptor, one byte each, in their order.

Nothing is done in a handler, so a loop over `select` sees a signal at a place of its own choosing. Main thread alone.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None
"""How a signal is handled, as the standard library says it."""

PASSED_ON = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGTSTP,
)
"""What somebody who signals a command means for the program that it runs."""


@contextlib.contextmanager
def caught(numbers: Iterable[signal.Signals]) -> Iterator[int]:
    """Catch signals and answer the descriptor that tells their numbers; what is ignored (`nohup`) stays ignored."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handlers = {number: signal.getsignal(number) for number in numbers}
    replaced = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in replaced:
        signal.signal(number, _nothing)
    try:
        yield reader
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        os.close(reader)
        os.close(writer)


def read_numbers(descriptor: int) -> list[int]:
    """The signals that came, oldest first; for a descriptor of `caught` that is readable."""
    return list(os.read(descriptor, 4096))


def _nothing(number: int, frame: object) -> None:
    """A signal without a handler would not reach the descriptor."""
