"""A daemon that knows nothing reads a home full of logs: when it is done, and what it then says of them."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.support.daemon import ChildDaemon
from benchmarks.support.watching import Peaks, Prober, Waited, cpu_seconds, waited

LOOK_SECONDS = 0.1
QUIET_SECONDS = 2.0
"""After this long without news of any import, all are done."""
MOST_SECONDS = 900.0
PROBED = ("/api/daemon/status", "/api/usage")


class Imported(NamedTuple):
    """One import of everything.

    Attributes:
        start_seconds: from starting the program to its first answer.
        seconds: from starting the program to the end of the last import.
        read_seconds: the same from the begin of the first import.
        waited: how long others waited for answers meanwhile, by path.
    """

    start_seconds: float
    seconds: float
    read_seconds: float
    cpu_seconds: float
    peaks: Peaks
    waited: dict[str, Waited]
    sources: dict[str, Any]


def watch_import(daemon: ChildDaemon) -> Imported:
    """Start a daemon and watch it until it has read everything that lies in its home."""
    began = time.time()
    daemon.start()
    answered = time.time()
    with Peaks(daemon.pid) as peaks, Prober(daemon.port, PROBED[0]) as one, Prober(daemon.port, PROBED[1]) as other:
        sources, began_ms, ended_ms = wait_until_read(daemon)
    return Imported(
        start_seconds=answered - began,
        seconds=ended_ms / 1000 - began,
        read_seconds=(ended_ms - began_ms) / 1000,
        cpu_seconds=cpu_seconds(daemon.pid),
        peaks=peaks,
        waited={prober.path: waited(prober.taken) for prober in (one, other)},
        sources=sources,
    )


def wait_until_read(daemon: ChildDaemon) -> tuple[dict[str, Any], int, int]:
    """Wait until all imports are done; answer them by source, and when they began and ended (ms since 1970)."""
    until = time.monotonic() + MOST_SECONDS
    last: list[Any] = []
    changed_at = time.monotonic()
    while time.monotonic() < until:
        imports = ask(daemon, "/api/snapshot")["imports"]
        if imports != last:
            last, changed_at = imports, time.monotonic()
        done = bool(last) and all(one["state"] == "done" for one in last)
        if done and time.monotonic() - changed_at > QUIET_SECONDS:
            return {one["source"]: one for one in last}, *_span(daemon)
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"the imports did not end within {MOST_SECONDS:.0f} s: {last}")


def _span(daemon: ChildDaemon) -> tuple[int, int]:
    events: list[dict[str, Any]] = []
    since = 0
    while True:
        page = ask(daemon, f"/api/events?since={since}&limit=1000&types=UsageImported,UsageImportProgressed")
        events += page["events"]
        if not page["events"] or page["next"] == since:
            break
        since = page["next"]
    began = min(event["at_ms"] for event in events)
    ended = max(event["at_ms"] for event in events if event["type"] == "UsageImported")
    return began, ended


def read_again(daemon: ChildDaemon, source: str) -> None:
    """Begin to import the logs of an agent once more."""
    daemon.call("POST", "/api/usage/import", {"source": source})


def readable(daemon: ChildDaemon, source: str) -> bool:
    """Whether this daemon has a reader for the logs of an agent."""
    return any(one["source"] == source and one["state"] != "unsupported" for one in ask(daemon, "/api/usage/sources"))


def ask(daemon: ChildDaemon, path: str) -> Any:
    """What a GET answers."""
    return json.loads(daemon.call("GET", path))["data"]


def totals(daemon: ChildDaemon) -> dict[str, Any]:
    """Everything that was ever billed, as `GET /api/usage` tells it."""
    report: dict[str, Any] = ask(daemon, "/api/usage?period=all&tz=UTC")
    return report


def warm(home: Path) -> None:
    """Bring every file into the page cache, so that all runs find the same."""
    for path in home.rglob("*"):
        if path.is_file():
            path.read_bytes()
