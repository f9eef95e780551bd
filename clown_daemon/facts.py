"""What the daemon knows of itself: identity, problems, when it was last needed, and whether it was asked to stop."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from clown_daemon import __version__
from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.protocol.events import DaemonShuttingDown, DaemonStarted, DaemonUpdated, ShutdownReason
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Access, Daemon, DaemonStatus
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.database import Database, Transaction

logger = logging.getLogger(__name__)


class DaemonFacts:
    """The daemon as a resource, and its events.

    The resource changes inside the transaction that records the event of the change: a snapshot that asks for it after
    its own transaction has begun is never behind the events it contains.
    """

    def __init__(
        self,
        *,
        pid: int,
        clock: Clock,
        database: Database,
        count_profiles: Callable[[], Awaitable[int]],
        count_clients: Callable[[], int],
        count_runs: Callable[[], int],
        count_proxies: Callable[[], int],
        access: Access,
    ) -> None:
        self.version = __version__
        self.instance = secrets.token_hex(8)
        self.shutdown_requested = asyncio.Event()
        self.shutdown_reason: ShutdownReason = "stop"
        self._clock = clock
        self._database = database
        self._count_profiles = count_profiles
        self._count_clients = count_clients
        self._count_runs = count_runs
        self._count_proxies = count_proxies
        self._commands = 0
        self._unrecorded = False
        """Whether the resource says something that no event has told, since the database refused it."""
        self._started_ms = clock.now_ms()
        self._touched = clock.monotonic()
        self._daemon = Daemon(
            pid=pid,
            version=self.version,
            instance=self.instance,
            started_at=rfc3339(self._started_ms),
            access=access,
        )

    def daemon(self) -> Daemon:
        """The resource as of the last recorded event."""
        return self._daemon

    async def status(self) -> DaemonStatus:
        """The documented status."""
        return DaemonStatus(
            status="stopping" if self.shutdown_requested.is_set() else self._daemon.status,
            pid=self._daemon.pid,
            uptime_secs=(self._clock.now_ms() - self._started_ms) // 1000,
            version=self.version,
            profiles_count=await self._count_profiles(),
            active_proxies=self._count_proxies(),
            problems=self._daemon.problems,
        )

    def touch(self) -> None:
        """Somebody needs the daemon now."""
        self._touched = self._clock.monotonic()

    @contextlib.contextmanager
    def command(self) -> Iterator[None]:
        """Be needed while a command is carried out.

        Raises:
            DomainError: `shutting_down`; what began now would be cut short.
        """
        if self.shutdown_requested.is_set():
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon is shutting down")
        self._commands += 1
        try:
            yield
        finally:
            self._commands -= 1

    def needed_by(self) -> tuple[str, ...]:
        """Say who needs the daemon right now, a few words each; empty when it is idle."""
        counted = (
            (self._count_clients(), "client follows", "clients follow"),
            (self._count_runs(), "run is under way", "runs are under way"),
            (self._count_proxies(), "proxy runs", "proxies run"),
            (self._commands, "command is carried out", "commands are carried out"),
        )
        return tuple(f"{count} {one if count == 1 else many}" for count, one, many in counted if count)

    def idle_seconds(self) -> float:
        """How long ago somebody last needed it."""
        return self._clock.monotonic() - self._touched

    def request_shutdown(self, reason: ShutdownReason) -> None:
        """Ask the daemon to stop; the first reason counts."""
        if not self.shutdown_requested.is_set():
            self.shutdown_reason = reason
            self.shutdown_requested.set()

    async def record_start(self) -> None:
        """Record `DaemonStarted`."""
        data = DaemonStarted(version=self.version, pid=self._daemon.pid)
        await self._database.write(lambda transaction: transaction.record(data, self._daemon))

    async def record_problems(self, problems: tuple[str, ...]) -> None:
        """Record `DaemonUpdated` if what does not work has changed.

        When the database refuses, every snapshot says it all the same; the event follows when it is called again and
        the database takes it.
        """
        if problems == self._daemon.problems and not self._unrecorded:
            return

        def change(transaction: Transaction) -> None:
            self._put_problems(problems)
            transaction.record(DaemonUpdated(problems=len(problems)), self._daemon)

        try:
            await self._database.write(change)
        except StoreUnavailableError as error:
            if not self._unrecorded:
                logger.error("events cannot be recorded: %s", error)  # noqa: TRY400  # the sentence is the message
            self._unrecorded = True
            self._put_problems(problems or (str(error),))
        else:
            self._unrecorded = False

    async def record_shutdown(self) -> None:
        """Record `DaemonShuttingDown` with the reason that was asked for; a database that refuses stops nobody."""

        def change(transaction: Transaction) -> None:
            self._daemon = msgspec.structs.replace(self._daemon, status="stopping")
            transaction.record(DaemonShuttingDown(reason=self.shutdown_reason), self._daemon)

        try:
            await self._database.write(change)
        except StoreUnavailableError as error:
            logger.warning("the end of the daemon cannot be recorded: %s", error)

    def _put_problems(self, problems: tuple[str, ...]) -> None:
        self._daemon = msgspec.structs.replace(
            self._daemon, status="degraded" if problems else "running", problems=problems
        )
