"""Starts children, watches them, and ends whole process groups: TERM, grace, KILL. Performs what `lifecycle` says.

An exit is told as soon as the child itself ended, whatever its own children hold open; a stop returns when nobody of
the group is left. Both are bounded.
"""

import asyncio
import logging
import signal

from clown_daemon.processes import groups
from clown_daemon.processes.adoption import wait_until_gone
from clown_daemon.processes.child import Child, Command, SpawnError, spawn
from clown_daemon.processes.lifecycle import Action, Happening, Phase, advance
from clown_daemon.processes.output import OutputBuffer
from clown_daemon.processes.tasks import TaskScope

logger = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 5.0
"""How long a group may take to end after TERM."""
KILL_SECONDS = 2.0
"""How long the kernel may take to end a group after KILL."""
DRAIN_SECONDS = 0.5
"""How long the pipes of an ended child are read on when somebody else holds them open."""
LOOK_SECONDS = 0.05
"""How often a group without its leader is looked at."""


class Supervised:
    """One process under supervision: a child, or an adopted one, of which exit code and output are unknown."""

    def __init__(self, pid: int, process_start: float | None, output: OutputBuffer | None) -> None:
        self.pid = pid
        self.process_start = process_start
        """Epoch seconds; None when it ended before it could be asked."""
        self.output = output
        self.happenings: asyncio.Queue[Happening] = asyncio.Queue()
        self.exit_code: int | None = None
        self.exited = asyncio.Event()
        """Set once it ended and all it printed is in `output`."""
        self.gone = asyncio.Event()
        """Set once nobody of its group is left."""

    async def wait(self) -> int | None:
        """Wait for the end; answer the exit status, minus the signal number, or None when nobody can know it."""
        await self.exited.wait()
        return self.exit_code


class Supervisor:
    """All children of the daemon.

    Args:
        stop_grace_seconds: between TERM and KILL.
        drain_seconds: see `DRAIN_SECONDS`.
    """

    def __init__(self, *, stop_grace_seconds: float = STOP_GRACE_SECONDS, drain_seconds: float = DRAIN_SECONDS) -> None:
        self._grace_seconds = stop_grace_seconds
        self._drain_seconds = drain_seconds
        self._tasks = TaskScope()
        self._supervised: set[Supervised] = set()
        self._closed = False

    async def spawn(self, command: Command, *, name: str) -> Supervised:
        """Start a program; it is watched from here on.

        Args:
            command: what to start.
            name: for tasks and the log.

        Raises:
            SpawnError: it could not be started, or the supervisor is closed.
        """
        if self._closed:
            raise SpawnError("nothing is started any more: the daemon stops")
        child = await spawn(command, OutputBuffer(secrets=command.secrets))
        process = Supervised(child.pid, None, child.output)
        self._supervise(process, name)
        self._tasks.start(self._follow_child(process, child), name=f"exit of {name}")
        process.process_start = await asyncio.to_thread(groups.start_time, child.pid)
        return process

    async def adopt(self, pid: int, process_start: float, *, name: str) -> Supervised | None:
        """Watch a process that an earlier daemon started; None when it is gone, or another has its pid now."""
        if not await asyncio.to_thread(groups.is_same_process, pid, process_start):
            return None
        process = Supervised(pid, process_start, None)
        self._supervise(process, name)
        self._tasks.start(self._follow_adopted(process, process_start), name=f"exit of {name}")
        return process

    async def stop(self, process: Supervised) -> int | None:
        """End a process and its whole group; answer its exit code once all are gone."""
        process.happenings.put_nowait(Happening.STOP_ASKED)
        await process.gone.wait()
        return process.exit_code

    async def close(self) -> None:
        """End all processes at once and start none any more; takes no longer than one stop."""
        self._closed = True
        for process in self._supervised:
            process.happenings.put_nowait(Happening.STOP_ASKED)
        await self._tasks.close(self._grace_seconds + 2 * KILL_SECONDS + self._drain_seconds)

    def skip_grace(self) -> None:
        """Kill everything at once, also what was given time to end by itself."""
        for process in self._supervised:
            process.happenings.put_nowait(Happening.STOP_ASKED)
            process.happenings.put_nowait(Happening.GRACE_OVER)

    def _supervise(self, process: Supervised, name: str) -> None:
        self._supervised.add(process)
        self._tasks.start(self._live(process, name), name=f"supervision of {name}")

    async def _follow_child(self, process: Supervised, child: Child) -> None:
        await child.ended.wait()
        process.exit_code = child.exit_code
        await _tell_exit(process)
        await child.close(drain_seconds=self._drain_seconds)
        process.exited.set()

    async def _follow_adopted(self, process: Supervised, process_start: float) -> None:
        await wait_until_gone(process.pid, process_start)
        await _tell_exit(process)
        process.exited.set()

    async def _live(self, process: Supervised, name: str) -> None:
        """Take the process through its phases to the end."""
        phase = Phase.RUNNING
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        while phase is not Phase.GONE:
            happening = await _next(process, phase, deadline)
            phase, action = advance(phase, happening)
            if action is Action.TERMINATE:
                deadline = loop.time() + self._grace_seconds
            elif action is Action.KILL:
                deadline = loop.time() + KILL_SECONDS
            _perform(action, process, name)
        self._supervised.discard(process)
        if process.exit_code is None:
            # Given up, or adopted: whoever waits for the exit must not wait for ever.
            process.exited.set()
        await process.exited.wait()
        process.gone.set()


async def _tell_exit(process: Supervised) -> None:
    others = await asyncio.to_thread(groups.group_is_alive, process.pid)
    process.happenings.put_nowait(Happening.LEADER_EXITED if others else Happening.ALL_EXITED)


async def _next(process: Supervised, phase: Phase, deadline: float | None) -> Happening:
    """Wait for what happens next, no longer than the phase may take."""
    try:
        async with asyncio.timeout_at(deadline):
            if phase in {Phase.CLEARING, Phase.SWEEPING}:
                return await _emptied(process)
            return await process.happenings.get()
    except TimeoutError:
        return Happening.GRACE_OVER


async def _emptied(process: Supervised) -> Happening:
    while await asyncio.to_thread(groups.group_is_alive, process.pid):  # noqa: ASYNC110  # the kernel has no event
        await asyncio.sleep(LOOK_SECONDS)
    return Happening.ALL_EXITED


def _perform(action: Action, process: Supervised, name: str) -> None:
    match action:
        case Action.TERMINATE:
            groups.signal_group(process.pid, signal.SIGTERM)
        case Action.KILL:
            logger.warning("%s (process group %d) does not end on TERM and is killed", name, process.pid)
            groups.signal_group(process.pid, signal.SIGKILL)
        case Action.GIVE_UP:
            logger.error("%s (process group %d) does not end even on KILL", name, process.pid)
        case Action.NOTHING:
            pass
