"""Runs that own the user's terminal: `clown run` starts and ends them, the daemon keeps their books.

Order: `prepare` opens the run in the books and answers how to start the agent, `began` names the process, `ended` tells
how it ended. Any number of these may run in one profile at once. They are nobody's children here, so the end of the
daemon is not theirs: the next one finds them in its books, and what it was not told in notes (`profiles.unheard_ends`).
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.paths import Paths
from clown_daemon.processes import groups
from clown_daemon.processes.alias_locks import AliasLocks
from clown_daemon.processes.supervisor import Supervisor
from clown_daemon.processes.tasks import TaskScope
from clown_daemon.profiles import books, rules, unheard_ends
from clown_daemon.profiles.interactive_run import End, InteractiveRun, Patience, Process
from clown_daemon.profiles.last_words import LastWords
from clown_daemon.profiles.launcher import Launch, Launcher
from clown_daemon.profiles.unheard_ends import UnheardEnd
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import SECRET_MARK, Message, PreparedLaunch, PreparedRun
from clown_daemon.protocol.requests import PrepareRun, RunBegan, RunEnded, RunProfile
from clown_daemon.store.database import Database
from clown_daemon.store.profiles import find_profile
from clown_daemon.store.runs import OpenRun, read_open_runs

T = TypeVar("T")

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
"""How long the ends that were told may take to be written at shutdown."""


def new_run_id() -> str:
    """A run's name that no other run has."""
    return secrets.token_hex(8)


