"""The waiter: the parent of a program that owns the user's terminal, in a process of its own.

It knows the program's exit code also when whoever the user called is killed (`processes.terminal`). Program and waiter
are process groups of their own: what the user's shell or terminal does to its job reaches the caller alone, which
passes it on, so that nothing reaches the program twice. The waiter gets its order through a pipe that the caller holds
open as long as it lives, and reports through another.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from clown_daemon.processes.foreground import Foreground
from clown_daemon.processes.signals import PASSED_ON, Handler, caught, read_numbers

TERMINAL_WANTED = frozenset({signal.SIGTTIN, signal.SIGTTOU})
"""What stops a program in the background that reads or sets the terminal."""


class Order(NamedTuple):
    """What to start."""

    label: str
    """Names it to the watcher."""
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    """All of it."""
    working_dir: Path

    def encode(self) -> bytes:
        """Write it as one line."""
        return json.dumps([self.label, self.argv, dict(self.environ), str(self.working_dir)]).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "Order":
        """Read what `encode` wrote."""
        label, argv, environ, working_dir = json.loads(line)
        return cls(label, tuple(argv), environ, Path(working_dir))


class Report(NamedTuple):
    """What the caller is told."""

    what: Literal["began", "stopped", "ended", "failed"]
    number: int = 0
    """`began`: the pid. `ended`: the exit status, or minus the signal. `failed`: the kernel's error number."""
    file: str | None = None
    """`failed`: which one the kernel means."""

    def encode(self) -> bytes:
        """Write it as one line."""
        return json.dumps(self).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "Report":
        """Read what `encode` wrote."""
        return cls(*json.loads(line))


class Watcher(Protocol):
    """Is told how the program fares, in the waiter."""

    def began(self, label: str, pid: int) -> None:
        """The program runs and leads a process group of its own. Must not wait: nobody minds the program meanwhile."""

    def ended(self, label: str, pid: int, exit_code: int) -> None:
        """The program has ended: with this exit status, or by the signal of minus this number."""


def wait(orders: int, reports: int, caller_group: int, watcher: Watcher) -> None:
    """Be the waiter: start what is ordered, and return once it has ended and that was reported.

    Args:
        orders: the order comes from here; the end of this pipe is the end of the caller.
        reports: where the caller reads.
        caller_group: the caller's process group.
        watcher: is told everything, whether the caller lives or not.
    """
    os.setpgid(0, 0)
    own = {number: signal.signal(number, signal.SIG_IGN) for number in TERMINAL_WANTED}
    with caught((*PASSED_ON, signal.SIGCHLD, signal.SIGCONT)) as signals:
        with open(orders, "rb", closefd=False) as pipe:
            line = pipe.readline()
        if not line.endswith(b"\n"):
            return  # the caller gave up
        order = Order.decode(line)
        minding = _Minding(Foreground(caller_group), signals, orders, reports)
        try:
            program = minding.spawn(order, own)
        except OSError as error:
            _tell(reports, Report("failed", error.errno or 0, error.filename))
            return
        _let_go_of_pipes()
        _tell(reports, Report("began", program.pid))
        watcher.began(order.label, program.pid)
        program.returncode = minding.mind(program.pid)
    watcher.ended(order.label, program.pid, program.returncode)
    _tell(reports, Report("ended", program.returncode))


class _Minding:
    """Looks after the program as a shell does: terminal, signals, stops, until its end."""

    def __init__(self, foreground: Foreground, signals: int, orders: int, reports: int) -> None:
        self._foreground = foreground
        self._signals = signals
        self._orders = orders
        self._reports = reports
        self._watched = [signals, orders]
        # In a pipeline (`clown run work | less`) the terminal may be another's; the program gets it when it asks.
        self._lends = os.isatty(0) and os.isatty(1)

    def spawn(self, order: Order, own: Mapping[signal.Signals, Handler]) -> "subprocess.Popen[bytes]":
        """Start the program, in the foreground if it is to be there.

        Args:
            order: what to start.
            own: how the program is to find the signals that are ignored here.

        Raises:
            OSError: it cannot be started.
        """

        def prepare() -> None:
            if self._lends:  # before the program can ask for it
                self._foreground.lend(os.getpid())
            for number, handler in own.items():
                signal.signal(number, handler)

        return subprocess.Popen(  # noqa: S603  # what the user asked for
            order.argv,
            env=order.environ,
            cwd=order.working_dir,
            process_group=0,
            preexec_fn=prepare,  # noqa: PLW1509  # there are no threads here yet
            close_fds=False,  # the user's `<(...)` is an open file; ours are all closed by the kernel
        )

    def mind(self, pid: int) -> int:
        """Return the exit code, or minus the signal, once the program has ended and the terminal is taken back."""
        while True:
            ready, _, _ = select.select(self._watched, [], [])
            if self._orders in ready:
                self._hang_up(pid)
            if self._signals not in ready:
                continue
            for number in read_numbers(self._signals):
                if number == signal.SIGCHLD:
                    exit_code = self._look(pid)
                    if exit_code is not None:
                        self._foreground.take_back(pid)
                        return exit_code
                elif number == signal.SIGCONT:
                    self._go_on(pid)
                else:
                    _signal(pid, number)

    @property
    def _caller_lives(self) -> bool:
        return self._orders in self._watched

    def _look(self, pid: int) -> int | None:
        """See whether the program stopped or ended; answer its exit code in the latter case."""
        while True:
            found, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
            if found != pid:
                return None
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            self._stopped(pid, os.WSTOPSIG(status))

    def _stopped(self, pid: int, number: int) -> None:
        if not self._caller_lives:
            _signal(pid, signal.SIGKILL)  # nobody can wake it any more
        elif number in TERMINAL_WANTED and self._foreground.lend(pid):
            self._lends = True
            _signal(pid, signal.SIGCONT)
        else:
            self._foreground.take_back(pid)
            _tell(self._reports, Report("stopped"))

    def _go_on(self, pid: int) -> None:
        if self._lends:
            self._foreground.lend(pid)  # unless the shell woke its job in the background
        _signal(pid, signal.SIGCONT)

    def _hang_up(self, pid: int) -> None:
        """The caller is gone, and with it whoever would take the terminal back."""
        self._watched.remove(self._orders)
        _signal(pid, signal.SIGHUP)
        _signal(pid, signal.SIGCONT)


def _let_go_of_pipes() -> None:
    """Who reads what the program prints must see its end with the program's, and who writes to it too."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _tell(reports: int, report: Report) -> None:
    with contextlib.suppress(BrokenPipeError):  # the caller is gone
        os.write(reports, report.encode())
