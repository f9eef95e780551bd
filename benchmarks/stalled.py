"""Stalled clients: what 100 clients that never read cost the daemon, and the 20 that do.

Method: a real daemon in a child process, 200 changes a second over HTTP (each a transaction with a commit to the disk),
20 clients that read everything. After a while 100 more connect with a receive buffer of 4 KiB and never read. Measured:
how long until the last of them is cut, how much the daemon's resident memory grows meanwhile, what the 20 miss, and
how late they get their events, from the begin of the transaction. Peer: the 20 in the seconds before. One more client
is stopped (SIGSTOP) for 60 seconds and goes on: it must resume from the log, without a snapshot and without a hole.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from array import array
from pathlib import Path

from benchmarks.support.daemon import ChildDaemon, child_daemon, resident_bytes
from benchmarks.support.processes import begin, end
from benchmarks.support.reader import Reader, percentile
from tests.support.raw_stream import RawStream

RATE = 200
HEALTHY = 20
STALLED = 100
CALM_SECONDS = 15
STOPPED_SECONDS = 60
CUT_SECONDS = 25
GROWTH_BYTES = 32 * 1024 * 1024
P99_MS = 50


async def measure() -> dict[str, float]:
    """Answer the figures; memory in bytes."""
    with tempfile.TemporaryDirectory() as folder, child_daemon(Path(folder)) as daemon:
        load = await begin("benchmarks.support.load", str(daemon.port), str(RATE))
        stopped = await begin("benchmarks.support.reader", str(daemon.port), says_ready=False)
        readers = [Reader(daemon.port) for _ in range(HEALTHY)]
        async with asyncio.TaskGroup() as tasks:
            for number, reader in enumerate(readers):
                tasks.create_task(reader.follow(), name=f"healthy.{number}")
            await asyncio.sleep(CALM_SECONDS)
            calm = _taken(readers)
            os.kill(stopped.pid, signal.SIGSTOP)
            began = time.monotonic()
            figures = await _stall(daemon)
            stalling = _taken(readers)
            await asyncio.sleep(max(0.0, began + STOPPED_SECONDS - time.monotonic()))
            os.kill(stopped.pid, signal.SIGCONT)
            await asyncio.sleep(5)
            loaded = await end(load)
            await asyncio.sleep(2)
            books = await end(stopped)
            for reader in readers:
                reader.close()
        head = int(daemon.metrics()["clown_log_head_seq"])
    return {
        "changes_failed": loaded["failed"],
        **figures,
        "calm_p50_ms": percentile(calm, 50),
        "calm_p99_ms": percentile(calm, 99),
        "p50_ms": percentile(stalling, 50),
        "p99_ms": percentile(stalling, 99),
        "max_ms": percentile(stalling, 100),
        "healthy_events": sum(reader.books.events for reader in readers),
        "healthy_lost": sum(reader.books.lost + head - (reader.seq or 0) for reader in readers),
        "healthy_doubled": sum(reader.books.doubled for reader in readers),
        "healthy_cut": sum(reader.books.connections - 1 for reader in readers),
        "stopped_connections": books["connections"],
        "stopped_resumed": books["resumed"],
        "stopped_restarted": len(books["restarted"]),
        "stopped_lost": books["lost"] + head - books["seq"],
        "stopped_doubled": books["doubled"],
    }


async def _stall(daemon: ChildDaemon) -> dict[str, float]:
    """Connect clients that never read, and wait until all of them are cut."""
    before = most = resident_bytes(daemon.pid)
    began = time.monotonic()
    clients = [RawStream(daemon.port, "?hello=1" if number % 2 else "") for number in range(STALLED)]
    first = last = 0.0
    cut = unsent = 0.0
    while cut < STALLED and time.monotonic() - began < 2 * CUT_SECONDS:
        await asyncio.sleep(0.2)
        most = max(most, resident_bytes(daemon.pid))
        facts = await asyncio.to_thread(daemon.metrics)
        cut, now = facts["clown_stream_stalled_total"], time.monotonic() - began
        unsent = max(unsent, facts["clown_stream_unsent_bytes"])
        first = first or now * (cut > 0)
        last = now
    for client in clients:
        client.socket.close()
    return {
        "cut": cut,
        "first_cut_seconds": round(first, 1),
        "last_cut_seconds": round(last, 1),
        "grown_bytes": most - before,
        "unsent_bytes": unsent,
    }


def _taken(readers: list[Reader]) -> "array[float]":
    """The latencies since the last time, sorted."""
    taken = array("d")
    for reader in readers:
        taken.extend(reader.books.latencies_ms)
        reader.books.latencies_ms = array("d")
    return array("d", sorted(taken))


def verdict(figures: dict[str, float]) -> list[str]:
    """What was missed, in sentences."""
    lost = ("changes_failed", "healthy_lost", "healthy_doubled", "healthy_cut")
    stopped = ("stopped_restarted", "stopped_lost", "stopped_doubled")
    missed = [f"{name} is {figures[name]:g}, not 0" for name in (*lost, *stopped) if figures[name]]
    if figures["cut"] < STALLED or figures["last_cut_seconds"] > CUT_SECONDS:
        missed.append(f"{figures['cut']:g} of {STALLED} were cut within {figures['last_cut_seconds']} s")
    if figures["grown_bytes"] > GROWTH_BYTES:
        missed.append(f"memory grew by {figures['grown_bytes'] / 2**20:.1f} MiB")
    if figures["p99_ms"] > P99_MS:
        missed.append(f"p99 is {figures['p99_ms']:.1f} ms")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    as_json = parser.parse_args().json
    figures = asyncio.run(measure())
    missed = verdict(figures)
    if as_json:
        print(json.dumps(figures))
        return bool(missed)
    print(__doc__)
    print(f"stalled: {figures['cut']:g} of {STALLED} cut, {figures['first_cut_seconds']} to", end=" ")
    print(f"{figures['last_cut_seconds']} s after they came; target {CUT_SECONDS} s")
    print(f"memory: grew by {figures['grown_bytes'] / 2**20:.1f} MiB; target {GROWTH_BYTES / 2**20:.0f} MiB")
    print(f"healthy: p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms, target {P99_MS} ms", end=" ")
    print(f"(before: {figures['calm_p50_ms']:.1f} and {figures['calm_p99_ms']:.1f} ms);", end=" ")
    print(f"{figures['healthy_events']:,} deliveries, {figures['healthy_lost']:g} lost")
    print(f"stopped for {STOPPED_SECONDS} s: {figures['stopped_connections']:g} connections,", end=" ")
    print(f"{figures['stopped_resumed']:g} resumed, {figures['stopped_lost']:g} lost")
    print("\n" + ("missed: " + "; ".join(missed) if missed else "all targets are met"))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
