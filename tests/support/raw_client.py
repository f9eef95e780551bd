"""A client that says exactly the bytes it is given, and reads HTTP replies and WebSocket frames as they come.

A connection that is reset raises: the other side threw away what it should have read, and a reply may have been lost.
"""

import asyncio
import contextlib
import json
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

SECONDS = 20
"""Ends a test that will never pass."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455, section 1.3."""
TEXT, CLOSE, PONG = 1, 8, 10


@dataclass(frozen=True)
class Reply:
    """An HTTP reply; the names of its headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Frame:
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        return int.from_bytes(self.payload[:2]) if self.payload else 1005

    def json(self) -> Any:
        return json.loads(self.payload)


def frame(
    first_byte: int, payload: bytes = b"", *, masked: bool = True, length: int | None = None, length_bits: int = 0
) -> bytes:
    """A frame of a client (RFC 6455, section 5.2), also one that breaks the rules.

    Args:
        first_byte: FIN, RSV1-3 and the opcode.
        payload: what it carries.
        masked: as a client must.
        length: what is written as the length; None is the truth.
        length_bits: 7, 16 or 64 bits for it; 0 takes as few as will do.
    """
    length = len(payload) if length is None else length
    bits = length_bits or (7 if length < 126 else 16 if length < 1 << 16 else 64)
    mask_bit = 0x80 if masked else 0
    if bits == 7:
        head = struct.pack("!BB", first_byte, mask_bit | length)
    elif bits == 16:
        head = struct.pack("!BBH", first_byte, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first_byte, mask_bit | 127, length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(stream)).to_bytes(len(payload))


class RawClient:
    """One connection."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.port = port
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send all of it, or as much as the other side takes before it hangs up."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def finish(self) -> None:
        """Send no more."""
        self._writer.write_eof()

    async def call(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """One well-formed request and its reply."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        await self.send(head.encode("latin-1") + b"\r\n" + (body or b""))
        return await self.next_reply(method)

    async def upgrade(self, path: str, *headers: str) -> Reply:
        """Shake hands for a WebSocket; frames follow a reply of 101."""
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {KEY}",
            *headers,
        ]
        await self.send("\r\n".join([*lines, "", ""]).encode())
        return await self.next_reply()

    async def next_reply(self, method: str = "GET") -> Reply:
        """The next reply, to a request with this method."""
        async with asyncio.timeout(SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            size = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
            return Reply(int(status_line.split()[1]), headers, await self._reader.readexactly(size))

    async def frame(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(SECONDS):
            first, size = await self._reader.readexactly(2)
            assert first & 0xF0 == 0x80, f"a server's frame begins with {first:#x}"
            assert size < 128, "a server's frame is masked"
            if size > 125:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8))
            return Frame(first & 0x0F, await self._reader.readexactly(size))

    async def ended(self) -> bool:
        """Whether nothing more comes, once something or the end has come."""
        async with asyncio.timeout(SECONDS):
            return not await self._reader.read(1)

    async def refused(self) -> bool:
        """Send a byte; answer whether the other side takes none any more."""
        await self.send(b"x")
        return self._writer.transport.is_closing()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawClient]:
    """A connection that is gone afterwards."""
    client = RawClient(port, *await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()
