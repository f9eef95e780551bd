"""A process that reads logs for the daemon: `python -m clown_daemon.usage.worker`, jobs on stdin, records on stdout.

It imports no more than it needs, keeps nothing between jobs, and ends with its stdin, so a daemon that was killed
leaves nobody behind. Who reads its stdout slowly makes it wait, not grow.
"""

import gc
import os
import signal
import sys
from typing import BinaryIO

from clown_daemon.usage.frames import READY, decode_job, decode_setup, framed, read_frame
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.reader import read_logs

NICENESS = 5
"""Whoever works on this machine goes first, the daemon itself too."""


def work(jobs: BinaryIO, records: BinaryIO) -> None:
    """Do jobs until there are no more."""
    setup = read_frame(jobs.read)
    if setup is None:
        return
    prices = PriceList(decode_setup(setup).prices)
    _send(records, framed(READY))
    while (job := read_frame(jobs.read)) is not None:
        for answer in read_logs(decode_job(job).tasks, prices.cost):
            _send(records, framed(answer, answer.finished))


def _send(records: BinaryIO, frame: bytes) -> None:
    records.write(frame)
    records.flush()


def main() -> None:
    """Be the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon is told as well, and closes our stdin
    os.nice(NICENESS)
    gc.disable()  # records hold no cycles
    try:
        work(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        # The daemon is gone; what Python would still flush has no reader either.
        os._exit(0)


if __name__ == "__main__":
    main()
