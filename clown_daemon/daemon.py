"""The composition root: builds the parts, connects them, runs them, stops them in reverse order.

Nobody else constructs a neighbour. Order of life: lock, token, database, features, listener, `DaemonStarted`, ready
line, background tasks; and back: `DaemonShuttingDown`, streams, children, listener, database, lock.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiohttp import web

from clown_daemon.agents.service import AgentService
from clown_daemon.api.access import Gate, open_gate
from clown_daemon.api.app import Services, build_app
from clown_daemon.api.listener import serve, stop_accepting
from clown_daemon.broadcaster import Broadcaster
from clown_daemon.clock import Clock
from clown_daemon.config import Config
from clown_daemon.errors import StartError
from clown_daemon.facts import DaemonFacts
from clown_daemon.health import Health
from clown_daemon.histogram import Histogram
from clown_daemon.instance import InstanceLock, write_daemon_file
from clown_daemon.manifests.catalogue import Catalogue, load_catalogue
from clown_daemon.paths import Paths
from clown_daemon.processes.alias_locks import AliasLocks
from clown_daemon.processes.listeners import port_owner
from clown_daemon.processes.supervisor import Supervisor
from clown_daemon.profiles.interactive import InteractiveRuns
from clown_daemon.profiles.launcher import Launcher
from clown_daemon.profiles.rules import find_agent, find_provider
from clown_daemon.profiles.secrets import SecretStore, open_secret_store
from clown_daemon.profiles.service import ProfileService
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.proxies.service import ProxyService, open_proxies
from clown_daemon.proxies.spool_reader import SpoolReader
from clown_daemon.proxies.wiring import Party
from clown_daemon.store.agents import read_agent
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent, read_after, read_head
from clown_daemon.store.profiles import find_profile, read_profiles
from clown_daemon.store.retention import Limits, Pruner
from clown_daemon.usage.budgets import BudgetService
from clown_daemon.usage.inventory import LogOwner
from clown_daemon.usage.reports import UsageReports
from clown_daemon.usage.service import UsageService
from clown_daemon.usage.windows import WindowService
from clown_daemon.vitals import watch_lag

logger = logging.getLogger(__name__)

IDLE_CHECK_SECONDS = 1
LOG_PAGE_BYTES = 256 * 1024
"""What is read of the log at once for a client that is behind: there may be many of them."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The running daemon's parts."""

    gate: Gate
    catalogue: Catalogue
    database: Database
    broadcaster: Broadcaster
    facts: DaemonFacts
    agents: AgentService
    profiles: ProfileService
    runs: InteractiveRuns
    proxies: ProxyService
    spools: SpoolReader
    supervisor: Supervisor
    usage: UsageService
    windows: WindowService
    budgets: BudgetService
    pruner: Pruner
    loop_lag: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, kw_only=True)
class Starter:
    """Whoever started the daemon: what it is told, and what it passed on."""

    ready: Callable[[dict[str, object]], None]
    """Called once, when the daemon answers: `{url, pid, version, state_dir, access, problems}`."""
    stopping: Callable[[str], None]
    """Called once, when the daemon begins to end, with the reason."""
    sockets: Sequence[socket.socket] = ()
    """Sockets that listen already, instead of the configured port."""


async def run_daemon(
    paths: Paths, config: Config, environ: Mapping[str, str], clock: Clock, *, starter: Starter
) -> None:
    """Run until somebody asks for the end: over HTTP, by a signal, or by not needing the daemon for long.

    Raises:
        AlreadyRunningError: another daemon holds this state folder.
        StartError: the port is taken, or the state cannot be read or written.
    """
    lock = InstanceLock(paths.lock_file)
    try:
        with open_gate(paths, config) as gate:
            async with _database(paths, clock) as (database, broadcaster):
                parts = await _build(paths, config, environ, clock, database, broadcaster, gate)
                await parts.agents.prepare()
                await parts.proxies.reconcile()
                await parts.profiles.reconcile()
                app = build_app(
                    Services(
                        profiles=parts.profiles,
                        agents=parts.agents,
                        providers=parts.catalogue,
                        proxies=parts.proxies,
                        runs=parts.runs,
                        usage=parts.usage,
                        reports=UsageReports(database=database, clock=clock, providers=parts.catalogue.providers),
                        windows=parts.windows,
                        budgets=parts.budgets,
                        daemon=parts.facts,
                        database=database,
                        broadcaster=broadcaster,
                        clock=clock,
                        loop_lag=parts.loop_lag,
                    ),
                    gate,
                )
                runner, port = await _listen(app, config.port, starter.sockets)
                try:
                    await _live(parts, paths, config, clock, runner, port, starter)
                finally:
                    await runner.cleanup()
                    paths.daemon_file.unlink(missing_ok=True)
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def _database(paths: Paths, clock: Clock) -> AsyncIterator[tuple[Database, Broadcaster]]:
    """Open the database and the broadcaster that its commits are announced to."""
    announced: list[Callable[[list[EncodedEvent]], None]] = []
    database = await open_database(paths.database_file, clock, lambda events: announced[0](list(events)))
    try:
        head = await database.read(read_head)

        async def read_log(seq: int, limit: int) -> list[EncodedEvent]:
            return await database.read(
                lambda connection: read_after(connection, seq, limit=limit, most_bytes=LOG_PAGE_BYTES)
            )

        broadcaster = Broadcaster(database_reader=read_log, log=database.log, head=head)
        announced.append(broadcaster.publish)
        yield database, broadcaster
    finally:
        await database.close()


