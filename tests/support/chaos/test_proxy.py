import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.chaos.proxy import ChaosProxy
from tests.support.chaos.script import Fault, Script, Side, Step, Weather, script_of

PATIENCE = 10


@contextlib.asynccontextmanager
async def proxied(*steps: Step) -> AsyncIterator[tuple[ChaosProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through a proxy to a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 16):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        ChaosProxy(server.sockets[0].getsockname()[1], lambda _: steps) as proxy,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, reader, writer
        writer.transport.abort()


async def all_of(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """What came until the end, and whether the end was a reset."""
    got = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while chunk := await reader.read(1 << 16):
                got += chunk
    except ConnectionResetError:
        return got, True
    return got, False


async def test_without_a_script_everything_goes_through() -> None:
    async with proxied() as (proxy, reader, writer):
        writer.write(b"x" * 100_000)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(100_000) == b"x" * 100_000
        assert proxy.cuts == 0


async def test_the_host_header_names_the_daemon() -> None:
    async with proxied() as (proxy, reader, writer):
        writer.write(f"Host: 127.0.0.1:{proxy.port}\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            assert await reader.readline() == f"Host: 127.0.0.1:{proxy.target_port}\r\n".encode()


async def test_the_end_comes_after_exactly_so_many_bytes() -> None:
    async with proxied(Step(Fault.FINISH, after_bytes=777)) as (proxy, reader, writer):
        writer.write(b"x" * 2_000)
        assert await all_of(reader) == (b"x" * 777, False)
    assert proxy.cuts == 1


async def test_a_reset_is_a_reset() -> None:
    async with proxied(Step(Fault.RESET, Side.UP, after_bytes=10)) as (proxy, reader, writer):
        writer.write(b"x" * 100)
        got, was_reset = await all_of(reader)
        assert was_reset
        assert len(got) <= 10
    assert proxy.cuts == 1


async def test_a_timed_cut_needs_no_bytes() -> None:
    async with proxied(Step(Fault.FINISH, after_seconds=0.05)) as (proxy, reader, _):
        assert await all_of(reader) == (b"", False)
    assert proxy.cuts == 1


async def test_a_black_hole_gives_nothing_back_until_the_calm_cuts_it() -> None:
    async with proxied(Step(Fault.BLACK_HOLE, after_bytes=5)) as (proxy, reader, writer):
        writer.write(b"x" * 1_000)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(5) == b"xxxxx"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        proxy.calm()
        assert await all_of(reader) == (b"", True)


async def test_a_throttle_takes_its_time_and_loses_nothing() -> None:
    async with proxied(Step(Fault.THROTTLE, after_bytes=0, amount=10_000)) as (_, reader, writer):
        began = asyncio.get_running_loop().time()
        writer.write(b"x" * 1_000)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(1_000) == b"x" * 1_000
        assert asyncio.get_running_loop().time() - began >= 0.08


async def test_a_delay_comes_once() -> None:
    async with proxied(Step(Fault.DELAY, after_bytes=100, amount=0.1)) as (_, reader, writer):
        began = asyncio.get_running_loop().time()
        writer.write(b"x" * 1_000)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(1_000) == b"x" * 1_000
        assert asyncio.get_running_loop().time() - began >= 0.1


async def test_holding_lets_nothing_through_until_the_release() -> None:
    async with proxied() as (proxy, reader, writer):
        proxy.hold()
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        proxy.release()
        async with asyncio.timeout(PATIENCE):
            assert await reader.read(1) == b"x"


async def test_a_proxy_without_a_daemon_closes() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    async with ChaosProxy(port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        got, _ = await all_of(reader)
        writer.close()
    assert got == b""


def test_a_seed_and_a_number_give_the_same_script() -> None:
    scripts = [script_of(7, number, Weather()) for number in range(1, 60)]
    assert scripts == [script_of(7, number, Weather()) for number in range(1, 60)]
    assert scripts != [script_of(8, number, Weather()) for number in range(1, 60)]
    assert {step.fault for script in scripts for step in script} == set(Fault)


def test_a_script_prints_as_it_is() -> None:
    script: Script = (
        Step(Fault.THROTTLE, after_bytes=12, amount=400),
        Step(Fault.RESET, Side.UP, after_bytes=99),
        Step(Fault.BLACK_HOLE, after_seconds=0.25),
    )
    assert "; ".join(map(str, script)) == (
        "after 12 B down: throttle 400; after 99 B up: reset; after 0.250 s: black hole"
    )
