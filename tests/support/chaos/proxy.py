"""A TCP proxy that delays, throttles, swallows and cuts connections by a script, or when a test says so."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.chaos.script import CALM, Fault, Script, Side, Step

_READ_BYTES = 64 * 1024
_THROTTLED_CHUNK = 64
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, zero seconds: closing sends a reset and forgets what is unsent."""


class ChaosProxy:
    """Stands between clients and a daemon on loopback.

    The daemon checks `Host` for its own port, so the proxy writes that port into what a client sends; both have the
    same number of digits, so no length changes.

    Attributes:
        cuts: how many connections were cut.
        scripts: the scripts of the connections so far, for the report of a failure.
    """

    def __init__(self, target_port: int, script: Callable[[int], Script] = lambda _: CALM) -> None:
        """Make a proxy.

        Args:
            target_port: the daemon's.
            script: answers what happens to a connection by its number, from 1.
        """
        self.target_port = target_port
        self.port = 0
        self.cuts = 0
        self.scripts: list[Script] = []
        self._script = script
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        while self._server is None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            if len(str(self.port)) == len(str(self.target_port)):
                self._server = server
            else:
                server.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.calm()
        while self._links:
            self.cut()
            await asyncio.sleep(0.005)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        for link in list(self._links):
            link.reset()

    def hold(self) -> None:
        """Let nothing through to the clients until `release`: they lag."""
        self._open.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._open.set()

    def calm(self) -> None:
        """Be a good network from now on: connections that are swallowed are cut, all others are let be."""
        self._script = lambda _: CALM
        self.release()
        for link in list(self._links):
            link.calm()

    def told(self) -> str:
        """The scripts so far, one connection a line."""
        lines = (f"  {number}: {'; '.join(map(str, script))}" for number, script in enumerate(self.scripts, start=1))
        return "\n".join(lines)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._script(len(self.scripts) + 1)
        self.scripts.append(script)
        link = _Link(script, self._open, writer)
        self._links.add(link)
        try:
            await link.carry(reader, self.target_port, (self.port, self.target_port))
        finally:
            self._links.discard(link)
            self.cuts += link.was_cut


class _Link:
    """One connection from a client to the daemon."""

    def __init__(self, script: Script, opened: asyncio.Event, near: asyncio.StreamWriter) -> None:
        self.was_cut = False
        self._steps = list(script)
        self._open = opened
        self._writers = [near]
        self._passed = {Side.UP: 0, Side.DOWN: 0}
        self._swallowed = False
        self._bytes_per_second = 0.0

    async def carry(self, reader: asyncio.StreamReader, port: int, ports: tuple[int, int]) -> None:
        """Forward both ways until either side ends it or the script does."""
        near = self._writers[0]
        try:
            # Timed steps strike whether or not bytes flow, also before the daemon is reached.
            async with asyncio.TaskGroup() as tasks:
                clock = tasks.create_task(self._strike_in_time(), name="proxy.clock")
                far_reader, far = await asyncio.open_connection("127.0.0.1", port)
                self._writers.append(far)
                ours, theirs = (f"127.0.0.1:{number}".encode() for number in ports)
                up = tasks.create_task(self._pump(reader, far, Side.UP, (ours, theirs)), name="proxy.up")
                down = tasks.create_task(self._pump(far_reader, near, Side.DOWN, None), name="proxy.down")
                await asyncio.wait([up, down])
                clock.cancel()
        except* OSError:
            pass  # nobody listens: the client sees its connection end
        for writer in self._writers:
            writer.transport.abort()

    def reset(self) -> None:
        """End both connections with a reset."""
        self.was_cut = True
        for writer in self._writers:
            sock: socket.socket | None = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def calm(self) -> None:
        """Do nothing more of the script."""
        self._steps.clear()
        self._bytes_per_second = 0
        if self._swallowed:
            self.reset()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        side: Side,
        ports: tuple[bytes, bytes] | None,
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_READ_BYTES):
                if side is Side.DOWN:
                    await self._open.wait()
                if ports is not None:
                    chunk = chunk.replace(*ports)  # what goes on is what came, readdressed
                await self._forward(chunk, writer, side)
        if not self._swallowed:
            for each in self._writers:
                each.close()

    async def _forward(self, chunk: bytes, writer: asyncio.StreamWriter, side: Side) -> None:
        while chunk and not self.was_cut:
            part = chunk[: self._room(side)]
            if part and not self._swallowed:
                writer.write(part)
                await writer.drain()
                if side is Side.DOWN and self._bytes_per_second:
                    await asyncio.sleep(len(part) / self._bytes_per_second)
            self._passed[side] += len(part)
            chunk = chunk[len(part) :]
            for step in [step for step in self._steps if self._due(step, side)]:
                await self._strike(step)

    def _room(self, side: Side) -> int:
        """How many bytes of a side may go before something is to happen."""
        counted = [step.after_bytes for step in self._steps if step.side is side and step.after_bytes is not None]
        room = min((after - self._passed[side] for after in counted), default=_READ_BYTES)
        return min(room, _THROTTLED_CHUNK) if self._bytes_per_second and side is Side.DOWN else room

    def _due(self, step: Step, side: Side) -> bool:
        return step.side is side and step.after_bytes is not None and self._passed[side] >= step.after_bytes

    async def _strike_in_time(self) -> None:
        began = asyncio.get_running_loop().time()
        timed = [step for step in self._steps if step.after_seconds is not None]
        for step in sorted(timed, key=lambda step: step.after_seconds or 0):
            await asyncio.sleep(began + (step.after_seconds or 0) - asyncio.get_running_loop().time())
            if step in self._steps:  # a calm may have come meanwhile
                await self._strike(step)

    async def _strike(self, step: Step) -> None:
        if step in self._steps:
            self._steps.remove(step)
        match step.fault:
            case Fault.DELAY:
                await asyncio.sleep(step.amount)
            case Fault.THROTTLE:
                self._bytes_per_second = step.amount
            case Fault.BLACK_HOLE:
                self._swallowed = True
            case Fault.RESET:
                self.reset()
            case Fault.FINISH:
                self.was_cut = True
                for writer in self._writers:
                    writer.close()
