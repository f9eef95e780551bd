"""Usage: reading 1 GB of everybody's logs for the first time, opening a dashboard on it, looking through it again.

Method: a home written by `tests/support/corpus` (every trap, lifelike sizes). In turn, several times, with all files in
the page cache: `ccusage daily` over that home, and a daemon that knows nothing, from starting it to its last
`UsageImported`; meanwhile two clients ask for its status and its totals every 20 ms. The best run of each is taken, and
the median of the ratios of neighbouring runs. `resting`: the same two clients when nothing is imported.
`open`: the snapshot that a dashboard shows, first asked of a daemon that has just started, then again and again; and
`clown-tui --once`, the whole program. `rescan`: the daemon's CPU while it looks at every file again and finds nothing
new. On a busy machine compare the CPU seconds.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.support import ccusage
from benchmarks.support.daemon import ChildDaemon
from benchmarks.support.importing import PROBED, Imported, ask, read_again, totals, warm, watch_import
from benchmarks.support.watching import Prober, cpu_seconds, waited
from tests.support.corpus.generate import Corpus, Options, write_corpus

BYTES = 1_000_000_000
FILLER_BYTES = 4_000
RUNS = 3
OPENINGS = 50
IDLE_SECONDS = 3.0
MOST_RESCAN_SECONDS = 60.0


@contextlib.contextmanager
def fresh_daemon(home: Path) -> Iterator[ChildDaemon]:
    """A daemon that is not started yet and knows nothing, in somebody's home."""
    with tempfile.TemporaryDirectory(prefix="clown-bench-") as folder:
        daemon = ChildDaemon(Path(folder), HOME=str(home))
        try:
            yield daemon
        finally:
            daemon.kill(signal.SIGTERM)


def measure(corpus: Corpus, runs: int) -> dict[str, Any]:
    """Run both in turn, and answer the best of each."""
    peer = ccusage.program()
    peers: list[ccusage.Run] = []
    imports: list[Imported] = []
    figures: dict[str, Any] = {"files": corpus.files, "megabytes": corpus.bytes_written // 10**6}
    for number in range(runs):
        warm(corpus.home)
        if peer is not None:
            peers.append(ccusage.daily(peer, corpus.home))
        warm(corpus.home)
        with fresh_daemon(corpus.home) as daemon:
            imports.append(watch_import(daemon))
            if number == runs - 1:
                figures |= compare_totals(daemon, corpus, imports[-1])
                figures |= rescan(daemon, imports[-1])
                figures |= resting(daemon)
                figures |= opening(daemon)
    figures |= import_figures(min(imports, key=lambda one: one.seconds))
    if peers:
        best = min(peers, key=lambda one: one.seconds)
        figures |= {
            "ccusage_seconds": round(best.seconds, 2),
            "ccusage_cpu_seconds": round(min(one.cpu_seconds for one in peers), 2),
            "ccusage_peak_mb": best.peak_bytes // 10**6,
            "import_ratio": median_ratio([one.seconds for one in imports], [one.seconds for one in peers]),
            "import_cpu_ratio": median_ratio([one.cpu_seconds for one in imports], [one.cpu_seconds for one in peers]),
            "open_ratio": round(figures["open_once_ms"] / best.seconds / 1000, 3),
        }
    return figures


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of runs that followed one another: what loads the machine loads both."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


def import_figures(best: Imported) -> dict[str, Any]:
    """What the best import took."""
    figures: dict[str, Any] = {
        "import_seconds": round(best.seconds, 2),
        "import_read_seconds": round(best.read_seconds, 2),
        "import_cpu_seconds": round(best.cpu_seconds, 2),
        "import_peak_mb": best.peaks.shared_once_bytes // 10**6,
        "import_peak_rss_mb": best.peaks.resident_bytes // 10**6,
        "import_peak_daemon_mb": best.peaks.daemon_resident_bytes // 10**6,
        "import_processes": best.peaks.most_processes,
    }
    for path in PROBED:
        name = path.rpartition("/")[2]
        figures[f"{name}_p99_ms"] = best.waited[path].p99_ms
        figures[f"{name}_longest_ms"] = best.waited[path].longest_ms
    return figures


def compare_totals(daemon: ChildDaemon, corpus: Corpus, imported: Imported) -> dict[str, Any]:
    """What was read, and whether it is what was billed by the agents whose logs this daemon reads."""
    billed = corpus.truth.by("agent")
    expected = [sum(column) for column in zip(*(billed[source].tokens for source in imported.sources), strict=True)]
    told = totals(daemon)["total_tokens"]
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return {
        "sources": sorted(imported.sources),
        "records": sum(source["records_imported"] for source in imported.sources.values()),
        "read_megabytes": sum(source["bytes_total"] for source in imported.sources.values()) // 10**6,
        "tokens_off": [told[name] - count for name, count in zip(names, expected, strict=True)],
    }


def rescan(daemon: ChildDaemon, imported: Imported) -> dict[str, Any]:
    """The CPU of looking at every file again, without what an idle daemon computes anyway."""
    before = cpu_seconds(daemon.pid)
    time.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(daemon.pid) - before) / IDLE_SECONDS
    began, before = time.perf_counter(), cpu_seconds(daemon.pid)
    # When an import has ended, the files of all sources are looked at.
    read_again(daemon, next(iter(imported.sources)))
    while any(one["state"] == "running" for one in ask(daemon, "/api/snapshot")["imports"]):
        time.sleep(0.05)
        if time.perf_counter() - began > MOST_RESCAN_SECONDS:
            raise TimeoutError("looking at the files again did not end")
    took = time.perf_counter() - began
    time.sleep(IDLE_SECONDS)
    files = sum(source["files_total"] for source in imported.sources.values())
    used = cpu_seconds(daemon.pid) - before - idle * (time.perf_counter() - began)
    return {"rescan_files": files, "rescan_cpu_ms": round(used * 1000), "rescan_ms": round(took * 1000)}


