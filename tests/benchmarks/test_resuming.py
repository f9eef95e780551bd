"""The counting client of `benchmarks kills` counts what is wrong: else its zeros would say nothing."""

import asyncio
import json

import pytest

from benchmarks.support.resuming import Client, Ledger

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Wire(asyncio.Transport):
    """Takes what a client sends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def abort(self) -> None:
        self.aborted = True


def frame(**fields: object) -> bytes:
    body = json.dumps(fields).encode()
    assert 126 <= len(body) < 1 << 16
    return b"\x81\x7e" + len(body).to_bytes(2) + body


def hello(seq: int, *, resumed: bool = True) -> bytes:
    return frame(type="Hello", data={"log": "a", "seq": seq, "resumed": resumed, "pad": "x" * 100})


def event(seq: int, text: str = "x") -> bytes:
    return frame(type="ProfileUpdated", data={"text": text * 100}, seq=seq, log="a")


@pytest.fixture
async def ledger() -> Ledger:
    return Ledger("a")


def connected(client: Client) -> Wire:
    wire = Wire()
    client.connection_made(wire)
    client.data_received(UPGRADED)
    return wire


async def test_a_good_stream_has_no_faults_in_pieces_of_any_size(ledger: Ledger) -> None:
    client = Client("c", 1, ledger)
    wire = Wire()
    client.connection_made(wire)
    assert b"GET /ws?since=0&log=a " in wire.sent
    stream = UPGRADED + hello(0) + event(1) + event(2)
    for place in range(len(stream)):
        client.data_received(stream[place : place + 1])
    wire = connected(client)
    assert b"GET /ws?since=2&log=a " in wire.sent
    client.data_received(hello(2) + event(3))
    assert (ledger.deliveries, ledger.resumes, client.seq) == (3, 2, 3)
    assert (ledger.lost, ledger.doubled, ledger.diverged) == (0, 0, 0)


@pytest.mark.parametrize(
    ("frames", "counts"),
    [
        ([hello(0), event(1), event(4)], (2, 0, 0)),
        ([hello(0), event(1), event(1)], (0, 1, 0)),
        ([hello(0), event(1), event(2), event(1)], (0, 1, 0)),
        ([hello(3)], (3, 0, 0)),
        ([hello(0, resumed=False)], (1, 0, 0)),
    ],
)
async def test_faults_are_counted(ledger: Ledger, frames: list[bytes], counts: tuple[int, int, int]) -> None:
    client = Client("c", 1, ledger)
    connected(client)
    client.data_received(b"".join(frames))
    assert (ledger.lost, ledger.doubled, ledger.diverged) == counts
    assert ledger.told


async def test_two_clients_told_different_things_are_noticed(ledger: Ledger) -> None:
    for name, text in (("one", "x"), ("two", "y")):
        client = Client(name, 1, ledger)
        connected(client)
        client.data_received(hello(0) + event(1, text))
    assert (ledger.lost, ledger.doubled, ledger.diverged) == (0, 0, 1)


async def test_a_refusal_and_a_goodbye_are_hung_up_on(ledger: Ledger) -> None:
    client = Client("c", 1, ledger)
    wire = Wire()
    client.connection_made(wire)
    client.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    assert wire.aborted
    wire = connected(client)
    client.data_received(hello(0) + b"\x88\x02\x03\xe9")
    assert wire.aborted
