"""Pruning: how long a change waits for the writer while a full event log is pruned, against the same without pruning.

Method: the real store in a temporary folder, 100,000 events of about 600 bytes, a new event every 2 ms from one task,
each waited for. `alone`: nothing else. `pruning`: while half of the log is pruned as the daemon does it, with the space
given back. `count`: the one reading after a start that adds up the bytes.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from clown_daemon.clock import SystemClock
from clown_daemon.protocol.events import ProxyError
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.retention import Limits, Pruner

EVENTS = 100_000
AT_ONCE = 1_000
REST_SECONDS = 0.002
ALONE_ROUNDS = 1_000
TEXT = "e" * 400


def fill(transaction: Transaction) -> None:
    """Record some events in one go."""
    for _ in range(AT_ONCE):
        transaction.record(ProxyError(profile="work", error=TEXT), None)


async def one_change(database: Database) -> float:
    """Answer how many milliseconds one event took."""
    began = time.perf_counter()
    await database.write(lambda transaction: transaction.record(ProxyError(profile="work", error=TEXT), None))
    return (time.perf_counter() - began) * 1000


async def measure() -> dict[str, float]:
    """Answer times in milliseconds, and sizes in megabytes."""
    clock = SystemClock("UTC")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clown.db"
        database = await open_database(file, clock)
        for _ in range(EVENTS // AT_ONCE):
            await database.write(fill)
        alone = []
        for _ in range(ALONE_ROUNDS):
            alone.append(await one_change(database))
            await asyncio.sleep(REST_SECONDS)
        all_stay = Pruner(database=database, clock=clock, limits=Limits(10**9, 10**12, 10**12))
        began = time.perf_counter()
        await all_stay.prune()
        count = time.perf_counter() - began
        full = file.stat().st_size
        pruner = Pruner(database=database, clock=clock, limits=Limits(EVENTS // 2, 10**12, 10**12))
        began = time.perf_counter()
        pruning = asyncio.create_task(pruner.prune(), name="prune")
        meanwhile = []
        while not pruning.done():
            meanwhile.append(await one_change(database))
            await asyncio.sleep(REST_SECONDS)
        took = time.perf_counter() - began
        pruned = pruning.result()
        await database.close()
        left = file.stat().st_size
    return {
        "pruned": pruned,
        "took_ms": round(took * 1000, 1),
        "count_ms": round(count * 1000, 1),
        **_told("alone", alone),
        **_told("pruning", meanwhile),
        "file_before_mb": round(full / 1e6, 1),
        "file_after_mb": round(left / 1e6, 1),
    }


def _told(name: str, taken: list[float]) -> dict[str, float]:
    taken = sorted(taken)
    return {
        f"{name}_p50_ms": round(taken[len(taken) // 2], 2),
        f"{name}_p99_ms": round(taken[len(taken) * 99 // 100], 2),
        f"{name}_longest_ms": round(taken[-1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    as_json = parser.parse_args().json
    figures = asyncio.run(measure())
    if as_json:
        print(json.dumps(figures))
        return
    print(__doc__)
    for name in ("alone", "pruning"):
        print(
            f"{name:>9}: p50 {figures[f'{name}_p50_ms']} ms   p99 {figures[f'{name}_p99_ms']} ms"
            f"   longest {figures[f'{name}_longest_ms']} ms"
        )
    print(
        f"   pruned: {figures['pruned']:,} events in {figures['took_ms']} ms, file {figures['file_before_mb']} MB"
        f" to {figures['file_after_mb']} MB; counting {EVENTS:,} events {figures['count_ms']} ms"
    )


if __name__ == "__main__":
    main()
