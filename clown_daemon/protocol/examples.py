"""One value of everything that crosses the wire.

The served documents and the reference pages show them; the goldens in `tests/golden/` are these values written down.
"""

from clown_daemon.protocol.events import (
    AgentDetected,
    AgentUpdated,
    BudgetDeleted,
    BudgetThresholdCrossed,
    BudgetUpdated,
    DaemonShuttingDown,
    DaemonStarted,
    DaemonUpdated,
    EventData,
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
    Resource,
    UsageImported,
    UsageImportProgressed,
    UsageUpdated,
)
from clown_daemon.protocol.problems import Problem
from clown_daemon.protocol.replies import (
    Detection,
    Health,
    Message,
    OutputLine,
    OutputPage,
    PreparedLaunch,
    PreparedRun,
    ProfileMessage,
    ProxyLogs,
    RunStarted,
    RunStopped,
)
from clown_daemon.protocol.resources import (
    Agent,
    AgentDetail,
    AgentSummary,
    AgentUsage,
    Budget,
    BudgetReport,
    Cost,
    Daemon,
    DaemonStatus,
    ModelUsage,
    PartUsage,
    PeriodUsage,
    PlanWindow,
    PlanWindowReport,
    Profile,
    ProfileDetail,
    ProfileSummary,
    ProfileUsage,
    ProfileUsageReport,
    Provider,
    ProviderSummary,
    Proxy,
    ProxyDetail,
    ProxyMinute,
    ProxyRule,
    ProxySettings,
    ProxySummary,
    Registry,
    Run,
    Snapshot,
    Tokens,
    UsageAggregates,
    UsageBucket,
    UsageFolder,
    UsageImport,
    UsageReport,
    UsageSource,
)
from clown_daemon.protocol.stream import (
    ControlData,
    Heartbeat,
    Hello,
    Resync,
    StreamError,
    Subscribed,
    Unsubscribed,
)
from clown_daemon.protocol.usage_reports import (
    ExportRow,
    SessionPage,
    SessionUsage,
    UsageExport,
    UsageLine,
    UsageSeries,
)

AT_MS = 1_767_868_200_123
"""2026-01-08T10:30:00.123Z, the instant of the documented examples."""
LOG = "9f8e7d6c5b4a3021"
NOW = "2026-01-08T10:30:00Z"

RUN = Run(run_id="run-1", state="running", pid=12345, started_at=NOW)
ENDED = Run(
    run_id="run-1",
    state="exited",
    pid=None,
    started_at=NOW,
    ended_at="2026-01-08T10:45:00Z",
    exit_code=0,
    runtime_secs=900,
)


def profile(run: Run | None = None, model: str | None = "claude-sonnet-4") -> Profile:
    return Profile(
        alias="my-project",
        agent_id="claude",
        provider_id="anthropic",
        model=model,
        last_used=None if run is None else NOW,
        created_at="2026-01-07T09:00:00Z",
        profile_home="/home/dev/.local/share/clown/profiles/my-project",
        has_api_key=True,
        run=run,
    )


AGENT = Agent(
    id="claude",
    name="Claude Code",
    installed=True,
    version="1.0.0",
    binary="claude",
    binary_path="/usr/local/bin/claude",
    profile_strategy="config_dir",
    supports_hooks=True,
    default_model="claude-sonnet-4",
    supported_models=("claude-opus-4", "claude-sonnet-4"),
)
REGISTRY = Registry(channel="stable", commit="f4a12c3", last_sync=NOW, cached=False)
PROXY = Proxy(
    profile="work",
    enabled=True,
    port=8081,
    pid=12345,
    status="running",
    started_at=NOW,
    requests=14,
    errors=1,
    last_request_ms=AT_MS,
    last_status=200,
    minutes=(ProxyMinute(1_767_868_200_000, 14, 1, 412.5),),
)
TOKENS = Tokens(input_tokens=5000, output_tokens=2000, cache_creation_input_tokens=300, cache_read_input_tokens=40_000)
COST = Cost(
    input_cost=0.015, output_cost=0.03, cache_creation_cost=0.001125, cache_read_cost=0.012, total_cost=0.058125
)
PERIOD = PeriodUsage(
    start_ms=1_767_830_400_000,
    tokens=TOKENS,
    cost=COST,
    responses=3,
    sessions=1,
    by_model=(ModelUsage(model="claude-sonnet-4", tokens=TOKENS, cost=COST, responses=3),),
    by_agent=(AgentUsage(agent_id="claude", tokens=TOKENS, cost=COST, responses=3),),
)
USAGE = ProfileUsage(
    profile="my-project",
    agent_id="claude",
    last_used=NOW,
    today=PERIOD,
    week=PERIOD,
    month=PERIOD,
    minutes=(UsageBucket(1_767_868_200_000, 47_300, 0.058125),),
    hours=(UsageBucket(1_767_866_400_000, 47_300, None),),
    days=(UsageBucket(1_767_830_400_000, 47_300, 0.058125),),
    window=PlanWindow(start_ms=1_767_866_400_000, end_ms=1_767_884_400_000, tokens=TOKENS, cost=COST, responses=3),
)
IMPORT = UsageImport(
    source="claude",
    state="done",
    files_done=7,
    files_total=7,
    bytes_done=1000,
    bytes_total=1000,
    records_imported=42,
    started_at=NOW,
)
BUDGET = Budget(id="total:day:usd", period="day", limit_usd=10.0, start_ms=1_767_826_800_000, crossed=(80,))
DAEMON = Daemon(pid=12345, version="0.1.0", instance="0123456789abcdef", started_at=NOW, access="own_user")
PROVIDER = Provider(
    id="anthropic",
    name="Anthropic",
    type="anthropic",
    endpoints={"default": "https://api.anthropic.com"},
    default_endpoint="default",
    models=("claude-sonnet-4",),
    default_model="claude-sonnet-4",
)