async def _build(
    paths: Paths,
    config: Config,
    environ: Mapping[str, str],
    clock: Clock,
    database: Database,
    broadcaster: Broadcaster,
    gate: Gate,
) -> Parts:
    catalogue = load_catalogue(paths)

    async def find_binary(agent_id: str) -> str | None:
        agent = await database.read(lambda connection: read_agent(connection, agent_id))
        return agent.binary_path if agent is not None and agent.installed else None

    async def log_owners() -> Mapping[str, LogOwner]:
        profiles = await database.read(read_profiles)
        return {p.alias: LogOwner(Path(p.profile_home), p.provider_id) for p in profiles}

    async def count_profiles() -> int:
        return len(await database.read(read_profiles))

    secrets = open_secret_store(paths, environ)
    supervisor = Supervisor(stop_grace_seconds=config.stop_grace_secs)
    usage = UsageService(database=database, clock=clock, environ=environ, paths=paths, owners=log_owners)
    spools = SpoolReader(
        folder=paths.spool_dir,
        database=database,
        ledger=usage,
        is_busy=lambda: bool(proxies.active),
    )
    budgets = BudgetService(database=database, clock=clock)
    proxies = open_proxies(
        database=database,
        secrets=secrets,
        party=partial(_party, database, catalogue, secrets),
        refusal=budgets.refusal,
        paths=paths,
        environ=environ,
        port_range=config.proxy_port_range,
        on_start=spools.wake,
    )
    launcher = Launcher(catalogue=catalogue, secrets=secrets, find_binary=find_binary, proxies=proxies)
    locks = AliasLocks()
    runs = InteractiveRuns(
        launcher=launcher, database=database, locks=locks, paths=paths, stop_grace_seconds=config.stop_grace_secs
    )
    profiles = ProfileService(
        catalogue=catalogue,
        database=database,
        secrets=secrets,
        supervisor=supervisor,
        paths=paths,
        environ=environ,
        launcher=launcher,
        interactive=runs,
        locks=locks,
        proxies=proxies,
    )
    return Parts(
        gate=gate,
        catalogue=catalogue,
        database=database,
        broadcaster=broadcaster,
        facts=DaemonFacts(
            pid=os.getpid(),
            clock=clock,
            database=database,
            count_profiles=count_profiles,
            count_clients=lambda: broadcaster.active_clients,
            count_runs=lambda: profiles.active_runs,
            count_proxies=lambda: proxies.active,
            access=gate.access,
        ),
        agents=AgentService(catalogue=catalogue, database=database, environ=environ, clock=clock),
        profiles=profiles,
        runs=runs,
        proxies=proxies,
        spools=spools,
        supervisor=supervisor,
        usage=usage,
        windows=WindowService(database=database, clock=clock),
        budgets=budgets,
        pruner=Pruner(database=database, clock=clock, limits=_limits(config)),
    )


async def _party(database: Database, catalogue: Catalogue, secrets: SecretStore, alias: str) -> Party:
    """A profile with all that it stands for.

    Raises:
        DomainError: there is no such profile, or no such agent or provider any more.
    """
    profile = await database.read(partial(find_profile, alias=alias))
    return Party(
        profile=profile,
        agent=find_agent(catalogue, profile.agent_id),
        provider=find_provider(catalogue, profile.provider_id),
        api_key=await secrets.get(alias) if profile.has_api_key else None,
    )


