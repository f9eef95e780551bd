"""What exists, as it stands on the wire: in replies, in the snapshot, and whole in the `resource` of an event.

Shapes of the documented API are fixed (`ProfileSummary`, `ProfileDetail`, `AgentSummary`, ... one per documented
call); the full resources (`Profile`, `Agent`, `Proxy`, `Registry`, `ProfileUsage`, `UsageImport`, `Budget`, `Daemon`)
are what the snapshot holds and what events carry. A number that does not exist is None, never 0. Instants are RFC 3339
strings in `*_at` and `last_*`, epoch milliseconds in `*_ms`. Money is US dollars as a JSON number; inside the daemon it
is exact (`clown_daemon.usage.pricing`).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""An instant: RFC 3339 UTC with `Z` and whole seconds."""

# -- tokens and money -------------------------------------------------------------------------------------------------


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts of billed responses. `input_tokens` leaves out everything read from or written to a cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0

    @property
    def total(self) -> int:
        """All four classes added up."""
        return self.input_tokens + self.output_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars by token class. All None when nothing in it has a known price; see `unpriced` beside it otherwise."""

    input_cost: float | None = 0.0
    output_cost: float | None = 0.0
    cache_creation_cost: float | None = 0.0
    cache_read_cost: float | None = 0.0
    total_cost: float | None = 0.0


# -- profiles and runs ------------------------------------------------------------------------------------------------

RunState = Literal["starting", "running", "stopping", "exited", "failed", "lost"]
"""`exited`: ended by itself or stopped on request. `failed`: never started. `lost`: ended while no daemon watched."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a profile's agent. Arguments are left out: they may hold a prompt."""

    run_id: str
    state: RunState
    pid: int | None
    started_at: Instant
    ended_at: Instant | None = None
    exit_code: int | None = None
    """The exit status, or minus the signal number; None while it runs and when nobody saw it end."""
    runtime_secs: int | None = None
    interactive: bool = False
    error: str | None = None
    """Why it never started, in one sentence."""


class ProfileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `GET /api/profiles`."""

    alias: str
    agent_id: str
    provider_id: str
    endpoint_id: str | None
    model: str | None
    last_used: Instant | None


class ProfileDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/profiles/{alias}`."""

    alias: str
    agent_id: str
    provider_id: str
    endpoint_id: str | None
    model: str | None
    last_used: Instant | None
    created_at: Instant
    profile_home: str


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile with its newest run: what the snapshot holds and what `Profile*` events carry."""

    alias: str
    agent_id: str
    provider_id: str
    endpoint_id: str | None = None
    model: str | None = None
    last_used: Instant | None = None
    created_at: Instant
    profile_home: str
    has_api_key: bool = False
    run: Run | None = None


# -- agents and providers ---------------------------------------------------------------------------------------------


class AgentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `GET /api/agents`."""

    id: str
    name: str
    installed: bool
    version: str | None
    binary_path: str | None
    profile_count: int


class AgentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/agents/{id}`."""

    id: str
    name: str
    installed: bool
    version: str | None
    binary: str
    binary_path: str | None
    profile_strategy: str
    supports_hooks: bool
    default_model: str | None
    supported_models: tuple[str, ...]


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent program and what was found of it on this machine: what the snapshot holds and `Agent*` events carry."""

    id: str
    name: str
    installed: bool
    version: str | None
    binary: str
    binary_path: str | None
    profile_strategy: str
    supports_hooks: bool
    default_model: str | None
    supported_models: tuple[str, ...] = ()
    source: str = "bundled"
    """Where its manifest came from: `bundled`, `user` or `registry`."""
    problem: str | None = None
    """Why the version of an installed program is unknown, in one sentence."""


ProviderType = Literal["anthropic", "anthropic-compatible", "openai", "openai-compatible", "self"]


class ProviderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `GET /api/providers`."""

    id: str
    name: str
    type: ProviderType
    default_model: str | None


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/providers/{id}`, and the snapshot's entry."""

    id: str
    name: str
    type: ProviderType
    endpoints: dict[str, str]
    default_endpoint: str | None
    models: tuple[str, ...]
    default_model: str | None


# -- proxies and registry ---------------------------------------------------------------------------------------------

ProxyState = Literal["stopped", "starting", "running", "stopping", "backing_off", "failed"]


