"""Usage queries: what `GET /api/usage` and its relatives take with 1,000,000 billed responses in the ledger.

Method: a home of long sessions, a line a response, read by a real daemon; then each address is asked again and again
over one connection to loopback, one call at a time. `GET /api/usage?period=all` reads totals of everything; a time zone
that is not the daemon's, one profile, one model, and the snapshot are asked for comparison.
"""

import argparse
import http.client
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.support.daemon import ChildDaemon
from benchmarks.support.importing import totals, watch_import
from benchmarks.support.watching import Waited, waited
from tests.support.corpus.generate import Corpus, Options, write_corpus
from tests.support.corpus.traps import Trap

RECORDS = 1_000_000
CALLS = 500
ASKED = {
    "all": "/api/usage?period=all",
    "all_utc": "/api/usage?period=all&tz=UTC",
    "all_tokyo": "/api/usage?period=all&tz=Asia/Tokyo",
    "all_profile": "/api/usage?period=all&profile=unattributed",
    "all_model": "/api/usage?period=all&model=claude-sonnet-4-5",
    "month": "/api/usage?period=month",
    "series_day": "/api/usage/series?bucket=day&period=all&by=model",
    "snapshot": "/api/snapshot",
}
"""An address that this daemon does not know is left out."""


def ask(port: int, path: str) -> Waited | None:
    """Answer how long its replies take; None where it is unknown."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        taken.append((time.perf_counter() - began) * 1000)
        if reply.status == http.client.NOT_FOUND:
            return None
        assert reply.status == http.client.OK, f"{path} answered {reply.status}"
    connection.close()
    return waited(taken)


def measure(folder: Path, records: int) -> dict[str, Any]:
    """Answer figures by address."""
    home = folder / "somebody"
    options = Options(agents=("claude",), responses=records, lean=True, without=frozenset({*Trap}))
    corpus = write_corpus(home, options)
    daemon = ChildDaemon(folder, HOME=str(home))
    try:
        imported = watch_import(daemon)
        figures: dict[str, Any] = {
            "records": sum(source["records_imported"] for source in imported.sources.values()),
            "import_seconds": round(imported.seconds, 2),
            "import_cpu_seconds": round(imported.cpu_seconds, 2),
            "import_peak_mb": imported.peaks.shared_once_bytes // 10**6,
            "database_mb": sum(path.stat().st_size for path in folder.rglob("clown.db*")) // 10**6,
            "exact": exact(daemon, corpus),
        }
        for name, path in ASKED.items():
            waiting = ask(daemon.port, path)
            figures[name] = None if waiting is None else waiting._asdict()
    finally:
        daemon.kill(signal.SIGTERM)
    return figures


def exact(daemon: ChildDaemon, corpus: Corpus) -> bool:
    """Whether the daemon counts what was billed."""
    told = totals(daemon)["total_tokens"]
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return tuple(told[name] for name in names) == corpus.truth.total().tokens


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--records", type=int, default=RECORDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clown-bench-") as folder:
        figures = measure(Path(folder), options.records)
    if options.json:
        print(json.dumps(figures))
        return
    print(__doc__)
    for name, value in figures.items():
        print(f"  {name:20} {value if value is not None else 'unknown to this daemon'}")


if __name__ == "__main__":
    main()
