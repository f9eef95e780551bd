"""A provider that says exactly the bytes it is told to, and keeps exactly the bytes it was sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Piece = bytes | asyncio.Event | None
"""Bytes to send, something to wait for, or None: break the connection off."""


@dataclass
class Asked:
    """One request as it came in."""

    head: bytes
    body: bytes = b""

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]

    def header(self, name: str) -> str | None:
        return next((value for found, value in self.headers if found.lower() == name.lower()), None)


@dataclass
class RawUpstream:
    """Answers the requests in the order they come with the answers in the order they were given."""

    answers: list[Sequence[Piece]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    hung_up: int = 0
    """Connections that the other side closed while an answer was under way."""
    idle_close: bool = False
    """Close a kept connection at the moment when it is used again."""
    port: int = 0
    on_request: Callable[[Asked], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, *pieces: Piece) -> None:
        """Give the next answer, piece by piece."""
        self.answers.append(pieces)

    def answer_whole(
        self, body: bytes, *, status: str = "200 OK", head: bytes = b"", kind: str = "application/json"
    ) -> None:
        """Give the next answer, whole and with its length."""
        lines = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
        self.answer(lines + head + b"\r\n" + body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        served = 0
        try:
            while head := await _read_head(reader):
                if self.idle_close and served:
                    break
                asked = Asked(head)
                await _read_body(reader, writer, asked)
                self.asked.append(asked)
                if self.on_request is not None:
                    self.on_request(asked)
                served += 1
                if not await self._say(writer):
                    break
        except ConnectionError:
            self.hung_up += 1
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter) -> bool:
        for piece in self.answers.pop(0):
            if piece is None:
                writer.transport.abort()
                return False
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                writer.write(piece)
                await writer.drain()
            if writer.transport.is_closing():
                self.hung_up += 1
                return False
        return True


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _read_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> None:
    if (asked.header("Expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = asked.header("Content-Length")
    if length is not None:
        asked.body = await reader.readexactly(int(length))
        return
    if (asked.header("Transfer-Encoding") or "") != "chunked":
        return
    while size := int(await reader.readline(), 16):
        asked.body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


@asynccontextmanager
async def raw_upstream() -> AsyncIterator[RawUpstream]:
    """Listen on a free port."""
    upstream = RawUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=2**20)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()


@dataclass(frozen=True)
class Heard:
    """What a client got, to the byte."""

    head: bytes
    body: bytes
    """With chunk sizes taken out."""
    whole: bool
    """Whether the answer came to its proper end."""

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        return Asked(self.head).headers


async def ask(port: int, raw: bytes, *, heard: bytes = b"", then: asyncio.Event | None = None) -> Heard:
    """Send exactly these bytes and read one answer.

    Args:
        port: where.
        raw: the request.
        heard: once these bytes of the answer have come ...
        then: ... this is set.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        writer.write(raw)
        if then is None:
            return await hear(reader, head_only=raw.startswith(b"HEAD"))
        begun = await _read_until(reader, heard)
        then.set()
        rest = asyncio.StreamReader(limit=2**22)
        rest.feed_data(begun)
        await _read_on(reader, rest)
        return await hear(rest)
    finally:
        writer.close()


async def _read_until(reader: asyncio.StreamReader, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        found += await reader.read(65536)
    return found


async def _read_on(reader: asyncio.StreamReader, into: asyncio.StreamReader) -> None:
    """Read to the end of the connection, or as long as nothing is missing."""
    try:
        while data := await reader.read(65536):
            into.feed_data(data)
            if data.endswith(b"0\r\n\r\n"):
                break
    except ConnectionError:
        pass
    into.feed_eof()


async def hear(reader: asyncio.StreamReader, *, head_only: bool = False) -> Heard:
    """Read one answer, interim ones passed over."""
    head = await _read_head(reader)
    while head.startswith(b"HTTP/1.1 1"):
        head = await _read_head(reader)
    told = Asked(head)
    length, coding = told.header("Content-Length"), told.header("Transfer-Encoding")
    body = b""
    try:
        if head_only or head.split(b" ", 2)[1] in {b"204", b"304"}:
            pass
        elif length is not None:
            body = await reader.readexactly(int(length))
        elif coding == "chunked":
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        return Heard(head, body + getattr(error, "partial", b""), whole=False)
    return Heard(head, body, whole=True)
