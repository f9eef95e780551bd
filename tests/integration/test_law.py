"""The law: whatever happens, the client's picture equals a fresh snapshot; nothing is lost, nothing applied twice."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.states import EventReceived, Message, SnapshotLoaded
from clown_daemon.client.sync import Follower
from clown_daemon.protocol.events import KINDS, Event, subject_of
from clown_daemon.protocol.resources import (
    Agent,
    Budget,
    Daemon,
    Profile,
    ProfileUsage,
    Proxy,
    Registry,
    Snapshot,
    UsageImport,
)
from clown_tui.state.model import Model
from clown_tui.state.reducer import reduce
from tests.integration.conftest import QUICK_AGENT
from tests.support.chaos.proxy import ChaosProxy
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

STEPS = 200
EXAMPLES = 10
ALIASES = ("a", "b", "c")
SPENT_AT = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT00:00:00.000Z")
"""Within this month (but for its first day), or budgets would have nothing to count; older than the last 24 hours,
which pass while this runs."""


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    what: str
    alias: str
    number: int


STEP = st.builds(
    Step,
    what=st.sampled_from(
        ["create"] * 8
        + ["update"] * 8
        + ["delete"] * 4
        + ["run"] * 8
        + ["stop"] * 6
        + ["spend"] * 8
        + ["limit"] * 6
        + ["unlimit"] * 2
        + ["detect", "upgrade", "import", "drop", "hold", "release", "refresh"] * 2
        # A start of a process each: dear.
        + ["proxy start", "proxy stop", "proxy restart", "proxy kill", "proxy settings"]
        + ["none"]
    ),
    alias=st.sampled_from(ALIASES),
    number=st.integers(0, 9),
)


class Follow:
    """A client's picture, kept by nothing but what the follower tells, in two ways that must agree."""

    def __init__(self) -> None:
        self.picture: dict[tuple[type, str], Any] = {}
        self.model = Model()
        self.seq = 0
        self.numbers: list[int] = []

    def take(self, messages: Sequence[Message]) -> None:
        self.model = reduce(self.model, messages)
        for message in messages:
            if isinstance(message, SnapshotLoaded):
                self.picture = parts_of(message.snapshot)
                self.seq = message.snapshot.seq
            elif isinstance(message, EventReceived):
                assert isinstance(message.event, Event)
                self.numbers.append(message.event.seq)
                if not message.replayed:
                    self._apply(message.event)

    def _apply(self, event: Event) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        if event.resource is None:
            self.picture.pop((KINDS[event.type].resource, subject_of(event.data)), None)
        else:
            self.picture[key_of(event.resource)] = event.resource

    async def run(self, follower: Follower) -> None:
        while batch := await follower.next_batch():
            self.take(batch)


def key_of(resource: object) -> tuple[type, str]:
    match resource:
        case Profile(alias=key) | Agent(id=key) | ProfileUsage(profile=key) | Proxy(profile=key):
            return type(resource), key
        case UsageImport(source=key) | Budget(id=key):
            return type(resource), key
        case Daemon() | Registry():
            return type(resource), ""
        case _:
            raise AssertionError(resource)


def parts_of(snapshot: Snapshot) -> dict[tuple[type, str], Any]:
    every = [
        *snapshot.profiles,
        *snapshot.agents,
        *snapshot.usage,
        *snapshot.imports,
        *snapshot.budgets,
        *snapshot.proxies,
        snapshot.daemon,
    ]
    return {key_of(part): part for part in every}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEP, min_size=STEPS, max_size=STEPS), crashes=st.sets(st.integers(0, STEPS - 1), max_size=4))
def test_the_clients_picture_equals_a_fresh_snapshot(steps: list[Step], crashes: set[int]) -> None:
    asyncio.run(_play(steps, crashes))


