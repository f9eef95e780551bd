"""Usage live: from a response in an agent's log to the event in a client's hands, by agent and rate.

Method: a daemon with a home full of logs, all read; one client follows its stream. A log grows by one response after
another at random moments, on average as often as the rate says; the time from the writing to the event that counts the
response is taken, on one clock. An event counts several responses when they come fast.
"""

import argparse
import json
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.support.daemon import ChildDaemon
from benchmarks.support.importing import wait_until_read
from benchmarks.support.live_logs import AGENTS, Append
from benchmarks.support.watching import Waited, cpu_seconds, waited
from tests.support.corpus.generate import Options, write_corpus

RESPONSES = 20_000
RATES = {2.0: 60, 10.0: 200, 50.0: 500}
"""Responses a second, and how many."""
LAST_SECONDS = 10.0
"""How long the last response may take; an agent whose first does is not read."""


class _Data(msgspec.Struct):
    responses: int = 0
    imported: bool = False


class _Event(msgspec.Struct):
    type: str
    data: _Data


class Told:
    """Follows the stream in a thread and notes when each response was counted."""

    def __init__(self, port: int) -> None:
        self.at: list[float] = []
        self._connection = connect(f"ws://127.0.0.1:{port}/ws?events=UsageUpdated", proxy=None)
        self._thread = threading.Thread(target=self._follow, name="follow")
        self._thread.start()

    def close(self) -> None:
        self._connection.close()
        self._thread.join()

    def wait_for(self, responses: int) -> bool:
        """Whether so many were counted in time."""
        until = time.perf_counter() + LAST_SECONDS
        while len(self.at) < responses and time.perf_counter() < until:
            time.sleep(0.01)
        return len(self.at) >= responses

    def _follow(self) -> None:
        decoder = msgspec.json.Decoder(_Event)
        try:
            for frame in self._connection:
                now = time.perf_counter()
                event = decoder.decode(frame)
                if not event.data.imported:
                    self.at.extend([now] * event.data.responses)
        except ConnectionClosed:
            return


def run(append: Append, told: Told, rate: float, responses: int) -> Waited | None:
    """Write at random moments; answer how long the events took, None where none came."""
    random = Random(rate)  # noqa: S311  # moments, not secrets
    known = len(told.at)
    written = []
    due = time.perf_counter()
    for _ in range(responses):
        due += random.expovariate(rate)
        time.sleep(max(0.0, due - time.perf_counter()))
        written.append(time.perf_counter())
        append()
        if len(written) == 1 and not told.wait_for(known + 1):
            return None
        due = max(due, time.perf_counter()) if len(written) == 1 else due
    if not told.wait_for(known + responses):
        raise RuntimeError(f"{len(told.at) - known} of {responses} responses were told")
    return waited([(at - began) * 1000 for at, began in zip(told.at[known:], written, strict=True)])


def measure(agents: tuple[str, ...]) -> Iterator[tuple[str, float, Waited | None, float]]:
    """Answer agent, rate, waiting times, and the daemon's CPU milliseconds a response."""
    with tempfile.TemporaryDirectory(prefix="clown-bench-") as folder:
        home = Path(folder) / "somebody"
        read = tuple(agent for agent in ("claude", "codex", "gemini") if agent in agents)
        write_corpus(home, Options(agents=read, responses=RESPONSES))
        appends = {agent: AGENTS[agent](home) for agent in agents}
        daemon = ChildDaemon(Path(folder), HOME=str(home))
        daemon.start()
        try:
            wait_until_read(daemon)
            told = Told(daemon.port)
            for agent, append in appends.items():
                for rate, responses in RATES.items():
                    before = cpu_seconds(daemon.pid)
                    waiting = run(append, told, rate, responses)
                    used = (cpu_seconds(daemon.pid) - before) / responses
                    yield agent, rate, waiting, round(used * 1000, 2)
                    if waiting is None:
                        break
            told.close()
        finally:
            daemon.kill(signal.SIGTERM)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--agents", nargs="*", default=list(AGENTS))
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    if not options.json:
        print(__doc__)
    for agent, rate, waiting, cpu_ms in measure(tuple(options.agents)):
        name = f"{agent}_{rate:g}"
        figures[name] = None if waiting is None else {**waiting._asdict(), "cpu_ms": cpu_ms}
        if not options.json:
            told = "not read" if waiting is None else f"p50 {waiting.p50_ms} ms   p99 {waiting.p99_ms} ms"
            longest = "" if waiting is None else f"   longest {waiting.longest_ms} ms   {cpu_ms} ms of CPU each"
            print(f"{agent:>9} at {rate:>4g}/s: {told}{longest}", flush=True)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