class InteractiveRuns:
    """All of them. Call `reconcile` before anything else and `close` after the last.

    Args:
        launcher: prepares starts.
        database: the books.
        locks: what is done to one profile takes turns, here and elsewhere.
        paths: where notes are.
        stop_grace_seconds: between TERM and KILL for a run that is stopped.
        new_id: names runs.
        patience: with whoever starts runs.
    """

    def __init__(
        self,
        *,
        launcher: Launcher,
        database: Database,
        locks: AliasLocks,
        paths: Paths,
        stop_grace_seconds: float,
        new_id: Callable[[], str] = new_run_id,
        patience: Patience = Patience(),  # noqa: B008  # it never changes
    ) -> None:
        self._launcher = launcher
        self._database = database
        self._locks = locks
        self._notes = paths.unheard_ends_dir
        self._new_id = new_id
        self._patience = patience
        self._supervisor = Supervisor(stop_grace_seconds=stop_grace_seconds)
        self._last_words = LastWords(database)
        self._tasks = TaskScope()
        self._runs: dict[str, InteractiveRun] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """How many there are now, with those that are about to begin."""
        return len(self._runs)

    def of(self, alias: str) -> tuple[InteractiveRun, ...]:
        """The runs of a profile, with those that are about to begin; oldest first."""
        return tuple(run for run in self._runs.values() if run.alias == alias)

    async def describe(self, alias: str) -> PreparedLaunch:
        """Make a start ready and answer how to do it, without a run in the books.

        Raises:
            DomainError: `unknown_profile`; see `Launcher.prepare`.
        """
        launch = await self._finish(self._launch(alias, RunProfile()), f"preparing of {alias}")
        return PreparedLaunch(
            argv=launch.argv,
            env=launch.recipe.env,
            unset=tuple(sorted(launch.managed)),
            working_dir=str(launch.working_dir),
            secret=launch.secret_name,
        )

    async def prepare(self, request: PrepareRun) -> PreparedRun:
        """Open a run and answer how to start it.

        Raises:
            DomainError: `unknown_profile`; see `Launcher.prepare`.
        """
        return await self._finish(self._prepare(request), f"preparing of {request.alias}")

    async def began(self, run_id: str, request: RunBegan) -> Message:
        """Write down which process a prepared run is; it may have ended already.

        Raises:
            DomainError: there is no such run, or another process has begun as it.
        """
        run = self._find(run_id)
        await self._finish(self._begin(run, request.pid), f"begin of run {run_id}")
        return Message(message=f"{run.alias} runs, pid {request.pid}")

    async def ended(self, run_id: str, request: RunEnded) -> Message:
        """Write down how a run ended; it is in the books when this returns.

        Raises:
            DomainError: there is no such run, its end is in the books already, or they refuse it for now.
        """
        rules.check_end(request)
        run = self._find(run_id)
        error = "it was not started" if run.process is None and request.exit_code is None else None
        run.tell(End(self._database.now_ms(), request.exit_code, request.error or error))
        await self._settled(run)
        return Message(message=f"{run.alias} ended")

    async def stop(self, run: InteractiveRun) -> int | None:
        """End a run with its process group; its end is in the books when this returns its exit code.

        Raises:
            StoreUnavailableError: it is gone, but the books refuse its end for now; that is tried again.
        """
        known = run.process
        if known is not None and known.start is not None:
            process = await self._supervisor.adopt(known.pid, known.start, name=f"run {run.run_id}")
            if process is not None:
                await self._supervisor.stop(process)
        await self._settled(run)
        return None if run.end is None else run.end.exit_code

    async def reconcile(self) -> None:
        """Take up the runs that an earlier daemon knew; once, at boot."""
        for run in reversed(await self._database.read(read_open_runs)):
            if run.interactive:
                await self._take_up(run)
        await asyncio.to_thread(unheard_ends.throw_away_but, self._notes, self._runs)

    async def close(self) -> None:
        """Let go of all of them: they go on, and the next daemon finds them in its books."""
        self._closed = self._last_words.stopping = True
        for run_id, watcher in self._watchers.items():
            if not self._runs[run_id].told.is_set():
                watcher.cancel()
        await self._supervisor.close()
        await self._tasks.close(CLOSE_SECONDS)

    # -- one command each

    async def _prepare(self, request: PrepareRun) -> PreparedRun:
        if self._closed:
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon stops; nothing is started any more")
        async with self._locks.of(request.alias):
            launch = await self._launch(request.alias, RunProfile(args=request.args, working_dir=request.working_dir))
            run = InteractiveRun(alias=request.alias, run_id=self._new_id())
            open_run = partial(books.open_run, interactive=True, proxied=launch.proxied)
            await self._database.write(partial(open_run, alias=run.alias, run_id=run.run_id))
        self._watch(run)
        return PreparedRun(
            run_id=run.run_id,
            argv=launch.argv,
            env={**launch.recipe.env, rules.RUN_VARIABLE: run.run_id},
            unset=tuple(sorted(launch.managed)),
            working_dir=str(launch.working_dir),
            secret=launch.secret_name,
        )

    async def _launch(self, alias: str, request: RunProfile) -> Launch:
        profile = await self._database.read(partial(find_profile, alias=alias))
        return await self._launcher.prepare(profile, request, mark=SECRET_MARK)

    async def _begin(self, run: InteractiveRun, pid: int) -> None:
        async with run.turn:
            if run.process is not None and run.process.pid == pid:
                return
            if run.begun.is_set():
                raise DomainError(ProblemCode.RUN_BEGUN, f"the run {run.run_id} has begun already, as another process")
            process = Process(pid, await asyncio.to_thread(groups.start_time, pid))
            await self._announce(run, process)

    async def _announce(self, run: InteractiveRun, process: Process) -> None:
        change = partial(
            books.record_start, alias=run.alias, run_id=run.run_id, pid=process.pid, process_start=process.start
        )
        await self._database.write(change)
        logger.info("run %s of %s began in a terminal, pid %d", run.run_id, run.alias, process.pid)
        run.begin(process)

    async def _settled(self, run: InteractiveRun) -> None:
        await run.settled.wait()
        if run.recorded.is_set():
            return
        if self._closed:
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon stops; the next one has to be told")
        raise StoreUnavailableError(
            f"{run.alias} has ended, but that cannot be written down yet", hint="free some space; it is tried again"
        )

    # -- their lives

    async def _take_up(self, known: OpenRun) -> None:
        """Watch a run that an earlier daemon knew, whatever became of it meanwhile."""
        run = InteractiveRun(alias=known.alias, run_id=known.run_id)
        note = await asyncio.to_thread(unheard_ends.read_note, self._notes, run.run_id)
        found = await asyncio.to_thread(_find_process, known, note)
        if found is not None and not known.announced:
            await self._announce(run, found)
        elif found is not None:
            run.begin(found)
            run.missed = found.start is None
        if note is not None:
            run.tell(End(note.ended_ms, note.exit_code))
        self._watch(run)

    def _watch(self, run: InteractiveRun) -> None:
        self._runs[run.run_id] = run
        self._watchers[run.run_id] = self._tasks.start(self._live(run), name=f"run {run.run_id} of {run.alias}")

    async def _live(self, run: InteractiveRun) -> None:
        try:
            change = await run.last_change(
                self._patience, now_ms=self._database.now_ms, read_note=partial(self._noted_end, run.run_id)
            )
            await self._last_words.write(change, f"the end of run {run.run_id} of {run.alias}", run.settled)
            run.recorded.set()
            logger.info("run %s of %s ended: %s", run.run_id, run.alias, run.end)
            await asyncio.to_thread(unheard_ends.throw_away, self._notes, run.run_id)
        finally:
            del self._runs[run.run_id], self._watchers[run.run_id]
            run.settled.set()

    def _noted_end(self, run_id: str) -> End | None:
        note = unheard_ends.read_note(self._notes, run_id)
        return None if note is None else End(note.ended_ms, note.exit_code)

    def _finish(self, work: Coroutine[Any, Any, T], name: str) -> Awaitable[T]:
        """Work that has begun is brought to its end even when its caller has gone."""
        return self._tasks.finish(work, name=name)

    def _find(self, run_id: str) -> InteractiveRun:
        run = self._runs.get(run_id)
        if run is not None:
            return run
        if self._closed:
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon stops; the next one has to be told")
        raise DomainError(ProblemCode.UNKNOWN_RUN, f"there is no run {run_id!r} under way")


def _find_process(known: OpenRun, note: UnheardEnd | None) -> Process | None:
    """Find the process of a run that an earlier daemon knew, without a start time where it is gone; None: not begun."""
    pid, start = known.pid, known.process_start
    if pid is None and note is None:
        pid = groups.find_leader(rules.RUN_VARIABLE, known.run_id)
        return None if pid is None else Process(pid, groups.start_time(pid))
    if pid is None or start is None or not groups.is_same_process(pid, start):
        return Process(note.pid if note is not None else pid or 0, None)
    return Process(pid, start)
