"""Runs a program that owns the user's terminal as the user's shell would: in the foreground, with job control.

Two processes stand between the user and the program: the caller, which the user started and may kill, and the waiter
(`processes.waiter`), forked from it before there is any thread. The caller passes signals on, stops its whole job when
the program is stopped, and ends as the program did.
"""

import contextlib
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from clown_daemon.errors import ClownError
from clown_daemon.processes.child import spawn_error
from clown_daemon.processes.signals import PASSED_ON, caught, read_numbers
from clown_daemon.processes.waiter import Order, Report, Watcher, wait


class WaiterLostError(ClownError):
    """The waiter was killed: nobody knows how the program ends."""


class Terminal:
    """The user's terminal, ready for one program. Open it before there is any thread; use it with `with`.

    Args:
        watcher: is told how the program fares, in the waiter.
    """

    def __init__(self, watcher: Watcher) -> None:
        orders, self._orders = os.pipe()
        self._reports, reports = os.pipe()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody can wait for a child
        group = os.getpgrp()
        self._waiter = os.fork()
        if self._waiter == 0:
            os.close(self._orders)
            os.close(self._reports)
            _be_waiter(orders, reports, group, watcher)
        os.close(orders)
        os.close(reports)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Without an order the waiter ends now; with one it has, or was lost."""
        os.close(self._orders)
        os.close(self._reports)
        os.waitpid(self._waiter, 0)

    def run(self, order: Order) -> int:
        """Run a program to its end; answer its exit status, or minus the signal that ended it.

        Raises:
            SpawnError: it could not be started.
            WaiterLostError: somebody killed the waiter.
        """
        program: int | None = None
        with caught((*PASSED_ON, signal.SIGCONT)) as signals:
            _write(self._orders, order.encode())
            for report in self._told(signals):
                match report.what:
                    case "began":
                        program = report.number
                    case "stopped":
                        self._stop_job()
                    case "ended":
                        return report.number
                    case "failed":
                        error = OSError(report.number, os.strerror(report.number), report.file)
                        raise spawn_error(order.argv[0], order.working_dir, error) from error
        if program is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program, signal.SIGHUP)
        raise WaiterLostError(f"the process that looked after {order.argv[0]} was killed; how that ends is not known")

    def _told(self, signals: int) -> Iterator[Report]:
        """Pass signals on, and answer the waiter's reports until there are no more."""
        text = b""
        while True:
            ready, _, _ = select.select([signals, self._reports], [], [])
            if signals in ready:
                for number in read_numbers(signals):
                    self._pass_on(number)
            if self._reports not in ready:
                continue
            data = os.read(self._reports, 4096)
            if not data:
                return
            *lines, text = (text + data).split(b"\n")
            yield from map(Report.decode, lines)

    def _pass_on(self, number: int) -> None:
        os.kill(self._waiter, number)  # it is no other process: nobody has waited for it yet

    def _stop_job(self) -> None:
        """Stop the whole job, as the key would have, until the shell wakes it; then wake the program.

        Where stopping is not possible (no shell could wake it), the program is woken at once.
        """
        handler = signal.getsignal(signal.SIGTSTP)
        if handler is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.killpg(0, signal.SIGTSTP)  # this process stands still here
            signal.signal(signal.SIGTSTP, handler)
        self._pass_on(signal.SIGCONT)


def end_like(exit_code: int) -> int:
    """End this process as the program ended: answer its exit status, or die of the same signal."""
    if exit_code >= 0:
        return exit_code
    number = -exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # a core file of this process would say nothing of the program
    with contextlib.suppress(OSError):  # KILL and STOP cannot be handled anyway
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # where a signal does not end a process: what shells say of one that did


def _be_waiter(orders: int, reports: int, group: int, watcher: Watcher) -> None:
    """Never return: what belongs to the caller, its clean-up too, is not done twice."""
    try:
        wait(orders, reports, group, watcher)
    except BaseException:  # noqa: BLE001  # the process ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb", closefd=False) as pipe:
        pipe.write(data)
