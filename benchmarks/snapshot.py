"""Snapshot: everything a dashboard shows, 200 profiles with 20,000 billed responses, as the daemon serves it.

Method: the real store in a temporary folder, the daemon's own listener, one HTTP client on loopback. `server`: the read
transaction and the encoding. `http`: the whole call. `unchanged`: the call that holds the ETag, answered 304. Peer: the
same value through the standard library's `json.dumps`.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from benchmarks.support.servers import Nothing
from clown_daemon.access_token import AccessToken
from clown_daemon.api.access import Gate
from clown_daemon.api.app import Services, build_app
from clown_daemon.api.listener import serve
from clown_daemon.broadcaster import Broadcaster
from clown_daemon.clock import SystemClock
from clown_daemon.protocol import codec
from clown_daemon.protocol.resources import Daemon, Snapshot
from clown_daemon.store.database import Transaction, open_database
from clown_daemon.store.ledger import Costs, Entry, Response
from clown_daemon.store.snapshot import read_snapshot
from clown_daemon.store.usage import add_entries

PROFILES = 200
RESPONSES = 20_000
ROUNDS = 100
DAEMON = Daemon(pid=1, version="0", instance="benchmark", started_at="2026-01-08T10:30:00Z")


class _Facts(Nothing):
    def daemon(self) -> Daemon:
        return DAEMON


class _NoProviders:
    providers: dict[str, Any] = {}  # noqa: RUF012  # never changed


def fill(transaction: Transaction) -> None:
    """Write the profiles, and responses spread over the last week."""
    step_ms = 7 * 86_400_000 // RESPONSES
    transaction.connection.executemany(
        "INSERT INTO profiles (alias, agent_id, provider_id, model, created_ms, home) "
        "VALUES (?, 'claude', 'anthropic', 'claude-sonnet-4', ?, '/home/dev/x')",
        [(f"profile-{number:03}", transaction.now_ms) for number in range(PROFILES)],
    )
    add_entries(
        transaction.connection,
        [
            Entry(
                Response(
                    source="claude",
                    agent_id="claude",
                    key=f"k{number}",
                    provider="anthropic",
                    model=f"claude-{number % 3}",
                    session=f"s{number % 500}",
                    project=None,
                    at_ms=transaction.now_ms - number * step_ms,
                    input_tokens=900,
                    output_tokens=400,
                    cache_read_tokens=5000,
                    cache_write_5m_tokens=100,
                    cache_write_1h_tokens=0,
                ),
                Costs(1, 1, 1, 1, 4, "benchmark"),
                f"profile-{number % PROFILES:03}",
            )
            for number in range(RESPONSES)
        ],
    )


async def measure() -> dict[str, float]:
    """Answer medians and p99 in milliseconds, and the size of the reply."""
    clock = SystemClock("UTC")
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(Path(folder) / "clown.db", clock)
        await database.write(fill)

        def read(connection: sqlite3.Connection) -> Snapshot:
            return read_snapshot(
                connection,
                now_ms=clock.now_ms(),
                zone=clock.zone,
                zone_name="UTC",
                daemon=lambda: DAEMON,
                providers=[],
            )

        snapshot = await database.read(read)
        plain = msgspec.to_builtins(snapshot)

        async def on_server() -> None:
            await database.read(lambda connection: codec.success(read(connection)))

        figures = {
            "profiles": len(snapshot.profiles),
            "bytes": len(codec.success(snapshot)),
            **_told("server", await _times(on_server)),
            "encode_ms": _best(lambda: codec.success(snapshot)),
            "json_dumps_ms": _best(lambda: json.dumps(plain)),
        }
        nothing = cast("Any", Nothing())
        services = Services(
            profiles=nothing,
            agents=nothing,
            providers=_NoProviders(),
            proxies=nothing,
            runs=nothing,
            usage=nothing,
            reports=nothing,
            windows=nothing,
            budgets=nothing,
            daemon=cast("Any", _Facts()),
            database=database,
            broadcaster=Broadcaster(database_reader=nothing, log=database.log, head=0),
            clock=clock,
        )
        gate = Gate(auth="auto", token=AccessToken(Path(folder) / "token"), lookup=None)
        runner, port = await serve(build_app(services, gate), 0)
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                figures |= await _over_http(client, f"http://127.0.0.1:{port}/api/snapshot")
        finally:
            await runner.cleanup()
            await database.close()
    figures["encode_ratio"] = round(figures["json_dumps_ms"] / figures["encode_ms"], 1)
    return figures


async def _over_http(client: httpx.AsyncClient, url: str) -> dict[str, float]:
    async def whole() -> None:
        assert (await client.get(url)).status_code == 200

    held = {"tag": ""}

    async def unchanged() -> None:
        reply = await client.get(url, headers={"If-None-Match": held["tag"]})
        held["tag"] = reply.headers["ETag"]

    return _told("http", await _times(whole)) | _told("unchanged", await _times(unchanged))


async def _times(call: Callable[[], Awaitable[None]]) -> list[float]:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def _told(name: str, taken: list[float]) -> dict[str, float]:
    return {f"{name}_p50_ms": round(statistics.median(taken), 2), f"{name}_p99_ms": round(taken[-2], 2)}


def _best(call: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return round(min(taken), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    as_json = parser.parse_args().json
    figures = asyncio.run(measure())
    if as_json:
        print(json.dumps(figures))
        return
    print(__doc__)
    print(f"{figures['profiles']} profiles, {figures['bytes']:,} bytes")
    for name in ("server", "http", "unchanged"):
        print(f"{name:>10}: p50 {figures[f'{name}_p50_ms']} ms   p99 {figures[f'{name}_p99_ms']} ms")
    print(
        f"  encoding: {figures['encode_ms']} ms, json.dumps {figures['json_dumps_ms']} ms ({figures['encode_ratio']}x)"
    )


if __name__ == "__main__":
    main()
