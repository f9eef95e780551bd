"""Kills: the daemon killed (-9) again and again under load, with clients that resume: nothing lost, doubled, diverged.

Method: a real daemon, started and killed at random moments while callers create, change and delete profiles over HTTP;
bare clients in processes of their own follow with `since` and `log` from the first event on and reconnect at once.
Every client checks that each number follows the last, and the bytes of each event against the other clients'. After
each start the daemon's log is read on (`GET /api/events`), so that in the end every event ever committed is known:
it is compared with what the clients were told, with the first and last snapshot, and with every answer to a command.
"""

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from benchmarks.support.resuming import DIGEST_BYTES
from tests.support.chaos.atomic import atomic_with_state
from tests.support.chaos.history import Commanded, CommittedLog, History, SnapshotRead
from tests.support.chaos.killer import steady_port
from tests.support.chaos.violations import report
from tests.support.real_daemon import RealDaemon

PROCESSES = 2
CALLERS = 4
ALIASES = 40
UP_SECONDS = (0.15, 0.9)
"""How long the daemon lives; the shorter is about what its clients need to come back."""
PAGE = 1000
PROGRESS_KILLS = 50


class Kills:
    """One measurement."""

    def __init__(self, daemon: RealDaemon, kills: int, clients: int, seed: int) -> None:
        self._daemon = daemon
        self._kills = kills
        self._clients = clients
        self._chance = random.Random(seed)  # noqa: S311  # moments, not secrets
        self._models = itertools.count(1)
        self._up = asyncio.Event()
        self._ended = False
        self._history = History(complete=True)
        self._bodies: dict[int, bytes] = {}
        self._starts: list[float] = []

    async def measure(self) -> dict[str, Any]:
        """Kill, judge, and answer the figures."""
        began = time.monotonic()
        await self._start()
        first = await self._snapshot()
        digests = [self._daemon.root / f"digests.{number}" for number in range(PROCESSES)]
        async with contextlib.AsyncExitStack() as processes, asyncio.TaskGroup() as tasks:
            followers = [
                await processes.enter_async_context(self._followers(number, first["log"], file))
                for number, file in enumerate(digests)
            ]
            # Not aiohttp's client: it sends a DELETE again by itself, and tells the second answer alone.
            client = httpx.AsyncClient(base_url=self._daemon.url, trust_env=False, timeout=5, verify=False)  # noqa: S501  # loopback
            async with client:
                callers = [tasks.create_task(self._call(client), name="caller") for _ in range(CALLERS)]
                for number in range(1, self._kills + 1):
                    await asyncio.sleep(self._chance.uniform(*UP_SECONDS))
                    self._up.clear()
                    await self._daemon.kill()
                    await self._start()
                    if number % PROGRESS_KILLS == 0:
                        passed = time.monotonic() - began
                        print(f"{number} kills, {len(self._bodies)} events, {passed:.0f} s", file=sys.stderr)
                self._ended = True
                await asyncio.wait(callers)
            await self._snapshot()
            await self._read_on()
            head = max(self._bodies)
            reports = [await _report(process, head) for process in followers]
        await self._daemon.stop()
        figures = {name: sum(each[name] for each in reports) for name in reports[0] if name != "told"}
        told = [sentence for each in reports for sentence in each["told"]]
        told += self._compare(digests, figures) + self._judge(first["log"], figures)
        answered = sum(command.status is not None for command in self._history.of(Commanded))
        return {
            "kills": self._kills,
            "clients": self._clients,
            "events": head,
            **figures,
            "commands_answered": answered,
            "commands_unknown": len(self._history.of(Commanded)) - answered,
            "start_p50_ms": round(sorted(self._starts)[len(self._starts) // 2] * 1000),
            "seconds": round(time.monotonic() - began),
            "faults": told,
        }

    async def _start(self) -> None:
        began = time.monotonic()
        await self._daemon.start()
        self._starts.append(time.monotonic() - began)
        self._up.set()
        await self._read_on()

    async def _read_on(self) -> None:
        """Read what the log has since the last time; what was pruned meanwhile would be missed, and is a fault."""
        while True:
            since = max(self._bodies, default=0)
            reply = await self._daemon.call("GET", f"/api/events?since={since}&limit={PAGE}")
            page = msgspec.json.decode(reply.content, type=_Reply).data
            for raw in page.events:
                body = bytes(raw)
                self._bodies[msgspec.json.decode(body, type=_Numbered).seq] = body
            if len(page.events) < PAGE:
                return

    async def _snapshot(self) -> dict[str, Any]:
        asked_at = time.monotonic()
        data: dict[str, Any] = await self._daemon.ask("GET", "/api/snapshot")
        self._history.add(SnapshotRead(client="judge", asked_at=asked_at, data=data))
        return data

    @contextlib.asynccontextmanager
    async def _followers(self, number: int, log: str, digests: Path) -> AsyncIterator[asyncio.subprocess.Process]:
        share = self._clients // PROCESSES + (number < self._clients % PROCESSES)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.support.resuming"),
            *(str(self._daemon.port), str(share), log, str(digests)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _call(self, client: httpx.AsyncClient) -> None:
        while not self._ended:
            await self._up.wait()
            alias = f"p{self._chance.randrange(ALIASES)}"
            model = f"m{next(self._models)}"
            path = f"/api/profiles/{alias}"
            made = {"alias": alias, "agent_id": "claude", "provider_id": "anthropic", "model": model}
            method, where, body = self._chance.choices(
                [("PATCH", path, {"model": model}), ("POST", "/api/profiles", made), ("DELETE", path, None)],
                [8, 2, 0.5],
            )[0]
            await self._command(client, method, where, body)

    async def _command(self, client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None) -> None:
        asked_at = time.monotonic()
        status, data = None, None
        try:
            reply = await client.request(method, path, json=body)
            status, data = reply.status_code, reply.json().get("data")
        except httpx.ConnectError:
            await asyncio.sleep(0.01)
            return  # it was never sent
        except (httpx.TransportError, ValueError):
            pass  # nobody will ever know
        self._history.add(
            Commanded(
                client="caller",
                asked_at=asked_at,
                method=method,
                path=path,
                body=body,
                status=status,
                reply=data if isinstance(data, dict) else None,
            )
        )

    def _compare(self, digests: list[Path], figures: dict[str, int]) -> list[str]:
        """Hold what the clients were told against the log."""
        told: list[str] = []
        log = {seq: hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest() for seq, body in self._bodies.items()}
        holes = sorted(set(range(1, max(log) + 1)) - set(log))
        if holes:
            figures["lost"] += len(holes)
            told.append(f"the log has no {holes[:5]}")
        for file in digests:
            theirs = msgspec.msgpack.decode(file.read_bytes(), type=dict[int, bytes])
            differing = [seq for seq, digest in theirs.items() if log.get(seq) != digest]
            figures["diverged"] += len(differing)
            told += [f"event {seq} was told otherwise than the log has it" for seq in differing[:5]]
        return told

    def _judge(self, log: str, figures: dict[str, int]) -> list[str]:
        """Hold the log against both snapshots and every answer."""
        self._history.committed = CommittedLog(
            log=log,
            floor=0,
            head=max(self._bodies),
            bodies={seq: body.decode() for seq, body in self._bodies.items()},
            types={seq: msgspec.json.decode(body, type=_Numbered).type for seq, body in self._bodies.items()},
        )
        violations = atomic_with_state(self._history)
        figures["broken_commands"] = len(violations)
        return [report({"atomic with state": violations})] if violations else []


class _Numbered(msgspec.Struct):
    seq: int
    type: str


class _Page(msgspec.Struct):
    events: list[msgspec.Raw]


class _Reply(msgspec.Struct):
    data: _Page


async def _report(process: asyncio.subprocess.Process, head: int) -> dict[str, Any]:
    out, _ = await process.communicate(f"end {head}\n".encode())
    return cast("dict[str, Any]", json.loads(out))


async def measure(kills: int, clients: int, seed: int) -> dict[str, Any]:
    """Run it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        # An idle timeout has nothing to do with it, nor has a run.
        daemon = RealDaemon(Path(folder), recorded=False, CLOWN_IDLE_TIMEOUT_SECS="0")
        daemon.port = steady_port()
        try:
            return await Kills(daemon, kills, clients, seed).measure()
        finally:
            await daemon.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    asked = parser.parse_args()
    figures = asyncio.run(measure(asked.kills, asked.clients, asked.seed))
    clean = not any(figures[name] for name in ("lost", "doubled", "diverged", "broken_commands"))
    if asked.json:
        print(json.dumps(figures))
        return not clean
    print(__doc__)
    for name, value in figures.items():
        if name != "faults":
            print(f"{name:>18}: {value:,}")
    print("\n".join(figures["faults"]) or "\n0 lost, 0 doubled, 0 diverged; every answered command survived")
    return not clean


if __name__ == "__main__":
    sys.exit(main())
