"""Soak: does the daemon's memory, or anything else that it holds, grow with time.

Method: a real daemon in a child process, 200 changes a second over HTTP, 20 places for clients that come and leave at
random: plain, extended, cut and resuming, and such that stop reading. The log is kept so small that pruning is at work
for most of the run. Every 10 s the daemon's resident memory, files, threads and tasks are written down. The first third
warms up: the ring and the log fill. Of the rest, the median of the last quarter is compared with that of the first. In
the end everybody leaves, and what is held then is compared with what was held before anybody came.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.support.daemon import ChildDaemon, child_daemon
from benchmarks.support.processes import begin, end
from benchmarks.support.reader import Reader

RATE = 200
PLACES = 20
MINUTES = 30.0
SAMPLE_SECONDS = 10
SETTLE_SECONDS = 20
DRIFT_BYTES = 5 * 1024 * 1024
"""The most that memory may grow."""
LEAKED = 2
"""The most files and tasks that may be left over: a pooled HTTP connection is on its way out."""
STAYS_SECONDS = (1.0, 40.0)
SAMPLED = {
    "rss": "process_resident_memory_bytes",
    "fds": "process_open_fds",
    "threads": "process_threads",
    "tasks": "clown_tasks",
    "clients": "clown_stream_clients",
    "ring_events": "clown_ring_events",
    "log_events": "clown_log_events",
    "database_bytes": "clown_database_bytes",
}

Sample = dict[str, float]


class Visitors:
    """Clients that come and leave; the books of those that read are added up."""

    def __init__(self, port: int, dice: random.Random) -> None:
        self._port = port
        self._dice = dice
        self.came = dict.fromkeys(("plain", "extended", "resuming", "stalled"), 0)
        self.events = 0
        self.lost = 0
        self.doubled = 0
        self.restarted: list[str] = []

    async def fill_place(self, ends_at: float) -> None:
        """Let one client after the other take this place."""
        while (left := ends_at - time.monotonic()) > 0:
            kind = self._dice.choice(tuple(self.came))
            self.came[kind] += 1
            stays = min(left, self._dice.uniform(*STAYS_SECONDS))
            reader = Reader(self._port, plain=kind == "plain", receive_buffer=4096 if kind == "stalled" else None)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reader.follow(), name=f"visitor.{kind}")
                await self._stay(reader, kind, stays)
                reader.close()
            self.events += reader.books.events
            self.lost += reader.books.lost
            self.doubled += reader.books.doubled
            self.restarted += reader.books.restarted

    async def _stay(self, reader: Reader, kind: str, seconds: float) -> None:
        if kind == "stalled":
            await asyncio.sleep(seconds / 10)
            reader.pause()
            await asyncio.sleep(seconds * 0.9)
        elif kind == "resuming":
            for _ in range(5):
                await asyncio.sleep(seconds / 5)
                reader.cut()
        else:
            await asyncio.sleep(seconds)


async def measure(minutes: float, seed: int) -> tuple[dict[str, float], list[Sample]]:
    """Answer the figures and the samples; memory in bytes."""
    seconds = minutes * 60
    # Full at a quarter of the run, so that the rest of it prunes.
    kept = max(1000, int(RATE * seconds / 4))
    with (
        tempfile.TemporaryDirectory() as folder,
        child_daemon(Path(folder), CLOWN_RETENTION_EVENTS=str(kept)) as daemon,
    ):
        visitors = Visitors(daemon.port, random.Random(seed))  # noqa: S311  # repeatable, no secret
        # A first short visit: what is opened once and for all, such as the watch over the profiles' folders, is open.
        await end(await begin("benchmarks.support.load", str(daemon.port), str(RATE)))
        await asyncio.sleep(SETTLE_SECONDS)
        before = _sample(daemon, 0)
        load = await begin("benchmarks.support.load", str(daemon.port), str(RATE))
        began = time.monotonic()
        samples: list[Sample] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(PLACES):
                tasks.create_task(visitors.fill_place(began + seconds), name=f"place.{number}")
            while (now := time.monotonic() - began) < seconds:
                samples.append(await asyncio.to_thread(_sample, daemon, now))
                await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 30))
        loaded = await end(load)
        # A close is waited for, and an idle HTTP connection is kept for a while.
        await asyncio.sleep(SETTLE_SECONDS)
        after = _sample(daemon, seconds)
    figures = {
        "minutes": minutes,
        "changes": loaded["calls"],
        "changes_failed": loaded["failed"],
        "changes_per_second": round(loaded["calls"] / seconds, 1),
        **{f"came_{kind}": count for kind, count in visitors.came.items()},
        "deliveries": visitors.events,
        "lost": visitors.lost,
        "doubled": visitors.doubled,
        "restarted": len(visitors.restarted),
        **compare(samples),
        **{f"{name}_left": after[name] - before[name] for name in ("fds", "threads", "tasks", "clients")},
    }
    return figures, samples


def compare(samples: list[Sample]) -> dict[str, float]:
    """By how much the median of the last quarter differs from that of the first after the warm-up."""
    warm = samples[len(samples) // 3 :]
    quarter = max(1, len(warm) // 4)
    figures: dict[str, float] = {"rss_max": max(sample["rss"] for sample in samples)}
    for name in ("rss", "fds", "threads", "tasks"):
        first = statistics.median(sample[name] for sample in warm[:quarter])
        last = statistics.median(sample[name] for sample in warm[-quarter:])
        figures |= {f"{name}_first": first, f"{name}_last": last, f"{name}_drift": last - first}
    for name in ("ring_events", "log_events"):
        figures[f"{name}_first"] = warm[0][name]
        figures[f"{name}_last"] = warm[-1][name]
    return figures


def _sample(daemon: ChildDaemon, seconds: float) -> Sample:
    facts = daemon.metrics()
    return {"seconds": round(seconds, 1), **{name: facts[metric] for name, metric in SAMPLED.items()}}


def verdict(figures: dict[str, float]) -> list[str]:
    """What was missed, in sentences."""
    wrong = [f"{name} is {figures[name]:g}, not 0" for name in ("changes_failed", "lost", "doubled") if figures[name]]
    if figures["rss_drift"] > DRIFT_BYTES:
        wrong.append(f"memory drifted by {figures['rss_drift'] / 2**20:.1f} MiB")
    if figures["clients_left"]:
        wrong.append(f"{figures['clients_left']:g} clients are left")
    wrong += [f"{figures[n]:g} more {n}" for n in ("fds_left", "threads_left", "tasks_left") if figures[n] > LEAKED]
    if figures["log_events_last"] > figures["log_events_first"] * 1.2:
        wrong.append("the log was still growing: run it for longer")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="who comes and leaves when")
    parser.add_argument("--json", action="store_true", help="one object of figures, with the samples")
    options = parser.parse_args()
    figures, samples = asyncio.run(measure(options.minutes, options.seed))
    wrong = verdict(figures)
    if options.json:
        print(json.dumps({**figures, "samples": samples}))
        return bool(wrong)
    print(__doc__)
    print("  minute     RSS   files  threads  tasks  clients    ring     log")
    for one in samples[:: max(1, len(samples) // 30)]:
        print(f"{one['seconds'] / 60:>8.1f} {one['rss'] / 2**20:>6.1f}M", end="")
        print(f" {one['fds']:>6g} {one['threads']:>8g} {one['tasks']:>6g} {one['clients']:>8g}", end="")
        print(f" {one['ring_events']:>7g} {one['log_events']:>7g}")
    print()
    for name, value in figures.items():
        print(f"{name:>20} {value:,.10g}")
    print("\n" + ("missed: " + "; ".join(wrong) if wrong else "all targets are met"))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
