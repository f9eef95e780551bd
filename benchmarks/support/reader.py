"""A cheap client of the stream that keeps the books: what came, what was missing, what came twice, how late.

It resumes where it was whenever it is cut, so what it counts as lost is lost for good.
"""

import asyncio
import base64
import json
import os
import socket
import sys
import time
from array import array
from dataclasses import asdict, dataclass, field

import msgspec

RETRY_SECONDS = 0.2


class _Data(msgspec.Struct):
    seq: int = 0
    resumed: bool = False
    reason: str | None = None


class _Frame(msgspec.Struct):
    type: str
    seq: int | None = None
    log: str | None = None
    at_ms: int = 0
    data: _Data = msgspec.field(default_factory=_Data)


_decoder = msgspec.json.Decoder(_Frame)


@dataclass
class Books:
    """What a client saw. Numbers of events, unless said otherwise."""

    events: int = 0
    lost: int = 0
    doubled: int = 0
    connections: int = 0
    resumed: int = 0
    """Connections that went on where the last one ended."""
    restarted: list[str] = field(default_factory=list)
    """Why the others did not."""
    latencies_ms: "array[float]" = field(default_factory=lambda: array("d"))
    """From the begin of the transaction to the event's arrival."""


class Reader(asyncio.Protocol):
    """Follows until `close`; extended unless `plain`, which cannot resume."""

    def __init__(self, port: int, *, plain: bool = False, receive_buffer: int | None = None) -> None:
        self.books = Books()
        self.seq: int | None = None
        """The number of the last event that came."""
        self._log: str | None = None
        self._port = port
        self._plain = plain
        self._receive_buffer = receive_buffer
        self._rest = b""
        self._greeted = False
        self._closed = False
        self._lost = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    async def follow(self) -> None:
        """Connect, and connect again whenever the connection is lost, until it is closed."""
        while not self._closed:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._lost.wait()
            if self._plain:
                self.seq = None
            if not self._closed:
                await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """End for good."""
        self._closed = True
        self.cut()

    def cut(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading, as a stalled client does."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    async def _connect(self) -> None:
        query = "" if self._plain else "?hello=1"
        if self.seq is not None and self._log is not None and not self._plain:
            query = f"?since={self.seq}&log={self._log}"
        self._rest, self._greeted = b"", False
        self._lost.clear()
        connection = socket.socket()
        if self._receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(connection, ("127.0.0.1", self._port))
        except OSError:
            connection.close()
            raise
        self._transport, _ = await loop.create_connection(lambda: self, sock=connection)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /ws{query} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    # -- the protocol -------------------------------------------------------------------------------------------------

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        now_ms = time.time() * 1000
        data = self._rest + data
        start = 0
        if not self._greeted:
            start = data.find(b"\r\n\r\n") + 4
            if start < 4:
                self._rest = data
                return
            self._greeted = b" 101 " in data[:start].split(b"\r\n")[0]
            if not self._greeted:
                self.cut()
                return
            self.books.connections += 1
        while (bounds := _payload(data, start)) is not None:
            if data[start] == 0x81:
                self._take(_decoder.decode(data[bounds[0] : bounds[1]]), now_ms)
            elif data[start] == 0x88:
                self.cut()
                return
            start = bounds[1]
        self._rest = data[start:]

    def _take(self, frame: _Frame, now_ms: float) -> None:
        if frame.seq is None:
            if frame.type == "Hello":
                self._take_hello(frame.data)
            return
        books = self.books
        if self.seq is not None:
            # Plain clients get the documented events alone, so their numbers have holes.
            books.lost += max(0, frame.seq - self.seq - 1) * (not self._plain)
            books.doubled += frame.seq <= self.seq
        books.events += 1
        books.latencies_ms.append(now_ms - frame.at_ms)
        self.seq, self._log = frame.seq, frame.log

    def _take_hello(self, hello: _Data) -> None:
        if hello.resumed:
            self.books.resumed += 1
        else:
            if self.seq is not None:
                self.books.restarted.append(hello.reason or "")
            self.seq = hello.seq


def _payload(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the unmasked frame at `start` lies, None while it is not whole."""
    if len(data) < start + 2:
        return None
    length = data[start + 1]
    begin = start + 2
    if length == 126:
        begin = start + 4
        length = int.from_bytes(data[start + 2 : begin])
    elif length == 127:
        begin = start + 10
        length = int.from_bytes(data[start + 2 : begin])
    return (begin, begin + length) if len(data) >= begin + length else None


def percentile(ordered: "array[float] | list[float]", percent: float) -> float:
    """A percentile of sorted values; 0 without any."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


async def _alone(port: int) -> None:
    """Follow in a process of its own, which can be stopped, until standard input is closed; then print the books."""
    reader = Reader(port)
    following = asyncio.create_task(reader.follow(), name="follow")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    reader.close()
    await following
    books = asdict(reader.books)
    del books["latencies_ms"]
    print(json.dumps({**books, "seq": reader.seq}), flush=True)


if __name__ == "__main__":
    asyncio.run(_alone(int(sys.argv[1])))
