"""What a daemon costs while it works: its memory and its workers', its CPU, and how long others wait for its answers.

Everything is read from outside: `/proc` and HTTP. Memory that processes share is counted once (PSS).
"""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import psutil

EVERY_SECONDS = 0.02
MEMORY_EVERY_SECONDS = 0.1


class Waited(NamedTuple):
    """How long answers took, in milliseconds."""

    calls: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


def waited(taken: list[float]) -> Waited:
    """Sum up times in milliseconds."""
    ordered = sorted(taken) or [0.0]
    at = len(ordered) - 1
    return Waited(len(taken), round(ordered[at // 2], 2), round(ordered[at * 99 // 100], 2), round(ordered[-1], 2))


class Prober:
    """Asks one address again and again, each time `EVERY_SECONDS` after the last time, or when that was answered."""

    def __init__(self, port: int, path: str) -> None:
        self.path = path
        self.taken: list[float] = []
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, name=f"ask {path}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._ended.is_set():
            began = time.perf_counter()
            connection.request("GET", self.path)
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 200, f"{self.path} answered {reply.status}"
            took = time.perf_counter() - began
            self.taken.append(took * 1000)
            self._ended.wait(max(0.0, EVERY_SECONDS - took))
        connection.close()


class Peaks:
    """The most memory that a daemon, and it with all its children, had at one moment."""

    def __init__(self, pid: int) -> None:
        self.shared_once_bytes = 0
        self.resident_bytes = 0
        self.daemon_resident_bytes = 0
        self.most_processes = 0
        self._daemon = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="peaks")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._ended.wait(MEMORY_EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        shared_once = resident = processes = 0
        for process in (self._daemon, *self._daemon.children(recursive=True)):
            with contextlib.suppress(OSError, psutil.Error):
                own, proportional = memory(process.pid)
                shared_once += proportional
                resident += own
                processes += 1
                if process is self._daemon:
                    self.daemon_resident_bytes = max(self.daemon_resident_bytes, own)
        self.shared_once_bytes = max(self.shared_once_bytes, shared_once)
        self.resident_bytes = max(self.resident_bytes, resident)
        self.most_processes = max(self.most_processes, processes)


def memory(pid: int) -> tuple[int, int]:
    """The resident memory of a process, and the same with shared pages divided among those who share them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in _fields(rollup) if rest.endswith("kB")}
    return sizes["Rss"], sizes["Pss"]


def _fields(rollup: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition(":") for line in rollup.splitlines())


def cpu_seconds(pid: int) -> float:
    """What a process and all its children have computed so far; children that ended count once they are waited for."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            own = child.cpu_times()
            total += own.user + own.system
    return total