def resting(daemon: ChildDaemon) -> dict[str, Any]:
    """How long answers take while nothing is imported: what the machine alone costs."""
    with Prober(daemon.port, PROBED[0]) as one, Prober(daemon.port, PROBED[1]) as other:
        time.sleep(IDLE_SECONDS)
    return {f"resting_{name.path.rpartition('/')[2]}_p99_ms": waited(name.taken).p99_ms for name in (one, other)}


def opening(daemon: ChildDaemon) -> dict[str, Any]:
    """Open a dashboard's data on a daemon that has just started, and on one that runs."""
    daemon.kill(signal.SIGTERM)
    daemon.start()
    first = milliseconds(lambda: daemon.call("GET", "/api/snapshot"))
    again = waited([milliseconds(lambda: daemon.call("GET", "/api/snapshot")) for _ in range(OPENINGS)])
    command = (sys.executable, "-m", "clown_tui", "--once", "--no-start", "--url", f"http://127.0.0.1:{daemon.port}")
    environ = {"HOME": str(daemon.root), "CLOWN_HOME": str(daemon.root / "clown"), "PATH": os.defpath}
    once = [
        milliseconds(lambda: subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True, timeout=60))
        for _ in range(10)
    ]
    return {
        "open_first_snapshot_ms": round(first, 1),
        "open_snapshot_p50_ms": again.p50_ms,
        "open_snapshot_p99_ms": again.p99_ms,
        "open_once_ms": round(min(once), 1),
    }


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Write the logs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--bytes", type=int, default=BYTES)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clown-bench-home-") as folder:
        corpus = write_corpus(Path(folder), Options(target_bytes=options.bytes, filler_bytes=FILLER_BYTES))
        figures = measure(corpus, options.runs)
    if options.json:
        print(json.dumps(figures))
        return
    print(__doc__)
    for name, value in figures.items():
        print(f"  {name:26} {value}")


if __name__ == "__main__":
    main()
