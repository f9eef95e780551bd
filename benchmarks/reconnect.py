"""Reconnection: how soon 200 dashboards are live again after a restart, and how they treat a server that hangs up.

Method: a real daemon with 50 profiles, 200 of Clown's own clients (`Follower`) in 4 processes. The daemon is killed
(-9) and started again on the same port; measured from the moment it answers until each client is live: connected,
resumed, and with a fresh snapshot. Then one client faces a server that accepts every connection and closes it: as TCP,
after the handshake, and with a good-bye (1001); its attempts in the first minute are counted.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from benchmarks.support.daemon import child_daemon
from benchmarks.support.processes import begin
from benchmarks.support.reader import percentile
from clown_daemon.client.sync import Follower

CLIENTS = 200
PROCESSES = 4
PROFILES = 50
RESTARTS = 3
LIVE_SECONDS = 3.0
MINUTE_SECONDS = 60.0
ATTEMPTS = 12


async def measure(minute: float) -> dict[str, float]:
    """Answer the figures; times in seconds."""
    figures = await _restarts()
    names = ("tcp", "handshake", "goodbye")
    attempts = await asyncio.gather(*(_attempts(name, minute) for name in names))
    return figures | {f"attempts_{name}": count for name, count in zip(names, attempts, strict=True)}


async def _restarts() -> dict[str, float]:
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder, child_daemon(Path(folder)) as daemon:
        for number in range(PROFILES):
            profile = {"agent_id": "claude", "provider_id": "anthropic", "alias": f"p{number}", "model": "m"}
            daemon.call("POST", "/api/profiles", profile)
        each = str(CLIENTS // PROCESSES)
        url = f"http://127.0.0.1:{daemon.port}"
        children = [await begin("benchmarks.support.followers", url, each) for _ in range(PROCESSES)]
        for _ in range(RESTARTS):
            await asyncio.to_thread(daemon.kill)
            await asyncio.to_thread(daemon.start)
            answers = time.time()
            for child in children:
                assert child.stdout is not None
                report = json.loads(await asyncio.wait_for(child.stdout.readline(), 60))
                taken += [live - answers for live in report["live"]]
            await asyncio.sleep(2)
        for child in children:
            await child.communicate(b"")
    ordered = sorted(taken)
    return {f"live_{name}_seconds": percentile(ordered, at) for name, at in (("p50", 50), ("p99", 99), ("max", 100))}


async def _attempts(name: str, seconds: float) -> int:
    """How often a follower connects to a server that hangs up."""
    async with SERVERS[name]() as (port, seen), Follower(f"http://127.0.0.1:{port}"):
        await asyncio.sleep(seconds)
        return len(seen)


Hanging = tuple[int, list[float]]


@contextlib.asynccontextmanager
async def _tcp() -> AsyncIterator[Hanging]:
    seen: list[float] = []

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(time.monotonic())
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


@contextlib.asynccontextmanager
async def _websocket(code: int) -> AsyncIterator[Hanging]:
    seen: list[float] = []

    async def hang_up(connection: ServerConnection) -> None:
        seen.append(time.monotonic())
        await connection.close(code)

    async with serve(hang_up, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1], seen


SERVERS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Hanging]]] = {
    "tcp": _tcp,
    "handshake": lambda: _websocket(1000),
    "goodbye": lambda: _websocket(1001),
}


def verdict(figures: dict[str, float]) -> list[str]:
    """What was missed, in sentences."""
    missed = [
        f"{name}: {value:g} attempts"
        for name, value in figures.items()
        if name.startswith("attempts") and not 1 < value <= ATTEMPTS
    ]
    if figures["live_p99_seconds"] > LIVE_SECONDS:
        missed.append(f"p99 until live is {figures['live_p99_seconds']:.2f} s")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--minute", type=float, default=MINUTE_SECONDS, help="seconds to count attempts in")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.minute))
    missed = verdict(figures)
    if options.json:
        print(json.dumps(figures))
        return bool(missed)
    print(__doc__)
    print(f"{CLIENTS} clients live again after a kill: p50 {figures['live_p50_seconds']:.2f} s,", end=" ")
    print(f"p99 {figures['live_p99_seconds']:.2f} s, last {figures['live_max_seconds']:.2f} s;", end=" ")
    print(f"target p99 {LIVE_SECONDS:g} s")
    for name in SERVERS:
        print(
            f"attempts in {options.minute:g} s, closed by {name}: {figures[f'attempts_{name}']:g}; at most {ATTEMPTS}"
        )
    print("\n" + ("missed: " + "; ".join(missed) if missed else "all targets are met"))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
