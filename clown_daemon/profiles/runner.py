"""Runs of profiles: one at a time each, in the books from before the spawn until after the end.

Order of a start: the open run is committed, the child is spawned, its pid and `ProfileStarted` are committed, a watcher
waits for its end. A daemon that dies anywhere in between finds in its books what to look for (`reconcile`).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.paths import Paths
from clown_daemon.processes import groups
from clown_daemon.processes.child import Command, SpawnError
from clown_daemon.processes.supervisor import Supervised, Supervisor
from clown_daemon.processes.tasks import TaskScope
from clown_daemon.profiles import books, rules
from clown_daemon.profiles.last_words import LastWords
from clown_daemon.profiles.launcher import Launch, Launcher
from clown_daemon.profiles.output_tail import lines_of, read_tail, write_tail
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import OutputPage
from clown_daemon.protocol.requests import OutputQuery, RunProfile
from clown_daemon.protocol.resources import Profile
from clown_daemon.store.database import Database
from clown_daemon.store.runs import OpenRun, read_open_runs

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
"""How long the last ends may take to be written at shutdown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ActiveRun:
    """A run that has begun and whose end is not in the books."""

    alias: str
    run_id: str
    process: Supervised
    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its end is in the books, or never will be by this daemon."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it ended and its end is in the books, or was refused by them for now."""


