"""Proxies as the API sees them: start, stop, settings, state; and what a run of a profile needs of its proxy.

Commands on one profile take turns. A command that has begun is brought to its end even when its caller has gone.
"""

import asyncio
import contextlib
import logging
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from clown_daemon.errors import DomainError
from clown_daemon.manifests.recipe import Through
from clown_daemon.paths import Paths
from clown_daemon.processes.alias_locks import AliasLocks
from clown_daemon.processes.child import SpawnError
from clown_daemon.processes.supervisor import Supervisor
from clown_daemon.processes.tasks import TaskScope
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Message, ProxyLogs
from clown_daemon.protocol.resources import Proxy, ProxyDetail, ProxySettings, ProxySummary
from clown_daemon.proxies import books, ports
from clown_daemon.proxies.diary import Diary
from clown_daemon.proxies.keeper import Keeper
from clown_daemon.proxies.log_tail import last_lines
from clown_daemon.proxies.processes import Processes, Secrets
from clown_daemon.proxies.rules import check_settings
from clown_daemon.proxies.wiring import Party, named_profiles
from clown_daemon.store import proxies as store
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.profiles import find_profile

T = TypeVar("T")

logger = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 4.5
"""A little more than a proxy gives its streams to end."""
CLOSE_SECONDS = 10.0
BUDGET_SECONDS = 0.5
"""How long a proxy may go on once a hard budget is spent."""
LOOK_SECONDS = 10.0
MISSES_ALLOWED = 3
"""A proxy that does not answer so often in a row is ended, and so started again."""


