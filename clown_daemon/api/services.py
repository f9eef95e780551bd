"""What the API serves: the services it calls, as it needs them. `daemon.py` passes the implementations."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from clown_daemon.api.refusals import Refusals
from clown_daemon.api.seats import Seats
from clown_daemon.broadcaster import Broadcaster
from clown_daemon.clock import Clock
from clown_daemon.histogram import Histogram
from clown_daemon.protocol.events import ShutdownReason
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
    SetBudget,
    UpdateProfile,
    UsageExportQuery,
    UsageQuery,
    UsageSeriesQuery,
    UsageSessionsQuery,
    WindowsQuery,
)
from clown_daemon.protocol.resources import (
    AgentDetail,
    AgentSummary,
    BudgetReport,
    Daemon,
    DaemonStatus,
    PlanWindowReport,
    ProfileDetail,
    ProfileSummary,
    Provider,
    ProxyDetail,
    ProxySettings,
    ProxySummary,
    UsageImport,
    UsageReport,
    UsageSource,
)
from clown_daemon.protocol.stream import HEARTBEAT_SECONDS
from clown_daemon.protocol.usage_reports import SessionPage, UsageSeries
from clown_daemon.store.database import Database
from clown_daemon.usage.reports import Export


class Profiles(Protocol):
    """The profiles and their runs."""

    async def list(self, agent: str | None = None) -> tuple[ProfileSummary, ...]: ...
    async def get(self, alias: str) -> ProfileDetail: ...
    async def create(self, request: CreateProfile) -> ProfileMessage: ...
    async def update(self, alias: str, request: UpdateProfile) -> ProfileMessage: ...
    async def delete(self, alias: str) -> Message: ...
    async def run(self, alias: str, request: RunProfile) -> RunStarted: ...
    async def stop(self, alias: str) -> RunStopped: ...
    async def output(self, alias: str, query: OutputQuery) -> OutputPage: ...


class Agents(Protocol):
    """The agents of this machine."""

    async def list(self) -> tuple[AgentSummary, ...]: ...
    async def get(self, agent_id: str) -> AgentDetail: ...
    async def detect(self) -> Detection: ...


class ProviderManifest(Protocol):
    """What is known of one provider."""

    def resource(self) -> Provider: ...


class Providers(Protocol):
    """The catalogue."""

    @property
    def providers(self) -> Mapping[str, ProviderManifest]: ...


class Proxies(Protocol):
    """The metering proxies."""

    async def statuses(self) -> tuple[ProxySummary, ...]: ...
    async def status(self, alias: str) -> ProxyDetail: ...
    async def start(self, alias: str) -> ProxyDetail: ...
    async def stop(self, alias: str) -> ProxyDetail: ...
    async def restart(self, alias: str) -> ProxyDetail: ...
    async def stop_all(self) -> Message: ...
    async def logs(self, alias: str, lines: int) -> ProxyLogs: ...
    async def settings(self, alias: str) -> ProxySettings: ...
    async def change(self, alias: str, settings: ProxySettings) -> ProxySettings: ...


class Runs(Protocol):
    """Runs that own the user's terminal."""

    async def describe(self, alias: str) -> PreparedLaunch: ...
    async def prepare(self, request: PrepareRun) -> PreparedRun: ...
    async def began(self, run_id: str, request: RunBegan) -> Message: ...
    async def ended(self, run_id: str, request: RunEnded) -> Message: ...


class Reports(Protocol):
    """What the ledger says."""

    async def report(self, query: UsageQuery) -> UsageReport: ...
    async def series(self, query: UsageSeriesQuery) -> UsageSeries: ...
    async def sessions(self, query: UsageSessionsQuery) -> SessionPage: ...
    async def export(self, query: UsageExportQuery) -> Export: ...


class Usage(Protocol):
    """What fills the ledger."""

    async def import_claude(self, query: ImportClaudeQuery) -> str: ...
    async def import_usage(self, request: ImportUsage) -> UsageImport: ...
    async def cancel_imports(self, request: CancelImports) -> tuple[UsageImport, ...]: ...
    async def sources(self) -> tuple[UsageSource, ...]: ...


class Windows(Protocol):
    """The five-hour windows of Claude Code."""

    async def list(self, query: WindowsQuery) -> tuple[PlanWindowReport, ...]: ...


class Budgets(Protocol):
    """Limits on what is spent."""

    async def list(self) -> tuple[BudgetReport, ...]: ...
    async def set(self, request: SetBudget) -> BudgetReport: ...
    async def delete(self, budget_id: str) -> Message: ...


class DaemonFacts(Protocol):
    """What the daemon knows of itself."""

    version: str
    instance: str

    def daemon(self) -> Daemon: ...
    async def status(self) -> DaemonStatus: ...
    def touch(self) -> None: ...
    def request_shutdown(self, reason: ShutdownReason) -> None: ...
    def needed_by(self) -> tuple[str, ...]: ...
    def command(self) -> AbstractContextManager[None]: ...


@dataclass
class LastSnapshot:
    """The snapshot that was encoded last, and its identity. For the database's reader thread alone."""

    tag: str = ""
    body: bytes = b""

    def keep(self, tag: str, body: bytes) -> None:
        """Put another in its place."""
        self.tag, self.body = tag, body


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a handler may call."""

    profiles: Profiles
    agents: Agents
    providers: Providers
    proxies: Proxies
    runs: Runs
    usage: Usage
    reports: Reports
    windows: Windows
    budgets: Budgets
    daemon: DaemonFacts
    database: Database
    broadcaster: Broadcaster
    clock: Clock
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    refusals: Refusals = field(default_factory=Refusals)
    loop_lag: Histogram = field(default_factory=Histogram)
    seats: Seats = field(default_factory=Seats)
    snapshots: LastSnapshot = field(default_factory=LastSnapshot)


SERVICES = web.AppKey("services", Services)
