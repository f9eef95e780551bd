"""What the dashboard costs: the real program in a real pseudo-terminal, fed by a scripted daemon.

CPU is what the dashboard's process used, of one core, by the operating system's books. Loop lag is how late a timer of
10 ms fires inside the dashboard's own event loop; the probe lives here, in the process that this file starts with
`--child`, and not in the dashboard. Targets: 35 % at 1,000 events/s, 45 % at 10,000, lag p99 of 50 ms, 0.5 % idle.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from clown_daemon.protocol.events import EventData, Resource, UsageUpdated
from clown_daemon.protocol.resources import (
    Cost,
    PeriodUsage,
    Profile,
    ProfileUsage,
    Run,
    Snapshot,
    Tokens,
    UsageBucket,
)
from tests.support.scripted_daemon import DAEMON, NEVER_MS, ScriptedDaemon
from tests.support.terminals import Terminal
from tests.support.waiting import until

RATES = (0, 100, 1_000, 10_000)
PROFILES = 150
_WARM_SECONDS = 4.0
_PROBE_SECONDS = 0.01


def _profile(number: int, at: str) -> Profile:
    return Profile(
        alias=f"work{number:03}",
        agent_id="claude",
        provider_id="anthropic",
        model="claude-sonnet-4-5",
        created_at=at,
        profile_home=f"/home/dev/.clown/work{number:03}",
        run=Run(run_id=f"r{number}", state="running", pid=1000 + number, started_at=at),
    )


def _snapshot() -> Snapshot:
    now_ms = time.time_ns() // 1_000_000
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Snapshot(
        log="bench",
        seq=0,
        at_ms=now_ms,
        time_zone="UTC",
        valid_until_ms=NEVER_MS,
        daemon=DAEMON,
        profiles=tuple(_profile(number, at) for number in range(PROFILES)),
    )


def _event(number: int) -> tuple[EventData, Resource | None]:
    alias = f"work{number % PROFILES:03}"
    now_ms = time.time_ns() // 1_000_000
    tokens, cost = Tokens(input_tokens=100 + number, output_tokens=10), Cost(total_cost=0.01 + number / 1000)
    period = PeriodUsage(start_ms=now_ms - 3_600_000, tokens=tokens, cost=cost, responses=number)
    buckets = tuple(UsageBucket(now_ms - step * 60_000, 100 + number, 0.01) for step in range(5, -1, -1))
    usage = ProfileUsage(
        profile=alias, agent_id="claude", last_used=None, today=period, week=period, month=period, minutes=buckets
    )
    return UsageUpdated(profile=alias, tokens=tokens, cost=cost, responses=1, models=("claude-sonnet-4-5",)), usage


async def measure(per_second: int, seconds: float) -> dict[str, float]:
    """Run the dashboard at one rate and answer its cost."""
    with tempfile.TemporaryDirectory() as home:
        lags = Path(home) / "lags.json"
        environ = {**os.environ, "CLOWN_HOME": home, "HOME": home, "TERM": "xterm-256color"}
        async with ScriptedDaemon(snapshot=_snapshot()) as daemon:
            command = [sys.executable, "-m", "benchmarks.dashboard", "--child", str(lags), "--url", daemon.url]
            if not per_second:
                command.append("--idle")  # the probe itself wakes a hundred times a second
            with Terminal(command, environ) as terminal:
                reading = asyncio.create_task(_drain(terminal), name="drain")
                await until(lambda: daemon.clients > 0)
                await asyncio.sleep(_WARM_SECONDS)
                figures = await _load(daemon, terminal.process.pid, per_second, seconds)
                figures["bytes_per_second"] = len(terminal.output) / seconds
                terminal.press("q")
                await asyncio.to_thread(terminal.process.wait, 10)
                reading.cancel()
        found = sorted(json.loads(lags.read_text()))
    if found:
        figures["lag_p99_ms"] = round(found[int(len(found) * 0.99)] * 1000, 1)
        figures["lag_max_ms"] = round(found[-1] * 1000, 1)
    return figures


async def _load(daemon: ScriptedDaemon, pid: int, per_second: int, seconds: float) -> dict[str, float]:
    process = psutil.Process(pid)
    before, began = process.cpu_times(), time.perf_counter()
    if per_second:
        await daemon.pour(_event, count=int(per_second * seconds), per_second=per_second)
    else:
        await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return {
        "events_per_second": per_second,
        "reached_per_second": round(per_second * seconds / took),
        "cpu_percent": round(100 * used / took, 1),
    }


async def _drain(terminal: Terminal) -> None:
    while True:
        await asyncio.to_thread(terminal.read_for, 0.2)


def _child(lags: Path, url: str, *, probing: bool) -> None:
    from clown_tui.app import dashboard  # noqa: PLC0415  # only the child loads Textual
    from clown_tui.settings import Settings  # noqa: PLC0415  # the same

    found: list[float] = []

    async def probe() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(_WARM_SECONDS)
        while True:
            due = loop.time() + _PROBE_SECONDS
            await asyncio.sleep(_PROBE_SECONDS)
            found.append(max(0.0, loop.time() - due))

    app = dashboard(Settings(url=url, start=False))
    if probing:
        app.call_later(lambda: app.run_worker(probe(), name="lag probe"))
    app.run()
    lags.write_text(json.dumps(found))


def run(rates: Sequence[int], seconds: float) -> list[dict[str, float]]:
    """Measure every rate."""
    return [asyncio.run(measure(rate, seconds)) for rate in rates]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rates", type=int, nargs="*", default=RATES)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--idle", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.url, probing=not options.idle)
        return
    figures = run(options.rates, options.seconds)
    if options.json:
        print(json.dumps({"dashboard": figures}))
        return
    print(f"dashboard, {PROFILES} profiles, 120x40, {options.seconds:.0f} s a rate")
    for entry in figures:
        print("  " + "  ".join(f"{name} {value:g}" for name, value in entry.items()))


if __name__ == "__main__":
    main()