EVENTS: tuple[tuple[EventData, Resource | None], ...] = (
    (
        ProfileCreated(alias="my-project", agent_id="claude", provider_id="anthropic", model="claude-sonnet-4"),
        profile(),
    ),
    (ProfileUpdated(alias="my-project", changes=("api_key", "model")), profile(model=None)),
    (ProfileDeleted(alias="my-project"), None),
    (ProfileStarted(alias="my-project", pid=12345, run_id="run-1"), profile(RUN)),
    (ProfileStopped(alias="my-project", exit_code=0, runtime_secs=900, run_id="run-1"), profile(ENDED)),
    (AgentDetected(id="claude", name="Claude Code", version="1.0.0", binary_path="/usr/local/bin/claude"), AGENT),
    (AgentUpdated(id="claude", old_version="0.9.0", new_version="1.0.0"), AGENT),
    (RegistrySyncStarted(channel="stable", force=False), REGISTRY),
    (RegistrySyncCompleted(channel="stable", commit="f4a12c3", from_cache=False, artifacts_downloaded=5), REGISTRY),
    (RegistrySyncFailed(error="Network timeout"), REGISTRY),
    (ProxyStarted(profile="work", port=8081, pid=12345), PROXY),
    (ProxyStopped(profile="work", exit_code=0), PROXY),
    (ProxyError(profile="work", error="Port already in use"), PROXY),
    (ProxyUpdated(profile="work", changes=("status",)), PROXY),
    (ProxyMetered(profile="work", requests=2, errors=0), PROXY),
    (ProxyDeleted(profile="work"), None),
    (
        UsageUpdated(
            profile="my-project",
            tokens=TOKENS,
            cost=COST,
            responses=3,
            models=("claude-sonnet-4",),
            agent_id="claude",
        ),
        USAGE,
    ),
    (UsageImported(source="claude", records_imported=42), IMPORT),
    (UsageImportProgressed(source="claude", files_done=3, files_total=7), IMPORT),
    (
        BudgetUpdated(id="profile:work:month:tokens", profile="work", agent_id=None),
        Budget(
            id="profile:work:month:tokens",
            profile="work",
            period="month",
            limit_tokens=50_000_000,
            start_ms=1_767_222_000_000,
        ),
    ),
    (BudgetDeleted(id="agent:claude:month:usd", profile=None, agent_id="claude"), None),
    (
        BudgetThresholdCrossed(
            id="total:day:usd",
            profile=None,
            agent_id=None,
            period="day",
            threshold_percent=80,
            limit_usd=10.0,
            spent_usd=8.04125,
            limit_tokens=None,
            spent_tokens=None,
        ),
        BUDGET,
    ),
    (DaemonStarted(version="0.1.0", pid=12345), DAEMON),
    (DaemonShuttingDown(reason="idle_timeout"), DAEMON),
    (DaemonUpdated(problems=0), DAEMON),
)

