"""The API on a real socket with a real database, and fakes of the services behind it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from aiohttp import web

from clown_daemon.access_token import AccessToken
from clown_daemon.api.access import Gate
from clown_daemon.api.app import Services, build_app
from clown_daemon.api.listener import serve
from clown_daemon.api.peers import Lookup
from clown_daemon.api.refusals import Refusals
from clown_daemon.api.strangers import MOST_STRANGERS
from clown_daemon.broadcaster import Broadcaster
from clown_daemon.clock import SystemClock
from clown_daemon.config import Auth
from clown_daemon.errors import DomainError
from clown_daemon.profiles.private_file import write_private
from clown_daemon.protocol.events import EventData, ProfileDeleted
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import (
    Detection,
    Message,
    OutputPage,
    PreparedLaunch,
    PreparedRun,
    ProfileMessage,
    ProxyLogs,
    RunStarted,
    RunStopped,
)
from clown_daemon.protocol.requests import (
    CancelImports,
    CreateProfile,
    ImportClaudeQuery,
    ImportUsage,
    OutputQuery,
    PrepareRun,
    RunBegan,
    RunEnded,
    RunProfile,
    UpdateProfile,
    UsageExportQuery,
    UsageQuery,
    UsageSeriesQuery,
    UsageSessionsQuery,
)
from clown_daemon.protocol.resources import (
    AgentDetail,
    AgentSummary,
    Cost,
    Daemon,
    DaemonStatus,
    ProfileDetail,
    ProfileSummary,
    Provider,
    ProxyDetail,
    ProxySettings,
    ProxySummary,
    Tokens,
    UsageAggregates,
    UsageImport,
    UsageReport,
    UsageSource,
)
from clown_daemon.protocol.usage_reports import SessionPage, UsageSeries
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent, read_after, read_head
from clown_daemon.store.periods import Span
from clown_daemon.store.usage_spans import EVERYTHING
from clown_daemon.store.usage_timeline import DayRow
from clown_daemon.usage.budgets import BudgetService
from clown_daemon.usage.reports import Asked, Export
from clown_daemon.usage.windows import WindowService

TOKEN = "right"

SUMMARY = ProfileSummary(
    alias="work", agent_id="claude", provider_id="anthropic", endpoint_id=None, model=None, last_used=None
)


class FakeProfiles:
    """Knows one profile, `work`; `boom` breaks."""

    async def list(self, agent: str | None = None) -> tuple[ProfileSummary, ...]:
        return (SUMMARY,) if agent in {None, "claude"} else ()

    async def get(self, alias: str) -> ProfileDetail:
        if alias == "boom":
            raise RuntimeError("secret detail of the inside")
        self._check(alias)
        return ProfileDetail(
            alias=alias,
            agent_id="claude",
            provider_id="anthropic",
            endpoint_id=None,
            model=None,
            last_used=None,
            created_at="2026-01-08T10:30:00Z",
            profile_home="/home/dev/work",
        )

    async def create(self, request: CreateProfile) -> ProfileMessage:
        if request.alias == "work":
            raise DomainError(ProblemCode.PROFILE_EXISTS, "the profile 'work' exists", hint="choose another alias")
        return ProfileMessage(alias=request.alias, message="created")

    async def update(self, alias: str, request: UpdateProfile) -> ProfileMessage:
        return ProfileMessage(alias=alias, message=f"model {request.model}")

    async def delete(self, alias: str) -> Message:
        self._check(alias)
        return Message(message="deleted")

    async def run(self, alias: str, request: RunProfile) -> RunStarted:
        self._check(alias)
        return RunStarted(run_id="r1", pid=len(request.args) + 1)

    async def stop(self, alias: str) -> RunStopped:
        return RunStopped(run_id="r1", exit_code=-15, message=f"{alias} stopped")

    async def output(self, alias: str, query: OutputQuery) -> OutputPage:
        self._check(alias)
        return OutputPage(run_id="r1", lines=(), next=query.after)

    def _check(self, alias: str) -> None:
        if alias != "work":
            raise DomainError(ProblemCode.UNKNOWN_PROFILE, f"there is no profile {alias!r}")


class FakeAgents:
    """Knows one agent."""

    async def list(self) -> tuple[AgentSummary, ...]:
        return (
            AgentSummary(
                id="claude", name="Claude Code", installed=True, version="1", binary_path="/bin/x", profile_count=1
            ),
        )

    async def get(self, agent_id: str) -> AgentDetail:
        return AgentDetail(
            id=agent_id,
            name="Claude Code",
            installed=False,
            version=None,
            binary="claude",
            binary_path=None,
            profile_strategy="config_dir",
            supports_hooks=True,
            default_model=None,
            supported_models=(),
        )

    async def detect(self) -> Detection:
        return Detection(agents=(), changed=0)


@dataclass(frozen=True)
class FakeProvider:
    id: str

    def resource(self) -> Provider:
        return Provider(
            id=self.id,
            name=self.id.title(),
            type="anthropic",
            endpoints={"default": "https://api.example"},
            default_endpoint="default",
            models=("m",),
            default_model="m",
        )


@dataclass(frozen=True)
class FakeCatalogue:
    providers: Mapping[str, FakeProvider]


class FakeProxies:
    """Nobody has a proxy."""

    async def statuses(self) -> tuple[ProxySummary, ...]:
        return ()

    async def status(self, alias: str) -> ProxyDetail:
        return ProxyDetail(profile=alias, enabled=False, port=None, pid=None, status="stopped")

    async def start(self, alias: str) -> ProxyDetail:
        return await self.status(alias)

    async def stop(self, alias: str) -> ProxyDetail:
        return await self.status(alias)

    async def restart(self, alias: str) -> ProxyDetail:
        return await self.status(alias)

    async def stop_all(self) -> Message:
        return Message(message="stopped 0 proxies")

    async def logs(self, alias: str, lines: int) -> ProxyLogs:
        return ProxyLogs(profile=alias, lines=("a line",) * min(lines, 1))

    async def settings(self, alias: str) -> ProxySettings:
        return ProxySettings(enabled=alias == "work")

    async def change(self, alias: str, settings: ProxySettings) -> ProxySettings:  # noqa: ARG002  # what is called
        return settings


class FakeRuns:
    """Every run can be prepared, and nothing comes of it."""

    async def describe(self, alias: str) -> PreparedLaunch:
        return PreparedLaunch(argv=(alias,), env={}, unset=(), working_dir="/", secret=None)

    async def prepare(self, request: PrepareRun) -> PreparedRun:
        return PreparedRun(run_id="1", argv=request.args, env={}, unset=(), working_dir="/", secret=None)

    async def began(self, run_id: str, request: RunBegan) -> Message:
        return Message(message=f"{run_id} began as {request.pid}")

    async def ended(self, run_id: str, request: RunEnded) -> Message:
        return Message(message=f"{run_id} ended with {request.exit_code}")


class FakeReports:
    """Knows an empty ledger; an export of the model `boom` breaks amid its rows."""

    async def report(self, query: UsageQuery) -> UsageReport:
        return UsageReport(
            period=query.period,
            total_tokens=Tokens(),
            total_cost=Cost(),
            total_sessions=0,
            total_runtime_secs=0,
            aggregates=UsageAggregates(by_profile={}),
        )

    async def series(self, query: UsageSeriesQuery) -> UsageSeries:
        return UsageSeries(
            period=query.period, bucket=query.bucket, by=query.by, time_zone="UTC", start_ms=0, end_ms=1, lines=()
        )

    async def sessions(self, query: UsageSessionsQuery) -> SessionPage:
        return SessionPage(period=query.period, sessions=(), next=None)

    async def export(self, query: UsageExportQuery) -> Export:
        async def no_rows() -> AsyncIterator[list[DayRow]]:
            yield []
            if query.model == "boom":
                raise RuntimeError("boom")

        zone = ZoneInfo("UTC")
        asked = Asked(label=query.period, span=Span(0, 1), zone=zone, zone_name="UTC", only=EVERYTHING, now_ms=0)
        return Export(asked, no_rows())


class FakeUsage:
    async def import_claude(self, query: ImportClaudeQuery) -> str:
        return f"0 records were imported from {query.claude_dir}"

    async def import_usage(self, request: ImportUsage) -> UsageImport:
        return UsageImport(source=request.source, state="running")

    async def cancel_imports(self, request: CancelImports) -> tuple[UsageImport, ...]:
        return (UsageImport(source=request.source or "claude", state="cancelled"),)

    async def sources(self) -> tuple[UsageSource, ...]:
        return (UsageSource(source="claude", agent_id="claude", name="Claude Code", state="absent"),)


@dataclass
class FakeDaemon:
    version: str = "0.1.0"
    instance: str = "i1"
    touched: int = 0
    asked_to_stop: list[str] = field(default_factory=list)
    needed: tuple[str, ...] = ()
    commands: int = 0

    def daemon(self) -> Daemon:
        return Daemon(pid=1, version=self.version, instance=self.instance, started_at="2026-01-08T10:30:00Z")

    async def status(self) -> DaemonStatus:
        return DaemonStatus(
            status="running", pid=1, uptime_secs=0, version=self.version, profiles_count=1, active_proxies=0
        )

    def touch(self) -> None:
        self.touched += 1

    def request_shutdown(self, reason: str) -> None:
        self.asked_to_stop.append(reason)

    def needed_by(self) -> tuple[str, ...]:
        return self.needed

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        self.commands += 1
        yield


@dataclass
class ApiServer:
    """A listener on a free port."""

    port: int
    database: Database
    broadcaster: Broadcaster
    daemon: FakeDaemon
    refusals: Refusals
    token_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def record(self, *aliases: str) -> int:
        """Record one event for each alias, in one transaction; answer the number of the last."""
        return await self.record_data([ProfileDeleted(alias=alias) for alias in aliases])

    async def record_data(self, data: Sequence[EventData]) -> int:
        return await self.database.write(lambda transaction: [transaction.record(one, None) for one in data][-1])

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False)


@contextlib.asynccontextmanager
async def running_api(
    tmp_path: Path,
    *,
    auth: Auth = "auto",
    lookup: Lookup | None = None,
    allowed_origins: tuple[str, ...] = (),
    heartbeat_seconds: float = 15,
    stall_seconds: float = 10,
    most_strangers: int = MOST_STRANGERS,
) -> AsyncIterator[ApiServer]:
    """Serve until the block ends."""
    announced: list[Callable[[Sequence[EncodedEvent]], None]] = []
    clock = SystemClock("UTC")

    def announce(events: Sequence[EncodedEvent]) -> None:
        announced[0](events)

    database = await open_database(tmp_path / "clown.db", clock, announce)

    async def read_log(seq: int, limit: int) -> list[EncodedEvent]:
        return await database.read(lambda connection: read_after(connection, seq, limit=limit))

    head = await database.read(read_head)
    broadcaster = Broadcaster(database_reader=read_log, log=database.log, head=head, stall_seconds=stall_seconds)
    announced.append(broadcaster.publish)
    daemon = FakeDaemon()
    services = Services(
        profiles=FakeProfiles(),
        agents=FakeAgents(),
        providers=FakeCatalogue({"anthropic": FakeProvider("anthropic"), "zed": FakeProvider("zed")}),
        proxies=FakeProxies(),
        runs=FakeRuns(),
        usage=FakeUsage(),
        reports=FakeReports(),
        windows=WindowService(database=database, clock=clock),
        budgets=BudgetService(database=database, clock=clock),
        daemon=daemon,
        database=database,
        broadcaster=broadcaster,
        clock=clock,
        heartbeat_seconds=heartbeat_seconds,
    )
    token_file = tmp_path / "token"
    write_private(token_file, TOKEN.encode())
    gate = Gate(auth=auth, token=AccessToken(token_file), lookup=lookup, allowed_origins=allowed_origins)
    app: web.Application = build_app(services, gate)
    runner, port = await serve(app, 0, most_strangers=most_strangers)
    try:
        yield ApiServer(port, database, broadcaster, daemon, services.refusals, token_file)
    finally:
        await broadcaster.close("stop")
        await runner.cleanup()
        await database.close()
