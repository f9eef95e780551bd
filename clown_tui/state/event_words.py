"""What an event says on one line, and how much it matters."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import assert_never

from clown_daemon.protocol.events import (
    AgentDetected,
    AgentUpdated,
    BudgetDeleted,
    BudgetThresholdCrossed,
    BudgetUpdated,
    DaemonShuttingDown,
    DaemonStarted,
    DaemonUpdated,
    Event,
    ProfileCreated,
    ProfileDeleted,
    ProfileStarted,
    ProfileStopped,
    ProfileUpdated,
    ProxyDeleted,
    ProxyError,
    ProxyMetered,
    ProxyStarted,
    ProxyStopped,
    ProxyUpdated,
    RegistrySyncCompleted,
    RegistrySyncFailed,
    RegistrySyncStarted,
    UnknownEvent,
    UsageImported,
    UsageImportProgressed,
    UsageUpdated,
    subject_of,
)
from clown_daemon.protocol.resources import Budget, BudgetPeriod, Cost, UsageImport
from clown_tui.formatting import clean, count, dollars, duration, nanos, plural, tokens


class Level(IntEnum):
    """How much an event matters; the words of `level:` in a filter."""

    INFO = 0
    WARN = 1
    ERROR = 2


WHOLE_PERCENT = 100
"""A threshold from here on says that the budget is spent."""
STOP_SIGNALS = frozenset({-2, -9, -15})
"""Exit codes of a run that was stopped on request: INT, KILL, TERM."""


def level_of(event: Event | UnknownEvent) -> Level:
    """Tell how much an event matters."""
    match event.data:
        case ProxyError() | RegistrySyncFailed() | ProfileStopped(error=str()):
            return Level.ERROR
        case ProfileStopped(exit_code=int(code)) if code and code not in STOP_SIGNALS:
            return Level.ERROR
        case UsageImportProgressed() if _import_failed(event):
            return Level.ERROR
        case BudgetThresholdCrossed(threshold_percent=percent):
            return Level.ERROR if percent >= WHOLE_PERCENT else Level.WARN
        case DaemonUpdated(problems=problems) if problems:
            return Level.WARN
        case _:
            return Level.INFO


def _import_failed(event: Event | UnknownEvent) -> bool:
    resource = event.resource if isinstance(event, Event) else None
    return isinstance(resource, UsageImport) and resource.state == "failed"


def subject(event: Event | UnknownEvent) -> str:
    """Answer what the event is about, cleaned: an alias, an agent, a source, `total`; "" where there is only one."""
    if isinstance(event, Event):
        match event.data:
            case BudgetUpdated() | BudgetDeleted() | BudgetThresholdCrossed():
                return clean(event.data.profile or event.data.agent_id or "total")
            case _:
                return clean(subject_of(event.data))
    for key in ("alias", "profile", "id", "source"):
        if isinstance(value := event.data.get(key), str):
            return clean(value)
    return ""


def words(event: Event | UnknownEvent) -> str:  # noqa: C901, PLR0911, PLR0912  # one case per event, as the catalogue
    """Say what happened, in the fewest words; cleaned."""
    data = event.data
    match data:
        case UsageUpdated():
            return usage_words(data.tokens.total, cost_text(data.cost), data.models, imported=data.imported)
        case ProfileCreated():
            return clean(" · ".join(part for part in (data.agent_id, data.provider_id, data.model) if part))
        case ProfileUpdated():
            return clean("changed " + ", ".join(data.changes))
        case ProfileDeleted() | ProxyDeleted():
            return "deleted"
        case ProfileStarted():
            return f"pid {data.pid}"
        case ProfileStopped():
            return _stopped(data)
        case AgentDetected():
            return clean(f"{data.version or 'version unknown'}  {data.binary_path}")
        case AgentUpdated():
            return clean(f"{data.old_version or 'not found'} → {data.new_version or 'not found'}")
        case RegistrySyncStarted():
            return clean(f"channel {data.channel}{', forced' if data.force else ''}")
        case RegistrySyncCompleted():
            source = "from cache" if data.from_cache else plural(data.artifacts_downloaded, "artifact")
            return clean(f"{data.commit[:7]}, {source}")
        case RegistrySyncFailed() | ProxyError():
            return clean(data.error)
        case ProxyStarted():
            return f"port {data.port}, pid {data.pid}"
        case ProxyUpdated():
            return clean("changed " + ", ".join(data.changes))
        case ProxyMetered():
            failed = f", {data.errors} failed" if data.errors else ""
            return f"+{plural(data.requests, 'request')}{failed}"
        case ProxyStopped():
            return "stopped" if data.exit_code is None else f"exit {data.exit_code}"
        case UsageImported():
            return f"{plural(data.records_imported, 'response')} imported"
        case UsageImportProgressed():
            return _progress(event, data)
        case BudgetUpdated():
            return _budget(event)
        case BudgetDeleted():
            return f"budget {clean(data.id)} deleted"
        case BudgetThresholdCrossed():
            return _crossed(data)
        case DaemonStarted():
            return clean(f"version {data.version}, pid {data.pid}")
        case DaemonShuttingDown():
            return data.reason.replace("_", " ")
        case DaemonUpdated():
            return plural(data.problems, "problem") if data.problems else "no problems"
        case dict():
            return _unknown(data)
        case _:
            assert_never(data)


def usage_words(used: int, cost: str, models: tuple[str, ...], *, imported: bool = False) -> str:
    """Say what was used: `+1,204 tok  +$0.0131  sonnet-4.5`."""
    parts = [f"+{count(used)} tok", cost, clean(", ".join(models)), "(import)" if imported else ""]
    return "  ".join(part for part in parts if part)


def cost_text(cost: Cost) -> str:
    """Write added money with four digits; an unknown price is `?`, never `$0.0000`."""
    return "?" if cost.total_cost is None else f"+{dollars(nanos(cost.total_cost), 4)}"


def _stopped(data: ProfileStopped) -> str:
    if data.error:
        return clean(f"did not start: {data.error}")
    span = duration(float(data.runtime_secs)) if data.runtime_secs else "at once"
    after = f"after {span}" if data.runtime_secs else span
    return f"ended {after}" if data.exit_code is None else f"exit {data.exit_code} {after}"


def _progress(event: Event | UnknownEvent, data: UsageImportProgressed) -> str:
    resource = event.resource if isinstance(event, Event) else None
    if isinstance(resource, UsageImport) and resource.error:
        return clean(resource.error)
    return f"{count(data.files_done)} of {plural(data.files_total, 'file')}"


def _budget(event: Event | UnknownEvent) -> str:
    budget = event.resource if isinstance(event, Event) else None
    if not isinstance(budget, Budget):
        return "budget set"
    limit = limit_words(budget.limit_usd, budget.limit_tokens, budget.period)
    passed = f"{_percents(budget.crossed)} passed already" if budget.crossed else ""
    told = f"tells at {_percents(budget.thresholds)}" if budget.thresholds else "tells nothing"
    return " · ".join(part for part in (f"budget {limit}", told, passed) if part)


def _percents(thresholds: Iterable[int]) -> str:
    return " ".join(f"{threshold}%" for threshold in thresholds)


def _crossed(data: BudgetThresholdCrossed) -> str:
    limit = limit_words(data.limit_usd, data.limit_tokens, data.period)
    spent = "" if data.spent_usd is None else f": {dollars(nanos(data.spent_usd))} spent"
    used = "" if data.spent_tokens is None else f": {tokens(data.spent_tokens)} tokens used"
    return f"{data.threshold_percent}% of {limit}{spent}{used}"


def limit_words(limit_usd: float | None, limit_tokens: int | None, period: BudgetPeriod) -> str:
    """Write a limit in the fewest signs: `$10/day`, `$12.50/month`, `50M tok/day`."""
    if limit_usd is None:
        return f"{tokens(limit_tokens or 0)} tok/{period}"
    return f"{dollars(nanos(limit_usd)).removesuffix('.00')}/{period}"


def _unknown(data: Mapping[str, object]) -> str:
    return clean("  ".join(f"{key}={value}" for key, value in data.items()), 200)