async def _play(steps: list[Step], crashes: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        daemon = RealDaemon(Path(folder))
        daemon.add_agent("quick", QUICK_AGENT)
        await daemon.start()
        follow = Follow()
        async with ChaosProxy(daemon.port) as proxy, Follower(proxy.url) as follower:
            following = asyncio.create_task(follow.run(follower), name="follow")
            for number, step in enumerate(steps):
                if number in crashes:
                    await daemon.kill()
                    await daemon.start()
                await _do(step, daemon, proxy, follower)
            proxy.release()
            await _agrees(follow, daemon, follower)
            following.cancel()
        await daemon.stop()


async def _do(  # noqa: C901, PLR0912  # one case a command
    step: Step, daemon: RealDaemon, proxy: ChaosProxy, follower: Follower
) -> None:
    path = f"/api/profiles/{step.alias}"
    match step.what:
        case "create":
            body = {"alias": step.alias, "agent_id": "quick", "provider_id": "anthropic", "model": f"m{step.number}"}
            await daemon.call("POST", "/api/profiles", body)
        case "update":
            await daemon.call("PATCH", path, {"model": f"m{step.number}"})
        case "delete":
            await daemon.call("DELETE", path)
        case "run":
            await daemon.call("POST", f"{path}/run", {"args": [["sleep", "fail", "x"][step.number % 3]]})
        case "stop":
            await daemon.call("POST", f"{path}/stop")
        case "proxy start" | "proxy stop" | "proxy restart":
            await daemon.call("POST", f"/api/proxy/{step.alias}/{step.what.removeprefix('proxy ')}")
        case "proxy settings":
            rules = [{"to": step.alias, "priority": step.number}]
            await daemon.call("PUT", f"/api/proxy/{step.alias}/settings", {"rules": rules})
        case "proxy kill":
            await _kill_proxy(daemon, step.alias)
        case "detect":
            await daemon.call("POST", "/api/agents/detect")
        case "upgrade":
            daemon.add_agent("quick", QUICK_AGENT.replace("1.2.3", f"1.2.{step.number}"))
        case "spend":
            _spend(daemon, step)
        case "limit":
            await daemon.call("POST", "/api/budgets", _budget(step))
        case "unlimit":
            await daemon.call("DELETE", f"/api/budgets/{_budget_id(step)}")
        case "import":
            await daemon.call("POST", "/api/usage/import-claude")
        case "drop":
            proxy.cut()
        case "hold":
            proxy.hold()
        case "release":
            proxy.release()
        case "refresh":
            follower.refresh()


def _budget(step: Step) -> dict[str, Any]:
    """A budget that what is spent in this test passes sooner or later: for everything, or for one profile."""
    scope = {} if step.number % 2 else {"profile": step.alias}
    return {**scope, "period": "month", "limit_tokens": 100 * (1 + step.number // 4), "thresholds": [10, 50, 100]}


def _budget_id(step: Step) -> str:
    return "total:month:tokens" if step.number % 2 else f"profile:{step.alias}:month:tokens"


async def _kill_proxy(daemon: RealDaemon, alias: str) -> None:
    for status in await daemon.ask("GET", "/api/proxy/status"):
        if status["profile"] == alias and status["pid"] is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(status["pid"], signal.SIGKILL)


def _spend(daemon: RealDaemon, step: Step) -> None:
    """Append a response to a log of Claude Code, as the agent would."""
    folder = Path(daemon.environ["HOME"]) / ".claude" / "projects" / step.alias
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "session.jsonl"
    count = file.stat().st_size if file.exists() else 0
    usage = {"input_tokens": 10 + step.number, "output_tokens": 5, "cache_read_input_tokens": 7}
    message = {"id": f"msg_{step.alias}{count}", "model": "claude-sonnet-4-5", "role": "assistant", "usage": usage}
    line = {
        "type": "assistant",
        "requestId": f"req_{step.alias}{count}",
        "timestamp": SPENT_AT,
        "sessionId": step.alias,
        "message": {**message, "stop_reason": "end_turn"},
    }
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")


async def _agrees(follow: Follow, daemon: RealDaemon, follower: Follower) -> None:
    """Wait for a moment at which client and daemon stand at the same number, and compare."""
    follower.retry_now()
    async with DaemonApi(daemon.url) as api:

        async def same() -> bool:
            fresh = await api.snapshot()
            if fresh.seq != follow.seq:
                return False
            assert follow.picture == parts_of(fresh)
            assert follow.model.seq == fresh.seq
            assert follow.model.profiles == {profile.alias: profile for profile in fresh.profiles}
            assert follow.model.proxies == {proxy.profile: proxy for proxy in fresh.proxies}
            assert follow.model.usage == {usage.profile: usage for usage in fresh.usage}
            assert follow.model.budgets == {budget.id: budget for budget in fresh.budgets}
            return True

        await until(same, seconds=30)
    first = follow.numbers[0] if follow.numbers else 0
    assert follow.numbers == list(range(first, first + len(follow.numbers))), "an event was lost, doubled or reordered"
