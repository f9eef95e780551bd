"""Keeps the proxy of one profile alive, from the start that somebody asked for to the stop, or until it is given up.

The socket stays open from one process to the next: what an agent sends meanwhile waits in it and is answered by the
successor. It is closed only when there will be none, so that agents fail at once instead of waiting for ever.
"""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial

from clown_daemon.processes.child import SpawnError
from clown_daemon.processes.supervisor import Supervised
from clown_daemon.protocol.resources import ProxyState
from clown_daemon.proxies import books
from clown_daemon.proxies.diary import Diary
from clown_daemon.proxies.ports import PortError
from clown_daemon.proxies.process import last_words
from clown_daemon.proxies.restarts import CRASHES_ALLOWED, WINDOW_SECONDS, Restarts

logger = logging.getLogger(__name__)


class Keeper:
    """One profile's proxy.

    Args:
        alias: the profile.
        port: the profile's own.
        listening: on that port; None for a process that outlived its daemon, which has the socket alone.
        launch: starts a process on a socket and answers it once it answers requests; raises `SpawnError`.
        end: ends a process with its group and answers its exit code.
        bind: binds the port anew; raises `PortError`.
        diary: where its life is written down.
    """

    def __init__(
        self,
        *,
        alias: str,
        port: int,
        listening: socket.socket | None,
        launch: Callable[[socket.socket], Awaitable[Supervised]],
        end: Callable[[Supervised], Awaitable[int | None]],
        bind: Callable[[int], socket.socket],
        diary: Diary,
    ) -> None:
        self.alias = alias
        self.port = port
        self.process: Supervised | None = None
        self._listening = listening
        self._launch = launch
        self._end = end
        self._bind = bind
        self._diary = diary
        self._restarts = Restarts()
        self._count = 0
        self._answers_since = 0.0
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._reason: str | None = None
        """Why it is stopped, where nobody asked for it."""
        self._replacing: asyncio.Future[None] | None = None
        """Done once another process has taken the place of the one that is being ended."""

    async def start(self) -> None:
        """Start the first process.

        Raises:
            SpawnError: it does not answer; that is in the books, and the socket is closed.
        """
        try:
            await self._note_start(await self._launched())
        except SpawnError as error:
            await self._record_error(str(error), "failed")
            raise
        finally:
            if self.process is None:
                self._close_socket()

    def adopt(self, process: Supervised) -> None:
        """Take over a process that outlived its daemon; the books have it already."""
        self.process = process
        self._answers_since = time.monotonic()

    async def keep(self) -> None:
        """Start it again whenever it ends by itself; return once it was stopped or given up, and nobody is left."""
        try:
            while await self._ended_by_itself():
                if not await self._mend():
                    break
            if self._stopping.is_set():
                await self._finish()
        finally:
            self._close_socket()
            self._stopped.set()

    async def replace(self) -> None:
        """Put a new process in the place of this one; requests under way end, later ones wait for the new one.

        Raises:
            SpawnError: the new one does not answer.
        """
        old = self.process
        if old is None:
            raise SpawnError("it is being started anew already")
        self._restarts.forget()
        self._replacing = asyncio.get_running_loop().create_future()
        ending = asyncio.ensure_future(self._end(old))
        try:
            if self._listening is None:  # the old one alone has it
                await ending
            process = await self._launched()
            # One that still ends its streams has no code yet.
            await self._record_stop(ending.result() if ending.done() else None, "starting")
            await self._note_start(process)
        finally:
            await ending
            self._replacing.set_result(None)
            self._replacing = None

    async def stop(self, reason: str | None = None) -> None:
        """End it; nobody is left and the books have it when this returns.

        Args:
            reason: why, where nobody asked for it: it failed then.
        """
        self._reason = reason
        self._stopping.set()
        await self._stopped.wait()

    async def _ended_by_itself(self) -> bool:
        """Wait until the process ends; False when it is to be stopped."""
        while True:
            process = self.process
            assert process is not None  # `start` or `adopt` came first
            if not await self._before_stop(process.wait()):
                return False
            if self._replacing is None:
                return True
            await asyncio.wait((self._replacing,))

    async def _finish(self) -> None:
        exit_code = None if self.process is None else await self._end(self.process)
        if self._reason is None:
            await self._record_stop(exit_code, "stopped")
        else:
            await self._record_stop(exit_code, "failed")
            await self._record_error(self._reason, "failed")

    async def _mend(self) -> bool:
        """The process ended by itself: start another one after a rest; answer whether one answers."""
        process, self.process = self.process, None
        assert process is not None  # it has just ended
        said, exit_code = last_words(process), process.exit_code
        rest = self._rest(time.monotonic() - self._answers_since)
        logger.warning(
            "the proxy of %s ended by itself, exit code %s%s", self.alias, exit_code, f": {said}" if said else ""
        )
        await self._record_stop(exit_code, "failed" if rest is None else "backing_off")
        while rest is not None:
            if await self._stops_within(rest):
                return False
            try:
                self._count += 1
                await self._note_start(await self._launched())
            except SpawnError as error:
                if self._stopping.is_set():
                    return False
                said = str(error)
                await self._record_error(said, "backing_off")
                rest = self._rest(0.0)
            else:
                return True
        within = f"{CRASHES_ALLOWED} times within {WINDOW_SECONDS:g} s"
        await self._record_error(f"it ended {within} and is not started again{f': {said}' if said else ''}", "failed")
        return False

    def _rest(self, lived_seconds: float) -> float | None:
        chance = random.random()  # noqa: S311  # spreads starts
        return self._restarts.crashed(time.monotonic(), lived_seconds=lived_seconds, chance=chance)

    async def _launched(self) -> Supervised:
        """Start a process and wait until it answers.

        Raises:
            SpawnError: it does not, or is to be stopped before it does.
        """
        launching = asyncio.ensure_future(self._bind_and_launch())
        try:
            if not await self._before_stop(asyncio.shield(launching)):
                raise SpawnError("it was stopped while it started")
        finally:
            launching.cancel()
            await asyncio.wait((launching,))
        return launching.result()

    async def _note_start(self, process: Supervised) -> None:
        self.process = process
        self._answers_since = time.monotonic()
        change = partial(
            books.record_start,
            profile=self.alias,
            port=self.port,
            pid=process.pid,
            process_start=process.process_start,
            restarts=self._count,
        )
        await self._diary.write(change)
        logger.info("the proxy of %s answers on port %d, pid %d", self.alias, self.port, process.pid)

    async def _bind_and_launch(self) -> Supervised:
        if self._listening is None:
            try:
                self._listening = await asyncio.to_thread(self._bind, self.port)
            except PortError as error:
                raise SpawnError(str(error), hint=error.hint) from error
        return await self._launch(self._listening)

    async def _before_stop(self, work: Awaitable[object]) -> bool:
        """Wait for the work; False when it is to be stopped first. What the work raises is raised."""
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            working.result()
            return True
        finally:
            for task in (working, stopping):
                task.cancel()

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _record_stop(self, exit_code: int | None, status: ProxyState) -> None:
        await self._diary.write(partial(books.record_stop, profile=self.alias, exit_code=exit_code, status=status))

    async def _record_error(self, error: str, status: ProxyState) -> None:
        logger.error("the proxy of %s: %s", self.alias, error)
        await self._diary.write(partial(books.record_error, profile=self.alias, error=error, status=status))

    def _close_socket(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
