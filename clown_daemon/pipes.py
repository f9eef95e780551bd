"""Standard output that nobody reads any more, as in `clown-daemon status | head -1`: a reason to end, not an error.

What is printed reaches the pipe when the buffer is flushed, so the flush is a part of printing. Left to the end of the
interpreter, a broken pipe is a complaint on standard error and exit code 120.
"""

import contextlib
import sys
from collections.abc import Callable

EXIT_OK = 0


def until_nobody_reads(program: Callable[[], int]) -> int:
    """Run a program that prints, flush what it printed, and answer its exit code; 0 where the reader has gone."""
    try:
        try:
            return program()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        sys.stdout = None  # the interpreter skips a missing stream when it flushes at exit
        return EXIT_OK
