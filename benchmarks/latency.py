"""Latency: from the announcement of an event to a client's hands, 200 events a second, 50 clients.

Method: a thread announces one event every 5 ms, stamped with the machine's monotonic clock; raw sockets in another
process read the same clock as the frame arrives. All samples of all clients; `websockets.broadcast` under the same
load in the same run.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Callable

from benchmarks.support.servers import Server, clown, count, peer

CLIENTS = 50
EVENTS = 1600
INTERVAL_SECONDS = 1 / 200
SERVERS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Server]]] = {"clown": clown, "websockets": peer}


async def measure() -> dict[str, float]:
    """Answer p50, p99 and the longest, in milliseconds, by server."""
    figures: dict[str, float] = {}
    for name, open_server in SERVERS.items():
        async with open_server() as server:
            report = await count(server, CLIENTS, EVENTS, _feed_from_thread if name == "clown" else _feed, "--stamped")
        figures |= {f"{name}_{key}": round(report[key], 2) for key in ("p50_ms", "p99_ms", "max_ms")}
    return figures


def _body() -> bytes:
    return b'{"type":"ProfileDeleted","data":{"alias":"%s"},"sent_ns":%020d}' % (b"x" * 72, time.monotonic_ns())


async def _feed_from_thread(server: Server) -> None:
    """Announce as the database does: from its own thread."""

    def announce() -> None:
        due = time.monotonic()
        for _ in range(EVENTS):
            due += INTERVAL_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            server.publish([_body()])

    await asyncio.to_thread(announce)


async def _feed(server: Server) -> None:
    due = time.monotonic()
    for _ in range(EVENTS):
        due += INTERVAL_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        server.publish([_body()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    as_json = parser.parse_args().json
    figures = asyncio.run(measure())
    if as_json:
        print(json.dumps(figures))
        return
    print(__doc__)
    for name in SERVERS:
        p50, p99, longest = (figures[f"{name}_{key}"] for key in ("p50_ms", "p99_ms", "max_ms"))
        print(f"{name:>11}: p50 {p50} ms   p99 {p99} ms   longest {longest} ms")
    ratio = figures["clown_p99_ms"] / figures["websockets_p99_ms"]
    print(f"\np99 is {ratio:.2f} times that of websockets; target: at most 20 ms")


if __name__ == "__main__":
    main()
