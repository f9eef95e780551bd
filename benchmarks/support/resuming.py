"""Clients that never let go, many in one process: bare sockets that resume, count, and compare what they are told.

Every client must get each event once, in order, from number 1 on; the first to get one notes a digest of its bytes,
the others compare theirs with it. `end SEQ` on standard input lets each client come that far; then one JSON object of
figures is printed, and the digests are written to a file for a comparison with the daemon's log.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import sys
from pathlib import Path

import msgspec

from tests.support.waiting import until

RETRY_SECONDS = (0.02, 0.06)
"""Between two attempts; short, since the daemon is back soon and its first moments matter most."""
END_SECONDS = 60.0
DIGEST_BYTES = 8
MOST_TOLD = 5


class Envelope(msgspec.Struct):
    """What a client needs of a frame; a control frame has no number."""

    type: str
    seq: int | None = None
    log: str = ""


class HelloData(msgspec.Struct):
    """Where a stream begins."""

    log: str
    seq: int
    resumed: bool


class HelloFrame(msgspec.Struct):
    """The first frame of a stream."""

    data: HelloData


class Ledger:
    """What all clients of this process were told, and what was wrong with it."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.digests: dict[int, bytes] = {}
        self.deliveries = self.resumes = self.lost = self.doubled = self.diverged = 0
        self.told: list[str] = []

    def blame(self, sentence: str) -> None:
        """Keep the first few faults in words."""
        if len(self.told) < MOST_TOLD:
            self.told.append(sentence)


class Client(asyncio.Protocol):
    """One client; a new connection goes on where the last one broke."""

    def __init__(self, name: str, port: int, ledger: Ledger) -> None:
        self.seq = 0
        self._name = name
        self._port = port
        self._ledger = ledger
        self._chance = random.Random(name)  # noqa: S311  # spreads attempts
        self._rest = b""
        self._upgraded = False
        self._closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    async def follow(self) -> None:
        """Connect again and again."""
        loop = asyncio.get_running_loop()
        while True:
            self._closed.clear()
            with contextlib.suppress(OSError):
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
                await self._closed.wait()
            await asyncio.sleep(self._chance.uniform(*RETRY_SECONDS))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._rest, self._upgraded = transport, b"", False
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws?since={self.seq}&log={self._ledger.log} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name; why does not matter
        self._closed.set()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        start = 0
        if not self._upgraded:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self._rest = data
                return
            if b" 101 " not in data[:head].split(b"\r\n")[0]:
                self._hang_up()  # it is just starting or stopping
                return
            self._upgraded, start = True, head + 4
        while len(data) >= start + 2:
            length, header = data[start + 1], 2
            if length == 126:
                length, header = int.from_bytes(data[start + 2 : start + 4]), 4
            elif length == 127:
                length, header = int.from_bytes(data[start + 2 : start + 10]), 10
            end = start + header + length
            if len(data) < start + header or len(data) < end:
                break
            if data[start] != 0x81:  # not a text message: the daemon says good-bye
                self._hang_up()
                return
            self._take(data[start + header : end])
            start = end
        self._rest = data[start:]

    def _hang_up(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def _take(self, body: bytes) -> None:
        frame = msgspec.json.decode(body, type=Envelope)
        ledger = self._ledger
        if frame.seq is None:
            if frame.type == "Hello":
                self._greet(msgspec.json.decode(body, type=HelloFrame).data)
            return
        ledger.deliveries += 1
        if frame.seq <= self.seq:
            ledger.doubled += 1
            ledger.blame(f"{self._name} was told {frame.seq} again at {self.seq}")
            return
        if frame.seq > self.seq + 1:
            ledger.lost += frame.seq - self.seq - 1
            ledger.blame(f"{self._name} was told {frame.seq} after {self.seq}")
        self.seq = frame.seq
        digest = hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()
        if ledger.digests.setdefault(frame.seq, digest) != digest or frame.log != ledger.log:
            ledger.diverged += 1
            ledger.blame(f"{self._name} was told {frame.seq} otherwise than another client: {body.decode()}")

    def _greet(self, hello: HelloData) -> None:
        self._ledger.resumes += 1
        if not hello.resumed or hello.seq != self.seq or hello.log != self._ledger.log:
            self._ledger.lost += abs(hello.seq - self.seq) or 1
            self._ledger.blame(f"{self._name} stood at {self.seq} and was greeted with {hello}")
            self.seq = hello.seq


async def follow(port: int, clients: int, log: str) -> Ledger:
    """Follow until standard input says up to where, and answer what was told."""
    ledger = Ledger(log)
    crowd = [Client(f"{os.getpid()}.{number}", port, ledger) for number in range(clients)]
    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(client.follow(), name="client") for client in crowd]
        last = int((await asyncio.to_thread(sys.stdin.readline)).removeprefix("end "))
        with contextlib.suppress(TimeoutError):
            await until(lambda: all(client.seq >= last for client in crowd), seconds=END_SECONDS)
        for task in following:
            task.cancel()
    for client in crowd:
        if client.seq < last:
            ledger.lost += last - client.seq
            ledger.blame(f"a client came to {client.seq} and never to {last}")
    return ledger


def main(port: int, clients: int, log: str, digests: Path) -> None:
    """Follow, then report."""
    ledger = asyncio.run(follow(port, clients, log))
    digests.write_bytes(msgspec.msgpack.encode(ledger.digests))
    names = ("deliveries", "resumes", "lost", "doubled", "diverged", "told")
    print(json.dumps({name: getattr(ledger, name) for name in names}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
