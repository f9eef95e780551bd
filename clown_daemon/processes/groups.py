"""Process groups and the identity of processes, as the kernel tells them. All of it may read /proc: call off the loop.

A pid alone names nobody: the kernel gives it again. A process is known by its pid and the time it started.
"""

import os
import signal

import psutil

START_TOLERANCE_SECONDS = 2.0
"""Start times are counted from the boot, and the wall time of that is corrected now and then."""


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; one that is gone is no error."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:
        # Some systems answer this for a group of which only a zombie is left.
        return


def group_is_alive(group: int) -> bool:
    """Whether any process of the group still runs; zombies do not count, whoever has to reap them."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return any(_is_member(pid, group) for pid in psutil.pids())


def _is_member(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


def start_time(pid: int) -> float | None:
    """When a process started, epoch seconds; None when it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_same_process(pid: int, process_start: float) -> bool:
    """Whether the process of that pid is the one that started then, leads its own group, and still runs."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - process_start) <= START_TOLERANCE_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE and os.getpgid(pid) == pid
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


def find_leader(variable: str, value: str) -> int | None:
    """Find the group leader of this user that was started with a variable of its environment set to a value."""
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == process.pid and process.environ().get(variable) == value:
                return int(process.pid)
        except (OSError, psutil.Error):
            continue
    return None
