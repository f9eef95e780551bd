"""A TCP relay that cuts and holds connections on command, so that a test decides what the network does."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024


class TcpRelay:
    """Stands between a client and a daemon on loopback.

    The daemon checks `Host` for its own port, so the relay writes that port into what the client sends; both have five
    digits, so no length changes.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        while len(str(self.port)) != len(str(self.target_port)):
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.release()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Drop every connection, without a good-bye."""
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through to the client until `release`: it lags."""
        self._open.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._open.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        ours, theirs = (f"127.0.0.1:{port}".encode() for port in (self.port, self.target_port))
        try:
            with contextlib.suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
                self._writers.add(far_writer)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._pump(reader, far_writer, ours, theirs), name="relay.up")
                    tasks.create_task(self._pump(far_reader, writer, b"", b"", down=True), name="relay.down")
                self._writers.discard(far_writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ours: bytes,
        theirs: bytes,
        *,
        down: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if down:
                    await self._open.wait()
                writer.write(chunk.replace(ours, theirs) if ours else chunk)
                await writer.drain()
        writer.transport.abort()