def _limits(config: Config) -> Limits:
    return Limits(
        events=config.retention_events,
        age_ms=round(config.retention_days * 86_400_000),
        bytes=config.retention_bytes,
    )


async def _listen(app: web.Application, port: int, inherited: Sequence[socket.socket]) -> tuple[web.AppRunner, int]:
    try:
        return await serve(app, port, inherited=inherited)
    except OSError as error:
        owner = await asyncio.to_thread(port_owner, port)
        raise StartError(
            f"port {port} is already in use{f' by {owner}' if owner else ''}",
            hint="choose another with --port N or CLOWN_PORT=N; 0 takes any free one",
        ) from error


async def _live(
    parts: Parts,
    paths: Paths,
    config: Config,
    clock: Clock,
    runner: web.AppRunner,
    port: int,
    starter: Starter,
) -> None:
    """Be there: from the first event to the last."""
    facts = parts.facts
    await facts.record_start()
    write_daemon_file(
        paths.daemon_file,
        {
            "pid": os.getpid(),
            "started_at": rfc3339(clock.now_ms()),
            "port": port,
            "version": facts.version,
            "instance": facts.instance,
            "access": parts.gate.access,
        },
    )
    url = f"http://127.0.0.1:{port}"
    starter.ready(
        {
            "url": url,
            "pid": os.getpid(),
            "version": facts.version,
            "state_dir": str(paths.state_dir),
            "access": parts.gate.access,
            "problems": parts.database.problems,
        }
    )
    logger.info("listening on %s, log %s", url, parts.database.log)
    health = Health(
        facts,
        [
            lambda: parts.gate.problems,
            lambda: parts.catalogue.problems,
            lambda: parts.usage.problems,
            lambda: parts.database.problems,
        ],
    )
    async with asyncio.TaskGroup() as tasks, _signals(parts):
        background = [
            tasks.create_task(health.keep("agent detection", parts.agents.watch), name="agents.watch"),
            tasks.create_task(health.keep("usage following", parts.usage.follow), name="usage.follow"),
            tasks.create_task(health.keep("metering", parts.spools.watch), name="spools.watch"),
            tasks.create_task(health.keep("looking after proxies", parts.proxies.watch), name="proxies.watch"),
            tasks.create_task(health.keep("hard budgets", parts.proxies.watch_budgets), name="proxies.budgets"),
            tasks.create_task(health.keep("pruning of old events", parts.pruner.watch), name="retention"),
            tasks.create_task(health.keep("token following", parts.gate.follow_token), name="token.follow"),
            tasks.create_task(health.watch(), name="health"),
            tasks.create_task(parts.database.check(), name="database.check"),
            tasks.create_task(watch_lag(parts.loop_lag), name="loop.lag"),
            tasks.create_task(_stop_when_idle(parts, config.idle_timeout_secs), name="idle"),
        ]
        await facts.shutdown_requested.wait()
        logger.info("stopping: %s", facts.shutdown_reason)
        starter.stopping(facts.shutdown_reason)
        if starter.sockets:
            await stop_accepting(runner)  # who connects from now on is served by the next daemon
        await facts.record_shutdown()
        for task in background:
            task.cancel()
        await parts.broadcaster.close(facts.shutdown_reason)
        await parts.profiles.close()
        await parts.proxies.close()
        await parts.spools.finish()


async def _stop_when_idle(parts: Parts, timeout_seconds: float) -> None:
    if not timeout_seconds:
        return
    while True:
        await asyncio.sleep(min(IDLE_CHECK_SECONDS, timeout_seconds / 4))
        if parts.facts.needed_by():
            parts.facts.touch()
        elif parts.facts.idle_seconds() >= timeout_seconds:
            parts.facts.request_shutdown("idle_timeout")
            return


@contextlib.asynccontextmanager
async def _signals(parts: Parts) -> AsyncIterator[None]:
    """The first TERM, INT or HUP asks for a clean stop; a second one gives runs no more time to end by themselves."""
    loop = asyncio.get_running_loop()
    asked = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def on_signal() -> None:
        if parts.facts.shutdown_requested.is_set():
            logger.warning("second signal: stopping without grace")
            parts.supervisor.skip_grace()
        parts.facts.request_shutdown("signal")

    for number in asked:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in asked:
            loop.remove_signal_handler(number)
            # What comes now asks for what happens already; it must not cut the clean-up short.
            signal.signal(number, signal.SIG_IGN)
