"""What happened: the data of every event, the envelope it travels in, and the catalogue of all events.

Source: the documented WebSocket reference for the 17 events with `documented=True` and for `{type, timestamp, data}`;
`seq`, `log`, `at_ms` and `resource` are this daemon's additions to the envelope. The catalogue is data: the docs page,
completion of `--events` and the schema are generated from it, and a test walks it.
"""

from typing import Literal

import msgspec

from clown_daemon.protocol.resources import (
    Agent,
    Budget,
    BudgetPeriod,
    Cost,
    Daemon,
    Profile,
    ProfileUsage,
    Proxy,
    Registry,
    Tokens,
    UsageImport,
)

# -- profiles ---------------------------------------------------------------------------------------------------------


class ProfileCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A new profile was created."""

    alias: str
    agent_id: str
    provider_id: str
    model: str | None


class ProfileUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A profile was modified."""

    alias: str
    changes: tuple[str, ...]
    """The names of exactly the fields that changed, sorted; never empty."""


class ProfileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A profile was deleted."""

    alias: str


class ProfileStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A profile started running."""

    alias: str
    pid: int
    run_id: str


class ProfileStopped(msgspec.Struct, frozen=True, kw_only=True):
    """A profile stopped running."""

    alias: str
    exit_code: int | None
    """Minus the signal number when a signal ended it; None when nobody saw it end."""
    runtime_secs: int
    run_id: str
    error: str | None = None
    """Why the run could not start at all, in one sentence; None when it ran."""


# -- agents -----------------------------------------------------------------------------------------------------------


class AgentDetected(msgspec.Struct, frozen=True, kw_only=True):
    """An agent was detected on the system."""

    id: str
    name: str
    version: str | None
    binary_path: str


class AgentUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's detection info changed; `new_version` is None when it is gone or no longer says its version."""

    id: str
    old_version: str | None
    new_version: str | None


# -- registry ---------------------------------------------------------------------------------------------------------


class RegistrySyncStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A registry sync began."""

    channel: str
    force: bool


class RegistrySyncCompleted(msgspec.Struct, frozen=True, kw_only=True):
    """A registry sync completed."""

    channel: str
    commit: str
    from_cache: bool
    artifacts_downloaded: int


class RegistrySyncFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A registry sync failed."""

    error: str


# -- proxies ----------------------------------------------------------------------------------------------------------


class ProxyStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy instance started."""

    profile: str
    port: int
    pid: int


class ProxyStopped(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy instance stopped."""

    profile: str
    exit_code: int | None


