"""Values for tests of the dashboard's pure core."""

from typing import Any

from clown_daemon.client.states import ConnectionChanged, EventReceived, Phase
from clown_daemon.protocol.events import BudgetThresholdCrossed, Event, EventData, Resource, UsageUpdated
from clown_daemon.protocol.resources import (
    Agent,
    AgentUsage,
    Budget,
    Cost,
    Daemon,
    ModelUsage,
    PeriodUsage,
    PlanWindow,
    Profile,
    ProfileUsage,
    Run,
    Snapshot,
    Tokens,
    UsageBucket,
)
from clown_daemon.protocol.timestamps import rfc3339

NOW_MS = 1_790_086_400_000 - 1_790_086_400_000 % 86_400_000 + 14 * 3_600_000 + 3 * 60_000 + 36_000
"""A day in 2026 at 14:03:36 UTC."""
DAY_MS = NOW_MS - NOW_MS % 86_400_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def a_daemon(**parts: Any) -> Daemon:
    return Daemon(
        **{"pid": 7, "version": "0.3.1", "instance": "i", "started_at": rfc3339(NOW_MS - 4 * HOUR_MS), **parts}
    )


def an_agent(agent_id: str = "claude", **parts: Any) -> Agent:
    values: dict[str, Any] = {
        "id": agent_id,
        "name": "Claude Code",
        "installed": True,
        "version": "2.1.92",
        "binary": agent_id,
        "binary_path": f"/usr/bin/{agent_id}",
        "profile_strategy": "home",
        "supports_hooks": True,
        "default_model": None,
    }
    return Agent(**{**values, **parts})


def a_run(state: Any = "running", **parts: Any) -> Run:
    return Run(**{"run_id": "r1", "state": state, "pid": 12, "started_at": rfc3339(NOW_MS - 2 * HOUR_MS), **parts})


def a_profile(alias: str = "work", **parts: Any) -> Profile:
    values: dict[str, Any] = {
        "alias": alias,
        "agent_id": "claude",
        "provider_id": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "created_at": rfc3339(NOW_MS - 9 * HOUR_MS),
        "profile_home": f"/home/dev/profiles/{alias}",
    }
    return Profile(**{**values, **parts})


def a_period(
    usd: float | None = 0.0, tokens: int = 0, *, start_ms: int = DAY_MS, unpriced: int = 0, agent: str = "claude"
) -> PeriodUsage:
    """A period in which one model of one agent did it all."""
    cost, used = Cost(total_cost=usd), Tokens(input_tokens=tokens)
    share = ModelUsage(model="claude-sonnet-4-5", tokens=used, cost=cost, responses=1, unpriced_responses=unpriced)
    part = AgentUsage(agent_id=agent, tokens=used, cost=cost, responses=1, unpriced_responses=unpriced)
    return PeriodUsage(
        start_ms=start_ms,
        tokens=used,
        cost=cost,
        responses=1,
        unpriced_responses=unpriced,
        by_model=(share,),
        by_agent=(part,),
    )


def a_usage(profile: str = "work", today: PeriodUsage | None = None, **parts: Any) -> ProfileUsage:
    period = today or a_period(3.42, 1204)
    values = {"agent_id": "claude", "last_used": None, "today": period, "week": period, "month": period}
    return ProfileUsage(profile=profile, **{**values, **parts})


def a_budget(usd: float | None = 10.0, **parts: Any) -> Budget:
    """A budget of everything for a day, unless `parts` say otherwise."""
    values: dict[str, Any] = {"period": "day", "limit_usd": usd, "start_ms": DAY_MS, **parts}
    scope = values.get("profile") or values.get("agent_id") or "total"
    return Budget(**{"id": f"{scope}:{values['period']}:{'usd' if usd else 'tokens'}", **values})


def a_window(usd: float | None = 3.1, tokens: int = 412_000, *, left_ms: int = 72 * MINUTE_MS) -> PlanWindow:
    """A five-hour window that ends so long after now."""
    end_ms = NOW_MS + left_ms
    return PlanWindow(
        start_ms=end_ms - 5 * HOUR_MS,
        end_ms=end_ms,
        tokens=Tokens(input_tokens=tokens),
        cost=Cost(total_cost=usd),
        responses=1,
    )


def bucket(ago_ms: int, tokens: int, usd: float | None) -> UsageBucket:
    """The step of a time line that began so long before now."""
    return UsageBucket(NOW_MS - ago_ms, tokens, usd)


def a_snapshot(**parts: Any) -> Snapshot:
    values: dict[str, Any] = {
        "log": "log-1",
        "seq": 0,
        "at_ms": NOW_MS,
        "time_zone": "UTC",
        "valid_until_ms": DAY_MS + 24 * HOUR_MS,
        "daemon": a_daemon(),
    }
    return Snapshot(**{**values, **parts})


def an_event(data: EventData, resource: Resource | None = None, *, seq: int = 1, at_ms: int = NOW_MS) -> Event:
    return Event(
        type=type(data).__name__,
        timestamp=rfc3339(at_ms),
        data=data,
        seq=seq,
        log="log-1",
        at_ms=at_ms,
        resource=resource,
    )


def received(
    data: EventData, resource: Resource | None = None, *, seq: int = 1, at_ms: int = NOW_MS, replayed: bool = False
) -> EventReceived:
    return EventReceived(event=an_event(data, resource, seq=seq, at_ms=at_ms), at_ms=at_ms, replayed=replayed)


def used(profile: str = "work", usd: float | None = 0.01, tokens: int = 10) -> UsageUpdated:
    return UsageUpdated(profile=profile, tokens=Tokens(input_tokens=tokens), cost=Cost(total_cost=usd), responses=1)


def crossed(threshold: int = 80, **parts: Any) -> BudgetThresholdCrossed:
    """A threshold of `a_budget` that was crossed."""
    values: dict[str, Any] = {
        "id": "total:day:usd",
        "profile": None,
        "agent_id": None,
        "period": "day",
        "threshold_percent": threshold,
        "limit_usd": 10.0,
        "spent_usd": threshold / 10 + 0.03,
        "limit_tokens": None,
        "spent_tokens": None,
    }
    return BudgetThresholdCrossed(**{**values, **parts})


def connection(phase: Phase, *, at_ms: int = NOW_MS, **parts: Any) -> ConnectionChanged:
    return ConnectionChanged(phase=phase, at_ms=at_ms, url="http://127.0.0.1:8765", **parts)