CONTROLS: tuple[ControlData, ...] = (
    Hello(
        version="0.1.0", instance="0123456789abcdef", log=LOG, seq=41, floor=0, head=41, resumed=False, reason="expired"
    ),
    Subscribed(events=("ProfileCreated", "UsageUpdated"), seq=41, request_id="7"),
    Unsubscribed(events=("ProfileCreated",), seq=41),
    Heartbeat(seq=41, sent=12),
    Resync(reason="expired"),
    StreamError(code="unknown_event", error="unknown event ProfileCraeted", unknown=("ProfileCraeted",), known=("A",)),
)

PROFILE_SUMMARY = ProfileSummary(
    alias="my-project",
    agent_id="claude",
    provider_id="anthropic",
    endpoint_id=None,
    model="claude-sonnet-4",
    last_used=NOW,
)
PROFILE_DETAIL = ProfileDetail(
    alias="my-project",
    agent_id="claude",
    provider_id="anthropic",
    endpoint_id=None,
    model="claude-sonnet-4",
    last_used=NOW,
    created_at="2026-01-07T09:00:00Z",
    profile_home="/home/dev/.local/share/clown/profiles/my-project",
)
PART = PartUsage(tokens=TOKENS, cost=COST, responses=2)
REPORT = UsageReport(
    period="Today",
    total_tokens=TOKENS,
    total_cost=COST,
    total_sessions=1,
    total_runtime_secs=900,
    aggregates=UsageAggregates(
        by_profile={
            "my-project": ProfileUsageReport(
                profile="my-project", tokens=TOKENS, cost=COST, sessions=1, runtime_secs=900, last_used=NOW
            )
        },
        by_agent={"claude": PART},
        by_provider={"anthropic": PART},
        by_model={"claude-sonnet-4": PART},
    ),
)
SERIES = UsageSeries(
    period="Last 30 days",
    bucket="day",
    by="model",
    time_zone="Europe/Berlin",
    start_ms=1_765_321_200_000,
    end_ms=1_767_913_200_000,
    lines=(UsageLine(name="claude-sonnet-4", buckets=(UsageBucket(1_767_826_800_000, 47_300, 0.058125),)),),
)
SESSIONS = SessionPage(
    period="Last 7 days",
    sessions=(
        SessionUsage(
            session="5b1d4adc-6f6a-4f0e-9a53-5d7b2f1c0e44",
            agent_id="claude",
            parent_session=None,
            profiles=("my-project",),
            models=("claude-sonnet-4",),
            projects=("/home/dev/my-project",),
            tokens=TOKENS,
            cost=COST,
            responses=2,
            unpriced_responses=0,
            first_used=NOW,
            last_used=NOW,
        ),
    ),
    next=None,
)
EXPORT = UsageExport(
    period="Last 30 days",
    time_zone="Europe/Berlin",
    rows=(
        ExportRow(
            date="2026-01-08",
            profile="my-project",
            agent_id="claude",
            provider="anthropic",
            model="claude-sonnet-4",
            responses=2,
            unpriced_responses=0,
            input_tokens=TOKENS.input_tokens,
            output_tokens=TOKENS.output_tokens,
            cache_creation_5m_input_tokens=TOKENS.cache_creation_input_tokens,
            cache_creation_1h_input_tokens=0,
            cache_read_input_tokens=TOKENS.cache_read_input_tokens,
            reasoning_output_tokens=0,
            web_searches=0,
            cost=COST,
        ),
    ),
)

