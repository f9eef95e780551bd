"""Long chaos: many seeds, each with more kills and more time than `make test` gives it. `make soak SEEDS=200 FIRST=1`.

Every seed is a daemon, nine clients and a bad network of its own. A seed that fails is told with how to play it again,
and its history is kept; the sums of what was done stand at the end.
"""

import argparse
import asyncio
import concurrent.futures
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.support.chaos.run import LONG, Figures, chaos_run


def main() -> int:
    """Play the seeds on every core, and answer 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    # A run waits as much as it works.
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="how many at a time")
    asked = parser.parse_args()
    began = time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    total, failed = Figures(), list[int]()
    with concurrent.futures.ProcessPoolExecutor(asked.jobs) as pool:
        waiting = {pool.submit(play, seed): seed for seed in seeds}
        for done, future in enumerate(concurrent.futures.as_completed(waiting), start=1):
            seed = waiting[future]
            outcome = future.result()
            if isinstance(outcome, str):
                failed.append(seed)
                print(f"seed {seed} FAILED\n{outcome}", flush=True)
            else:
                total += outcome
                print(f"seed {seed}: {outcome.events} events, {outcome.kills} kills ({done}/{len(seeds)})", flush=True)
    print(f"\n{len(seeds) - len(failed)} of {len(seeds)} seeds passed in {time.monotonic() - began:.0f} s")
    print(", ".join(f"{value:,} {name}" for name, value in msgspec.structs.asdict(total).items()))
    print(f"FAILED: {sorted(failed)}" if failed else "0 lost, 0 doubled, 0 diverged")
    return bool(failed)


def play(seed: int) -> Figures | str:
    """Play one seed in this process; answer what it did, or how it failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"clown-soak-{seed}-"))
    try:
        figures = asyncio.run(chaos_run(seed, LONG, folder, repeat=f"make soak SEEDS=1 FIRST={seed}"))
    except AssertionError as error:
        return f"{error}\nkept: {folder}"
    shutil.rmtree(folder)
    return figures


if __name__ == "__main__":
    sys.exit(main())