class ProxyService:
    """All commands and queries of proxies. Call `reconcile` before the first of them and `close` after the last.

    Args:
        database: the books.
        diary: writes into them what happens by itself.
        processes: starts them and talks to them.
        supervisor: has them as children.
        port_range: the first and the last port that is given out.
        on_start: told whenever a proxy begins to serve.
    """

    def __init__(
        self,
        *,
        database: Database,
        diary: Diary,
        processes: Processes,
        supervisor: Supervisor,
        port_range: tuple[int, int],
        on_start: Callable[[], None],
    ) -> None:
        self._database = database
        self._diary = diary
        self._processes = processes
        self._supervisor = supervisor
        self._port_range = port_range
        self._on_start = on_start
        self._tasks = TaskScope()
        self._keepers: dict[str, Keeper] = {}
        self._locks = AliasLocks()

    @property
    def active(self) -> int:
        """How many proxies run now."""
        return len(self._keepers)

    # -- queries

    async def statuses(self) -> tuple[ProxySummary, ...]:
        """Every proxy that was ever wanted, sorted by profile."""
        found = await self._database.read(store.read_proxies)
        return tuple(
            ProxySummary(
                profile=one.profile,
                port=one.port,
                pid=one.pid,
                status=one.status,
                restarts=one.restarts,
                started_at=one.started_at,
            )
            for one in found
        )

    async def status(self, alias: str) -> ProxyDetail:
        """One proxy; a profile that never had one has one that is stopped.

        Raises:
            DomainError: `unknown_profile`.
        """
        await self._known(alias)
        return _detail(await self._database.read(partial(_read, alias=alias)))

    async def settings(self, alias: str) -> ProxySettings:
        """How a profile's proxy is set.

        Raises:
            DomainError: `unknown_profile`.
        """
        await self._known(alias)
        return await self._database.read(partial(store.read_settings, profile=alias))

    async def logs(self, alias: str, lines: int) -> ProxyLogs:
        """The last lines of a proxy's log, oldest first.

        Raises:
            DomainError: `unknown_profile`.
        """
        await self._known(alias)
        found = await asyncio.to_thread(last_lines, self._processes.log_file(alias), lines)
        return ProxyLogs(profile=alias, lines=found)

    # -- commands

    async def start(self, alias: str) -> ProxyDetail:
        """Start a profile's proxy; it answers when this returns.

        Raises:
            DomainError: `unknown_profile`, `proxy_running`, `port_taken`, `proxy_failed`, ...
        """
        await self._turn(alias, self._start(alias))
        return await self.status(alias)

    async def stop(self, alias: str) -> ProxyDetail:
        """Stop a profile's proxy; nothing of it is left when this returns.

        Raises:
            DomainError: `unknown_profile`, or `proxy_not_running`.
        """
        await self._turn(alias, self._stop(alias))
        return await self.status(alias)

    async def restart(self, alias: str) -> ProxyDetail:
        """Put a new process in the place of a profile's proxy; nobody is refused meanwhile.

        Raises:
            DomainError: `unknown_profile`, `proxy_not_running`, `proxy_failed`.
        """
        await self._turn(alias, self._restart(alias))
        return await self.status(alias)

    async def stop_all(self) -> Message:
        """Stop every proxy at once."""
        aliases = sorted(self._keepers)
        stopped = await asyncio.gather(
            *(self._turn(alias, self._stop(alias)) for alias in aliases), return_exceptions=True
        )
        failed = [found for found in stopped if isinstance(found, BaseException)]
        if failed:
            raise failed[0]
        return Message(message=f"stopped {len(aliases)} " + ("proxy" if len(aliases) == 1 else "proxies"))

    async def change(self, alias: str, settings: ProxySettings) -> ProxySettings:
        """Set a profile's proxy; one that runs goes by it from the next request on.

        Raises:
            DomainError: `unknown_profile`, a rule names a profile that cannot be used, or the port is another's.
        """
        return await self._turn(alias, self._change(alias, settings))

    async def find(self, alias: str) -> Through | None:
        """Answer where a profile's agent finds its proxy, started if need be; None when it should have none.

        Raises:
            DomainError: it cannot be started.
        """
        settings = await self._database.read(partial(store.read_settings, profile=alias))
        if not settings.enabled:
            return None
        return await self._turn(alias, self._ensure(alias))

    async def changed(self, alias: str) -> None:
        """The profile has changed: its proxy, and every one that sends requests to it, goes by it from now on."""
        for name in list(self._keepers):
            settings = await self._database.read(partial(store.read_settings, profile=name))
            if name == alias or alias in named_profiles(settings):
                await self._turn(name, self._reload(name))

    async def forget(self, alias: str) -> None:
        """The profile was deleted: nothing of its proxy is left when this returns, but what it metered."""
        await self._turn(alias, self._forget(alias))
        await self.changed(alias)

    # -- life

    async def reconcile(self) -> None:
        """Take over proxies that outlived the last daemon, and write down the end of those that did not; at boot."""
        for profile in await self._database.read(store.read_forsaken):
            await self._database.write(partial(books.record_deletion, profile=profile))
        for living in await self._database.read(store.read_living):
            adopted = await self._processes.adopt(living)
            if adopted is not None:
                keeper = self._keeper(living.profile, living.port, None)
                keeper.adopt(adopted)
                self._keep(keeper)
                await self._turn(living.profile, self._reload(living.profile))
        await self._database.write(partial(_settle, serving=frozenset(self._keepers)))

    async def watch(self) -> None:
        """Look after the running ones for ever: one that does not answer any more is ended, and so started again."""
        misses: dict[str, int] = {}
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._diary.catch_up()
            for alias, keeper in list(self._keepers.items()):
                process = keeper.process
                answers = process is None or await self._processes.answers(alias, keeper.port)
                misses[alias] = 0 if answers else misses.get(alias, 0) + 1
                if process is not None and misses[alias] >= MISSES_ALLOWED:
                    logger.error("the proxy of %s does not answer any more and is ended", alias)
                    misses[alias] = 0
                    await self._processes.end(process)

    async def watch_budgets(self) -> None:
        """Tell running proxies for ever when a hard budget is spent, and when it is not any more."""
        while True:
            await asyncio.sleep(BUDGET_SECONDS)
            for alias in list(self._keepers):
                with contextlib.suppress(DomainError):  # it is being deleted
                    if not await self._processes.is_up_to_date(alias):
                        await self._turn(alias, self._reload(alias))

    async def close(self) -> None:
        """Stop every proxy; none is left."""
        with contextlib.suppress(DomainError):
            await self.stop_all()
        await self._supervisor.close()
        await self._tasks.close(CLOSE_SECONDS)
        await self._processes.close()

    # -- one command each

    async def _turn(self, alias: str, work: Awaitable[T]) -> T:
        async def turn() -> T:
            async with self._locks.of(alias):
                return await work

        return await self._tasks.finish(turn(), name=f"command on the proxy of {alias}")

    async def _start(self, alias: str) -> Keeper:
        if alias in self._keepers:
            raise DomainError(
                ProblemCode.PROXY_RUNNING,
                f"the proxy of {alias} runs already on port {self._keepers[alias].port}",
                hint="restart it with POST /api/proxy/ALIAS/restart",
            )
        await self._known(alias)
        settings = await self._database.read(partial(store.read_settings, profile=alias))
        # Refused before a port is taken.
        await self._processes.instructions(alias, msgspec.structs.replace(settings, rules=(), fallbacks=()))
        listening = await self._bind(alias, settings)
        port = int(listening.getsockname()[1])
        try:
            settings = msgspec.structs.replace(settings, enabled=True, port=port)
            await self._write_settings(partial(books.record_starting, profile=alias, settings=settings), port)
        except BaseException:
            listening.close()
            raise
        keeper = self._keeper(alias, port, listening)
        try:
            await keeper.start()
        except SpawnError as error:
            raise DomainError(
                ProblemCode.PROXY_FAILED, f"the proxy of {alias} does not start: {error}", hint=error.hint
            ) from error
        self._keep(keeper)
        return keeper

    async def _stop(self, alias: str) -> None:
        await self._known(alias)
        await self._running(alias).stop()

    async def _restart(self, alias: str) -> None:
        await self._known(alias)
        try:
            await self._running(alias).replace()
        except SpawnError as error:
            raise DomainError(
                ProblemCode.PROXY_FAILED, f"the proxy of {alias} does not start again: {error}", hint=error.hint
            ) from error

    async def _ensure(self, alias: str) -> Through:
        keeper = self._keepers.get(alias) or await self._start(alias)
        return await self._processes.through(alias, keeper.port)

    async def _change(self, alias: str, settings: ProxySettings) -> ProxySettings:
        await self._known(alias)
        before = await self._database.read(partial(store.read_settings, profile=alias))
        if settings.port is None:
            settings = msgspec.structs.replace(settings, port=before.port)
        elif alias in self._keepers and settings.port != self._keepers[alias].port:
            raise DomainError(
                ProblemCode.PROXY_RUNNING,
                f"port: the proxy of {alias} runs on port {self._keepers[alias].port}, and agents know it by that",
                hint="stop it first",
            )
        await asyncio.to_thread(check_settings, settings)
        if settings.enabled or named_profiles(settings):
            await self._processes.instructions(alias, settings)
        await self._write_settings(partial(books.record_settings, profile=alias, settings=settings), settings.port)
        await self._reload(alias)
        return settings

    async def _reload(self, alias: str) -> None:
        """Tell a running proxy what is so now; one that cannot be told is ended, and so started with it."""
        keeper = self._keepers.get(alias)
        if keeper is None:
            return
        try:
            taken = await self._processes.reload(alias, keeper.port)
        except DomainError as error:
            await keeper.stop(str(error))
            return
        if not taken and keeper.process is not None:
            await self._processes.end(keeper.process)

    async def _forget(self, alias: str) -> None:
        if alias in self._keepers:
            await self._keepers[alias].stop()
        await self._diary.write(partial(books.record_deletion, profile=alias))
        await self._processes.forget(alias)

    # -- parts

    async def _known(self, alias: str) -> None:
        await self._database.read(partial(find_profile, alias=alias))

    def _running(self, alias: str) -> Keeper:
        keeper = self._keepers.get(alias)
        if keeper is None:
            raise DomainError(ProblemCode.PROXY_NOT_RUNNING, f"the proxy of {alias} does not run", hint="start it")
        return keeper

    def _keep(self, keeper: Keeper) -> None:
        self._keepers[keeper.alias] = keeper
        self._tasks.start(self._kept(keeper), name=f"proxy of {keeper.alias}")
        self._on_start()

    async def _kept(self, keeper: Keeper) -> None:
        try:
            await keeper.keep()
        finally:
            if self._keepers.get(keeper.alias) is keeper:
                del self._keepers[keeper.alias]

    def _keeper(self, alias: str, port: int, listening: socket.socket | None) -> Keeper:
        return Keeper(
            alias=alias,
            port=port,
            listening=listening,
            launch=partial(self._processes.launch, alias),
            end=self._processes.end,
            bind=ports.bind,
            diary=self._diary,
        )

    async def _write_settings(self, change: Callable[[Transaction], None], port: int | None) -> None:
        try:
            await self._database.write(change)
        except sqlite3.IntegrityError as error:
            raise DomainError(
                ProblemCode.PORT_TAKEN,
                f"port: {port} belongs to the proxy of another profile",
                hint="choose another, or leave it out for a free one",
            ) from error

    async def _bind(self, alias: str, settings: ProxySettings) -> socket.socket:
        try:
            if settings.port is not None:
                return await asyncio.to_thread(ports.bind, settings.port)
            taken = await self._database.read(store.read_ports)
            return await asyncio.to_thread(ports.bind_free, self._port_range, taken)
        except ports.PortError as error:
            change = partial(books.record_refused_start, profile=alias, settings=settings, error=str(error))
            await self._database.write(change)
            raise DomainError(ProblemCode.PORT_TAKEN, str(error), hint=error.hint) from error


