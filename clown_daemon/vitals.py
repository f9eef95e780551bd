"""How the process itself is doing: its memory, files, threads and tasks, and how late its event loop is."""

import asyncio
from typing import NamedTuple

import psutil

from clown_daemon.histogram import Histogram

LAG_SAMPLE_SECONDS = 1.0
"""How often the loop's lag is measured: one wake-up a second, which costs nothing that could be measured."""


class ProcessFacts(NamedTuple):
    """What the operating system says of this process."""

    resident_bytes: int
    open_files: int
    threads: int
    cpu_seconds: float
    started_seconds: float
    """Since the epoch."""


def process_facts() -> ProcessFacts:
    """Ask the operating system."""
    process = psutil.Process()
    with process.oneshot():
        cpu = process.cpu_times()
        return ProcessFacts(
            resident_bytes=process.memory_info().rss,
            open_files=process.num_fds(),
            threads=process.num_threads(),
            cpu_seconds=cpu.user + cpu.system,
            started_seconds=process.create_time(),
        )


async def watch_lag(lag: Histogram) -> None:
    """Measure for ever how much later than asked the event loop wakes a task."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_SAMPLE_SECONDS
        await asyncio.sleep(LAG_SAMPLE_SECONDS)
        # The clock of the loop is coarser than a timer may be early.
        lag.observe(max(0.0, loop.time() - due))