REPLIES: dict[str, object] = {
    "ProfileSummary": PROFILE_SUMMARY,
    "ProfileDetail": PROFILE_DETAIL,
    "AgentSummary": AgentSummary(
        id="claude",
        name="Claude Code",
        installed=True,
        version="1.0.0",
        binary_path="/usr/local/bin/claude",
        profile_count=1,
    ),
    "AgentDetail": AgentDetail(
        id="claude",
        name="Claude Code",
        installed=True,
        version="1.0.0",
        binary="claude",
        binary_path="/usr/local/bin/claude",
        profile_strategy="config_dir",
        supports_hooks=True,
        default_model="claude-sonnet-4",
        supported_models=("claude-sonnet-4",),
    ),
    "ProviderSummary": ProviderSummary(id="anthropic", name="Anthropic", type="anthropic", default_model=None),
    "Provider": PROVIDER,
    "UsageReport": REPORT,
    "UsageImport": IMPORT,
    "UsageSource": UsageSource(
        source="claude",
        agent_id="claude",
        name="Claude Code",
        state="following",
        folders=(UsageFolder(path="/home/dev/.claude/projects", profile="unattributed", state="watched"),),
        files=7,
        bytes=1000,
        records=42,
        lines_broken=1,
        last_read=NOW,
        problems=("the log /home/dev/.claude/projects/-w/a.jsonl cannot be read: Permission denied",),
    ),
    "UsageSeries": SERIES,
    "SessionPage": SESSIONS,
    "UsageExport": EXPORT,
    "BudgetReport": BudgetReport(
        id="total:day:usd",
        period="day",
        limit_usd=10.0,
        start_ms=1_767_826_800_000,
        crossed=(80,),
        end_ms=1_767_913_200_000,
        spent_usd=8.04125,
        spent_tokens=6_543_210,
        responses=420,
        unpriced_responses=0,
        percent=80.4125,
        burn_usd_per_hour=1.61,
        burn_tokens_per_hour=1_310_000,
        projected_usd=12.3,
        projected_tokens=10_009_000,
    ),
    "PlanWindowReport": PlanWindowReport(
        profile="my-project",
        start_ms=1_767_866_400_000,
        end_ms=1_767_884_400_000,
        tokens=TOKENS,
        cost=COST,
        responses=3,
        active=True,
        minutes_left=270,
        burn_usd_per_hour=0.2325,
        burn_tokens_per_hour=189_200,
        projected_usd=0.35,
        projected_tokens=284_000,
    ),
    "DaemonStatus": DaemonStatus(
        status="running",
        pid=12345,
        uptime_secs=60,
        version="0.1.0",
        profiles_count=1,
        active_proxies=0,
    ),
    "Snapshot": Snapshot(
        log=LOG,
        seq=41,
        at_ms=AT_MS,
        time_zone="Europe/Berlin",
        valid_until_ms=1_767_913_200_000,
        daemon=DAEMON,
        agents=(AGENT,),
        providers=(PROVIDER,),
        profiles=(profile(RUN),),
        proxies=(PROXY,),
        registry=REGISTRY,
        usage=(USAGE,),
        imports=(IMPORT,),
        budgets=(BUDGET,),
    ),
    "ProxySummary": ProxySummary(profile="work", port=8081, pid=12345, status="running", restarts=0, started_at=NOW),
    "ProxyDetail": ProxyDetail(profile="work", enabled=True, port=8081, pid=12345, status="running"),
    "ProxyLogs": ProxyLogs(
        profile="work",
        lines=("2026-01-08 10:30:00,123 INFO generate anthropic claude-sonnet-4 200 whole 1842 ms, 47300 tokens",),
    ),
    "ProxySettings": ProxySettings(
        enabled=True, port=8081, rules=(ProxyRule(to="cheap", model="claude-haiku-*"),), fallbacks=("spare",)
    ),
    "ProfileMessage": ProfileMessage(alias="my-project", message="Profile my-project was created."),
    "Message": Message(message="Profile my-project was deleted."),
    "PreparedLaunch": PreparedLaunch(
        argv=("/usr/local/bin/claude",),
        env={"ANTHROPIC_AUTH_TOKEN": "\u27e8clown:secret\u27e9"},
        unset=("ANTHROPIC_API_KEY",),
        working_dir="/home/dev/project",
        secret="work proxy",  # noqa: S106  # which secret, not the secret
    ),
    "PreparedRun": PreparedRun(
        run_id="5b1c0f6a3d2e4f70",
        argv=("/usr/local/bin/claude", "-p", "say hi"),
        env={"ANTHROPIC_AUTH_TOKEN": "\u27e8clown:secret\u27e9", "CLOWN_RUN_ID": "5b1c0f6a3d2e4f70"},
        unset=("ANTHROPIC_API_KEY",),
        working_dir="/home/dev/project",
        secret="work proxy",  # noqa: S106  # which secret, not the secret
    ),
    "RunStarted": RunStarted(run_id="run-1", pid=12345),
    "RunStopped": RunStopped(run_id="run-1", exit_code=-15, message="The run was ended by SIGTERM."),
    "OutputPage": OutputPage(
        run_id="run-1", lines=(OutputLine(number=1, stream="stdout", text="hello"),), next=1, dropped=0, running=True
    ),
    "Detection": Detection(agents=(AGENT,), changed=1),
    "Health": Health(status="ok", version="0.1.0"),
}

PROBLEMS: dict[str, Problem] = {
    "Problem": Problem(
        success=False,
        error="unknown field 'alais'",
        code="unknown_field",
        hint="did you mean 'alias'?",
    ),
    "ProblemInternal": Problem(success=False, error="something broke", code="internal", request_id="5f3a"),
}