def open_proxies(
    *,
    database: Database,
    secrets: Secrets,
    party: Callable[[str], Awaitable[Party]],
    refusal: Callable[[str, str], Awaitable[str | None]],
    paths: Paths,
    environ: Mapping[str, str],
    port_range: tuple[int, int],
    on_start: Callable[[], None],
) -> ProxyService:
    """Build the service with its parts; see `ProxyService` and `Processes` for what each argument is."""
    diary = Diary(database)
    supervisor = Supervisor(stop_grace_seconds=STOP_GRACE_SECONDS)
    return ProxyService(
        database=database,
        diary=diary,
        processes=Processes(
            database=database,
            diary=diary,
            secrets=secrets,
            party=party,
            refusal=refusal,
            paths=paths,
            environ=environ,
            supervisor=supervisor,
        ),
        supervisor=supervisor,
        port_range=port_range,
        on_start=on_start,
    )


def _read(connection: sqlite3.Connection, alias: str) -> Proxy:
    found = store.read_proxy(connection, alias)
    return found or Proxy(profile=alias, enabled=False, port=None, pid=None, status="stopped")


def _detail(proxy: Proxy) -> ProxyDetail:
    return ProxyDetail(
        profile=proxy.profile, enabled=proxy.enabled, port=proxy.port, pid=proxy.pid, status=proxy.status
    )


def _settle(transaction: Transaction, serving: Collection[str]) -> None:
    """Write down the end of every proxy that the books say lives, and that does not."""
    for profile in store.read_unsettled(transaction.connection):
        if profile not in serving:
            books.record_stop(transaction, profile, exit_code=None, status="stopped")