MAX_TEXT_LENGTH = 200
MAX_NUMBER = 2**53 - 1
"""The largest number that every JSON reader keeps exactly."""
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_HTTP_PROXY = rf"^http://{_LABEL}(?:\.{_LABEL})*(?::{_PORT})?/?$"
_PLAIN = r"^[^\x00-\x1f\x7f]+$"

File = Annotated[str, Meta(extra_json_schema={"minLength": 1, "format": "certificates"})]
"""The absolute path of a file of certificates, in PEM."""
HttpProxy = Annotated[str, Meta(pattern=_HTTP_PROXY, max_length=MAX_TEXT_LENGTH)]
ModelName = Annotated[str, Meta(pattern=_PLAIN, max_length=MAX_TEXT_LENGTH)]


class ProxyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends requests that fit to another profile's provider. All conditions that are given must hold."""

    to: str
    """The profile whose provider, endpoint, key and model are used instead."""
    priority: Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)] = 0
    """The highest that fits decides; of equal ones the first."""
    thinking: bool | None = None
    """Whether the request asks for thinking."""
    tokens_over: Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | None = None
    """Prompts of more tokens than this."""
    tools_at_least: Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | None = None
    model: ModelName | None = None
    """The model that was asked for, a glob such as `claude-haiku-*`."""
    set_model: ModelName | None = None
    """The model to ask for; the other profile's unless given."""


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a profile's proxy is set."""

    enabled: bool = False
    """Whether the profile's agent is started behind the proxy."""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """Null: the first free one of the configured range; it stays the profile's then."""
    rules: Annotated[tuple[ProxyRule, ...], Meta(max_length=64)] = ()
    fallbacks: Annotated[tuple[str, ...], Meta(max_length=16)] = ()
    """Profiles whose providers are asked next when one fails before the first byte of its answer."""
    upstream_proxy: HttpProxy | None = None
    """An HTTP proxy on the way to the provider, `http://proxy.example:3128`."""
    ca_file: File | None = None
    """A file of certificates to trust besides the system's."""
    ask_for_usage: bool = True
    """Ask streams of Chat Completions for their usage when the agent does not."""


class ProxySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `GET /api/proxy/status`."""

    profile: str
    port: int | None
    pid: int | None
    status: ProxyState
    restarts: int
    started_at: Instant | None


class ProxyDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/proxy/status/{alias}`, and of starting and stopping one."""

    profile: str
    enabled: bool
    port: int | None
    pid: int | None
    status: ProxyState


class ProxyMinute(msgspec.Struct, frozen=True, array_like=True):
    """One minute with requests in it, `[start_ms, requests, errors, first_ms]` on the wire."""

    start_ms: int
    requests: int
    errors: int
    """Answers of 400 and above, and requests without an answer."""
    first_ms: float | None
    """How long the first byte of an answer took on average, milliseconds; None where none came."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A profile's metering proxy: what the snapshot holds and `Proxy*` events carry."""

    profile: str
    enabled: bool
    """Whether the profile's agent is started behind it."""
    port: int | None
    pid: int | None
    status: ProxyState
    restarts: int = 0
    """Starts after an end that nobody asked for."""
    started_at: Instant | None = None
    last_error: str | None = None
    requests: int = 0
    """All that ever went through it."""
    errors: int = 0
    last_request_ms: int | None = None
    last_status: int | None = None
    """Of the last answer."""
    minutes: tuple[ProxyMinute, ...] = ()
    """The last 15 minutes that had requests, oldest first."""


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/registry`: where manifests and prices come from."""

    channel: str
    commit: str | None
    last_sync: Instant | None
    cached: bool
    syncing: bool = False
    last_error: str | None = None


# -- usage ------------------------------------------------------------------------------------------------------------

UNATTRIBUTED = "unattributed"
"""The bucket of usage that belongs to no profile: the agent ran outside Clown's profile homes."""


class ProfileUsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `UsageReport.aggregates.by_profile`."""

    profile: str
    tokens: Tokens
    cost: Cost
    sessions: int
    runtime_secs: int
    last_used: Instant | None


class PartUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the other breakdowns of a usage report."""

    tokens: Tokens
    cost: Cost
    responses: int
    unpriced_responses: int = 0


class UsageAggregates(msgspec.Struct, frozen=True, kw_only=True):
    """Breakdowns of a usage report. Each adds up to the totals."""

    by_profile: dict[str, ProfileUsageReport]
    by_agent: dict[str, PartUsage] = {}
    """By the id of the agent."""
    by_provider: dict[str, PartUsage] = {}
    by_model: dict[str, PartUsage] = {}
    by_project: dict[str, PartUsage] | None = None
    """By working directory, "" where nobody knows it; null unless `by=project` asks for it."""


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/usage`."""

    period: str
    total_tokens: Tokens
    total_cost: Cost
    total_sessions: int
    total_runtime_secs: int
    aggregates: UsageAggregates
    unpriced_responses: int = 0
    """Responses whose model has no known price; `total_cost` leaves them out."""
    unpriced_models: tuple[str, ...] = ()


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one model within a period."""

    model: str
    tokens: Tokens
    cost: Cost
    responses: int
    unpriced_responses: int = 0


class AgentUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one agent within a period."""

    agent_id: str
    tokens: Tokens
    cost: Cost
    responses: int
    unpriced_responses: int = 0


class PeriodUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one profile within one period, models and agents sorted by name."""

    start_ms: int
    """The instant at which the period began in the user's time zone."""
    tokens: Tokens = Tokens()
    cost: Cost = Cost()
    responses: int = 0
    sessions: int = 0
    unpriced_responses: int = 0
    by_model: tuple[ModelUsage, ...] = ()
    by_agent: tuple[AgentUsage, ...] = ()


class UsageBucket(msgspec.Struct, frozen=True, array_like=True):
    """One step of a time line, `[start_ms, tokens, cost]` on the wire. Steps without usage are left out."""

    start_ms: int
    tokens: int
    cost_usd: float | None


class PlanWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Five hours that users of a Claude plan reckon with, and what was used in them.

    The first response after the last window ended begins one, at the start of its hour (UTC).
    """

    start_ms: int
    end_ms: int
    tokens: Tokens = Tokens()
    cost: Cost = Cost()
    responses: int = 0
    unpriced_responses: int = 0


class ProfileUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A profile's totals: what the snapshot holds, one per profile that has any usage, and `UsageUpdated` carries."""

    profile: str
    """An alias, or `unattributed`."""
    agent_id: str | None
    last_used: Instant | None
    today: PeriodUsage
    week: PeriodUsage
    month: PeriodUsage
    minutes: tuple[UsageBucket, ...] = ()
    """The last 15 minutes, oldest first: burn rate and token sparks are cut from these."""
    hours: tuple[UsageBucket, ...] = ()
    """The last 24 hours, oldest first."""
    days: tuple[UsageBucket, ...] = ()
    """The last 7 days of the user's calendar, oldest first."""
    window: PlanWindow | None = None
    """The five-hour window of Claude Code that runs now; None while none does."""


ImportState = Literal["running", "done", "failed", "cancelled"]


class UsageImport(msgspec.Struct, frozen=True, kw_only=True):
    """How far reading an agent's existing logs has come; one per source."""

    source: str
    state: ImportState
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    records_imported: int = 0
    """Responses that were new; a second import of the same logs adds 0."""
    lines_broken: int = 0
    started_at: Instant | None = None
    bytes_per_second: int | None = None
    """How fast it reads; null before that can be told, and once it has ended."""
    seconds_left: float | None = None
    """How long it will take from here."""
    error: str | None = None


SourceState = Literal["following", "importing", "cancelled", "absent", "unsupported"]
"""`absent`: the agent has no logs here. `cancelled`: an import was, and what it did not read is left alone.
`unsupported`: what the agent writes is not known, and not guessed."""

FolderState = Literal["watched", "polled", "unread", "absent"]
"""`polled`: nobody tells what changes in it, so it is looked at every two seconds."""


class UsageFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder in which an agent keeps logs."""

    path: str
    profile: str
    """Whose usage it is: an alias, or `unattributed`."""
    state: FolderState


class UsageSource(msgspec.Struct, frozen=True, kw_only=True):
    """An item of `GET /api/usage/sources`: an agent's logs, and how reading them goes."""

    source: str
    agent_id: str
    name: str
    state: SourceState
    folders: tuple[UsageFolder, ...] = ()
    """The agent's own ones, and those of profiles that are there."""
    files: int = 0
    """How many logs there were at the last look at everything, at most 30 s ago, and how large."""
    bytes: int = 0
    records: int = 0
    """Responses of this agent in the ledger."""
    lines_broken: int = 0
    """What should bill and cannot be read; the rest of its log counts."""
    last_read: Instant | None = None
    """When something of it was recorded last; null: not since the daemon started."""
    problems: tuple[str, ...] = ()
    """What cannot be read, one sentence each; many are folded."""