class Runner:
    """Starts, watches and stops the runs of all profiles. The caller holds the profile's lock for `start`."""

    def __init__(
        self,
        *,
        launcher: Launcher,
        database: Database,
        supervisor: Supervisor,
        paths: Paths,
        environ: Mapping[str, str],
        new_id: Callable[[], str],
    ) -> None:
        self._launcher = launcher
        self._database = database
        self._supervisor = supervisor
        self._paths = paths
        self._environ = environ
        self._new_id = new_id
        self._tasks = TaskScope()
        self._active: dict[str, ActiveRun] = {}
        self._last_words = LastWords(database)
        self._closed = False

    @property
    def count(self) -> int:
        """How many runs there are now."""
        return len(self._active)

    def find(self, alias: str) -> ActiveRun | None:
        """The run of a profile that has not ended."""
        return self._active.get(alias)

    async def start(self, profile: Profile, request: RunProfile) -> ActiveRun:
        """Start a profile's agent.

        Raises:
            DomainError: the profile runs already, its agent is not installed, or the program does not start.
        """
        if self._closed:
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon stops; nothing is started any more")
        if profile.alias in self._active:
            raise DomainError(
                ProblemCode.PROFILE_RUNNING,
                f"{profile.alias} runs already (pid {self._active[profile.alias].process.pid})",
                hint="stop it first, or make a second profile",
            )
        run_id = self._new_id()
        launch = await self._launcher.prepare(profile, request)
        open_run = partial(books.open_run, alias=profile.alias, run_id=run_id, proxied=launch.proxied)
        await self._database.write(open_run)
        process = await self._spawn(profile, run_id, self._command(launch, run_id))
        return await self._announce(profile.alias, run_id, process)

    async def stop(self, run: ActiveRun) -> int | None:
        """End a run: its whole process group is gone and its end is in the books when this returns its exit code.

        Raises:
            StoreUnavailableError: it is gone, but the books refuse its end for now; that is tried again.
        """
        exit_code = await self._supervisor.stop(run.process)
        await run.settled.wait()
        if not run.recorded.is_set():
            raise StoreUnavailableError(
                f"{run.alias} has ended, but that cannot be written down yet", hint="free some space; it is tried again"
            )
        return exit_code

    async def output(self, profile: Profile, query: OutputQuery) -> OutputPage:
        """What the profile's newest run printed; of a run that outlived a daemon nothing is known."""
        run = self._active.get(profile.alias)
        if run is not None and run.process.output is not None:
            page = run.process.output.page(query.after, query.limit)
            return OutputPage(
                run_id=run.run_id, lines=lines_of(page), next=page.next, dropped=page.dropped, running=True
            )
        if run is not None:
            return OutputPage(run_id=run.run_id, lines=(), next=0, running=True)
        if profile.run is None:
            return OutputPage(run_id=None, lines=(), next=0)
        tail = await asyncio.to_thread(read_tail, self._paths.runs_dir, profile.alias, profile.run.run_id)
        return tail.page(query.after, query.limit)

    async def reconcile(self) -> None:
        """Take over the runs that outlived the last daemon, and close those that did not."""
        for run in await self._database.read(read_open_runs):
            if run.interactive:
                continue
            process = await self._find_again(run)
            if process is None:
                logger.info("run %s of %s ended while no daemon watched", run.run_id, run.alias)
                await self._database.write(partial(books.record_loss, alias=run.alias, run_id=run.run_id))
            elif run.announced:
                logger.info("run %s of %s goes on, pid %d", run.run_id, run.alias, process.pid)
                self._watch(ActiveRun(alias=run.alias, run_id=run.run_id, process=process))
            else:
                logger.info("run %s of %s was found again, pid %d", run.run_id, run.alias, process.pid)
                await self._announce(run.alias, run.run_id, process)

    async def close(self) -> None:
        """End all runs at once and write down their ends; nothing is started any more."""
        self._closed = self._last_words.stopping = True
        await self._supervisor.close()
        await self._tasks.close(CLOSE_SECONDS)

    def _command(self, launch: Launch, run_id: str) -> Command:
        return Command(
            argv=launch.argv,
            environ={**launch.environ(self._environ), rules.RUN_VARIABLE: run_id},
            working_dir=launch.working_dir,
            secrets=launch.secrets,
        )

    async def _spawn(self, profile: Profile, run_id: str, command: Command) -> Supervised:
        try:
            return await self._supervisor.spawn(command, name=f"run {run_id} of {profile.alias}")
        except SpawnError as error:
            await self._database.write(
                partial(books.record_failure, alias=profile.alias, run_id=run_id, error=str(error))
            )
            code = ProblemCode.AGENT_NOT_INSTALLED if error.missing else ProblemCode.SPAWN_FAILED
            raise DomainError(code, str(error), hint=error.hint) from error

    async def _announce(self, alias: str, run_id: str, process: Supervised) -> ActiveRun:
        """Publish the start; a child that cannot be written down must not live."""
        try:
            await self._database.write(
                partial(
                    books.record_start, alias=alias, run_id=run_id, pid=process.pid, process_start=process.process_start
                )
            )
        except BaseException as error:
            await self._supervisor.stop(process)
            if isinstance(error, StoreUnavailableError):
                # The books know of an open run, and may be ready to hear of its end before the next boot.
                change = partial(books.record_failure, alias=alias, run_id=run_id, error="its start was refused")
                what = f"the failed start of run {run_id} of {alias}"
                self._tasks.start(self._last_words.write(change, what, asyncio.Event()), name=what)
            raise
        logger.info("run %s of %s started, pid %d", run_id, alias, process.pid)
        run = ActiveRun(alias=alias, run_id=run_id, process=process)
        self._watch(run)
        return run

    def _watch(self, run: ActiveRun) -> None:
        self._active[run.alias] = run
        self._tasks.start(self._await_end(run), name=f"end of run {run.run_id} of {run.alias}")

    async def _await_end(self, run: ActiveRun) -> None:
        exit_code = await run.process.wait()
        ended_ms = self._database.now_ms()
        try:
            await self._keep_output(run)
            change = partial(
                books.record_end, alias=run.alias, run_id=run.run_id, exit_code=exit_code, ended_ms=ended_ms
            )
            await self._last_words.write(change, f"the end of run {run.run_id} of {run.alias}", run.settled)
            logger.info("run %s of %s ended, exit code %s", run.run_id, run.alias, exit_code)
        finally:
            if self._active.get(run.alias) is run:
                del self._active[run.alias]
            run.recorded.set()
            run.settled.set()

    async def _keep_output(self, run: ActiveRun) -> None:
        if run.process.output is None:
            return
        try:
            await asyncio.to_thread(write_tail, self._paths.runs_dir, run.alias, run.run_id, run.process.output)
        except OSError as error:
            logger.warning("the output of run %s of %s is not kept: %s", run.run_id, run.alias, error.strerror)

    async def _find_again(self, run: OpenRun) -> Supervised | None:
        pid, start = run.pid, run.process_start
        if pid is None:
            pid = await asyncio.to_thread(groups.find_leader, rules.RUN_VARIABLE, run.run_id)
            start = None if pid is None else await asyncio.to_thread(groups.start_time, pid)
        if pid is None or start is None:
            return None
        return await self._supervisor.adopt(pid, start, name=f"run {run.run_id} of {run.alias}")