class ProxyError(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy encountered an error."""

    profile: str
    error: str


class ProxyUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy was set otherwise, or is being started."""

    profile: str
    changes: tuple[str, ...]
    """The names of exactly the fields of the resource or the settings that changed, sorted."""


class ProxyDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy is gone with its profile."""

    profile: str


class ProxyMetered(msgspec.Struct, frozen=True, kw_only=True):
    """Requests went through a proxy (at most once a second): how many since the last time, how many of them failed."""

    profile: str
    requests: int
    errors: int


# -- usage ------------------------------------------------------------------------------------------------------------


class UsageUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """Usage statistics were updated: what this update added; the profile's totals after it are the resource."""

    profile: str
    tokens: Tokens
    cost: Cost
    """What was added, in US dollars; None where no response in it has a known price."""
    responses: int = 0
    models: tuple[str, ...] = ()
    """The models that were used, sorted."""
    agent_id: str | None = None
    imported: bool = False
    """True while existing logs are read in: a back-fill, not spending that happens now."""


class UsageImported(msgspec.Struct, frozen=True, kw_only=True):
    """Usage data was imported."""

    source: str
    records_imported: int


class UsageImportProgressed(msgspec.Struct, frozen=True, kw_only=True):
    """An import of existing logs started, came further (at most twice a second), or failed."""

    source: str
    files_done: int
    files_total: int


# -- budgets ----------------------------------------------------------------------------------------------------------


class BudgetUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A budget was set, or a back-fill passed thresholds of it, which is no alert."""

    id: str
    profile: str | None
    agent_id: str | None


class BudgetDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A budget was deleted."""

    id: str
    profile: str | None
    agent_id: str | None


class BudgetThresholdCrossed(msgspec.Struct, frozen=True, kw_only=True):
    """Spending reached a threshold of a budget: once per threshold and period."""

    id: str
    profile: str | None
    agent_id: str | None
    period: BudgetPeriod
    threshold_percent: int
    limit_usd: float | None
    spent_usd: float | None
    """None of a budget in tokens."""
    limit_tokens: int | None
    spent_tokens: int | None
    """None of a budget in dollars."""


# -- daemon -----------------------------------------------------------------------------------------------------------

ShutdownReason = Literal["idle_timeout", "stop", "signal", "upgrade"]


class DaemonStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon started."""

    version: str
    pid: int


class DaemonShuttingDown(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon began its shutdown."""

    reason: ShutdownReason


class DaemonUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon says of its own health changed: its problems are the resource."""

    problems: int


# -- envelope and catalogue -------------------------------------------------------------------------------------------

EventData = (
    ProfileCreated
    | ProfileUpdated
    | ProfileDeleted
    | ProfileStarted
    | ProfileStopped
    | AgentDetected
    | AgentUpdated
    | RegistrySyncStarted
    | RegistrySyncCompleted
    | RegistrySyncFailed
    | ProxyStarted
    | ProxyStopped
    | ProxyError
    | ProxyUpdated
    | ProxyMetered
    | ProxyDeleted
    | UsageUpdated
    | UsageImported
    | UsageImportProgressed
    | BudgetUpdated
    | BudgetDeleted
    | BudgetThresholdCrossed
    | DaemonStarted
    | DaemonShuttingDown
    | DaemonUpdated
)

Resource = Profile | Agent | Registry | Proxy | ProfileUsage | UsageImport | Budget | Daemon


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream. Applying it is "put `resource`", or "remove" where `resource` is None."""

    type: str
    timestamp: str
    data: EventData
    seq: int
    """+1 per event across all types; durable, never reused within one `log`."""
    log: str
    """Identity of the log that numbers the events."""
    at_ms: int
    resource: Resource | None
    """The whole new resource; None when it is gone."""


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a newer daemon: its envelope is known, its data is not."""

    type: str
    timestamp: str
    data: dict[str, object]
    seq: int
    log: str
    at_ms: int


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    name: str
    data: type[EventData]
    resource: type[Resource]
    key: str
    """The field of `data` that names the resource, or "" where there is only one."""
    summary: str
    documented: bool = True
    """False for an addition of this daemon to the documented reference."""


def _kind(data: type[EventData], resource: type[Resource], key: str, *, documented: bool = True) -> EventKind:
    summary = (data.__doc__ or "").splitlines()[0]
    return EventKind(name=data.__name__, data=data, resource=resource, key=key, summary=summary, documented=documented)


CATALOGUE: tuple[EventKind, ...] = (
    _kind(ProfileCreated, Profile, "alias"),
    _kind(ProfileUpdated, Profile, "alias"),
    _kind(ProfileDeleted, Profile, "alias"),
    _kind(ProfileStarted, Profile, "alias"),
    _kind(ProfileStopped, Profile, "alias"),
    _kind(AgentDetected, Agent, "id"),
    _kind(AgentUpdated, Agent, "id"),
    _kind(RegistrySyncStarted, Registry, ""),
    _kind(RegistrySyncCompleted, Registry, ""),
    _kind(RegistrySyncFailed, Registry, ""),
    _kind(ProxyStarted, Proxy, "profile"),
    _kind(ProxyStopped, Proxy, "profile"),
    _kind(ProxyError, Proxy, "profile"),
    _kind(ProxyUpdated, Proxy, "profile", documented=False),
    _kind(ProxyMetered, Proxy, "profile", documented=False),
    _kind(ProxyDeleted, Proxy, "profile", documented=False),
    _kind(UsageUpdated, ProfileUsage, "profile"),
    _kind(UsageImported, UsageImport, "source"),
    _kind(UsageImportProgressed, UsageImport, "source", documented=False),
    _kind(BudgetUpdated, Budget, "id", documented=False),
    _kind(BudgetDeleted, Budget, "id", documented=False),
    _kind(BudgetThresholdCrossed, Budget, "id", documented=False),
    _kind(DaemonStarted, Daemon, ""),
    _kind(DaemonShuttingDown, Daemon, ""),
    _kind(DaemonUpdated, Daemon, "", documented=False),
)
"""Every event, in the order of the reference page."""

KINDS: dict[str, EventKind] = {kind.name: kind for kind in CATALOGUE}

EVENT_NAMES: tuple[str, ...] = tuple(KINDS)


def subject_of(data: EventData) -> str:
    """Answer the key of an event's resource: an alias, an agent id, a source; "" where there is only one."""
    key = KINDS[type(data).__name__].key
    return str(getattr(data, key)) if key else ""


def profile_of(data: EventData) -> str | None:
    """Answer the alias of the profile an event speaks of, or None."""
    match data:
        case (
            ProfileCreated(alias=alias)
            | ProfileUpdated(alias=alias)
            | ProfileDeleted(alias=alias)
            | ProfileStarted(alias=alias)
            | ProfileStopped(alias=alias)
            | ProxyStarted(profile=alias)
            | ProxyStopped(profile=alias)
            | ProxyError(profile=alias)
            | ProxyUpdated(profile=alias)
            | ProxyMetered(profile=alias)
            | ProxyDeleted(profile=alias)
            | UsageUpdated(profile=alias)
        ):
            return alias
        case BudgetUpdated(profile=about) | BudgetDeleted(profile=about) | BudgetThresholdCrossed(profile=about):
            return about
        case _:
            return None