# -- budgets and windows ----------------------------------------------------------------------------------------------

BudgetPeriod = Literal["day", "month"]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A limit on what is spent: what the snapshot holds and `Budget*` events carry. `BudgetReport` has what was spent.

    With neither `profile` nor `agent_id` everything on this machine counts. One of the two limits is set.
    """

    id: str
    """What it is for, its period and its unit, of which there is one each: `profile:work:day:usd`."""
    profile: str | None = None
    """Only what this profile spends: an alias, or `unattributed`."""
    agent_id: str | None = None
    """Only what this agent spends."""
    period: BudgetPeriod
    """The user's local day or month."""
    limit_usd: float | None = None
    limit_tokens: int | None = None
    """All four classes of tokens added up."""
    thresholds: tuple[int, ...] = (80, 100)
    """Per cent of the limit at which `BudgetThresholdCrossed` tells, ascending."""
    start_ms: int
    """The instant at which the period that `crossed` speaks of began in the user's time zone."""
    crossed: tuple[int, ...] = ()
    """Thresholds that were reached in that period, ascending. They stay when a correction lowers what was spent."""
    hard: bool = False
    """Whether proxies refuse requests that it counts once it is spent."""


class BudgetReport(Budget, frozen=True, kw_only=True):
    """One entry of `GET /api/budgets`: a budget with what was spent, and where that leads."""

    end_ms: int
    """The instant at which the period ends."""
    spent_usd: float | None
    """None when nothing that was used has a known price."""
    spent_tokens: int
    responses: int
    unpriced_responses: int
    """Responses whose model has no known price: their tokens count, `spent_usd` leaves them out."""
    percent: float | None
    """Of the limit."""
    burn_usd_per_hour: float | None
    """Measured over the last 15 minutes."""
    burn_tokens_per_hour: int
    projected_usd: float | None
    """By the end of the period: the next hour at the burn rate, the rest at the usual one."""
    projected_tokens: int


class PlanWindowReport(PlanWindow, frozen=True, kw_only=True):
    """One entry of `GET /api/usage/windows`."""

    profile: str
    """An alias, or `unattributed`."""
    active: bool
    """Whether it has not ended yet."""
    minutes_left: int | None
    """Whole minutes, rounded up; None when it has ended."""
    burn_usd_per_hour: float | None
    """Measured over the last 15 minutes; None when it has ended, too."""
    burn_tokens_per_hour: int | None
    projected_usd: float | None
    """By its end: the next hour at the burn rate, the rest at the window's own."""
    projected_tokens: int | None


# -- the daemon, and everything at once -------------------------------------------------------------------------------


Access = Literal["own_user", "all_users", "token"]
"""Who comes in without a token: programs of the daemon's user, everybody on this machine, nobody."""


class DaemonStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/daemon/status`."""

    status: str
    pid: int
    uptime_secs: int
    version: str
    profiles_count: int
    active_proxies: int
    problems: tuple[str, ...] = ()
    """What does not work right now, one sentence each."""


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon itself: what the snapshot holds and `Daemon*` events carry."""

    pid: int
    version: str
    instance: str
    """Random per process: tells a restart from a reconnect."""
    started_at: Instant
    status: Literal["running", "degraded", "stopping"] = "running"
    problems: tuple[str, ...] = ()
    """What does not work right now, one sentence each (a broken manifest, an unreadable log folder)."""
    access: Access | None = None
    """None of a daemon that is too old to say."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/snapshot`: everything a dashboard shows, read in one transaction.

    True exactly at `seq` of `log`: applying every later event to it gives every later snapshot. Lists are sorted by
    their key (`id`, `alias`, `profile`, `source`).
    """

    log: str
    seq: int
    at_ms: int
    time_zone: str
    """IANA name of the zone that days are cut in."""
    valid_until_ms: int
    """The end of the user's day: the periods of `usage` begin anew then, so the snapshot must be read again."""
    daemon: Daemon
    agents: tuple[Agent, ...] = ()
    providers: tuple[Provider, ...] = ()
    profiles: tuple[Profile, ...] = ()
    proxies: tuple[Proxy, ...] = ()
    registry: Registry | None = None
    usage: tuple[ProfileUsage, ...] = ()
    imports: tuple[UsageImport, ...] = ()
    budgets: tuple[Budget, ...] = ()
