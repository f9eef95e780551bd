import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.api import connection
from tests.support.api_server import ApiServer, running_api
from tests.support.raw_client import CLOSE, frame, raw_client
from tests.support.waiting import until


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path) as server:
        yield server


async def test_a_request_that_does_not_become_whole_in_time_is_hung_up_on(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    async with raw_client(api.port) as client:
        assert (await client.call("GET", "/api/health")).status == 200
        await client.send(b"GET /api/health HTTP/1.1\r\nHo")
        assert await client.ended()


async def test_a_connection_that_says_nothing_is_not_hung_up_on_soon(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.01)
    async with raw_client(api.port) as client:
        assert (await client.call("GET", "/api/health")).status == 200
        await asyncio.sleep(0.1)
        assert (await client.call("GET", "/api/health")).status == 200


async def test_the_reply_to_garbage_is_not_overtaken_by_a_reset(api: ApiServer) -> None:
    async with raw_client(api.port) as client:
        sending = asyncio.create_task(client.send(b"x" * 32_000_000), name="garbage")
        assert (await client.next_reply()).json()["code"] == "bad_request"
        assert await client.ended()
        await sending


async def test_a_caller_that_never_hangs_up_is_cut(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_SECONDS", 0.1)
    async with raw_client(api.port) as client:
        await client.send(b"garbage\r\n\r\n")
        assert (await client.next_reply()).status == 400
        assert await client.ended()
        await until(client.refused)


async def test_a_daemon_that_stops_does_not_wait_for_lingering_callers(tmp_path: Path) -> None:
    async with running_api(tmp_path) as api:
        client = raw_client(api.port)
        caller = await client.__aenter__()
        await caller.send(b"garbage\r\n\r\n")
        assert (await caller.next_reply()).status == 400
    assert await caller.ended()
    await client.__aexit__(None, None, None)


async def test_a_client_that_breaks_a_rule_hears_why_however_much_it_sends(api: ApiServer) -> None:
    async with raw_client(api.port) as client:
        assert (await client.upgrade("/ws")).status == 101
        sending = asyncio.create_task(client.send(frame(0x91) + b"x" * 32_000_000), name="garbage")
        received = await client.frame()
        assert (received.opcode, received.close_code) == (CLOSE, 1002)
        assert await client.ended()
        await sending


BAD_FRAME = frame(0x91, b"{}")
BAD_REQUEST = b"garbage\r\n\r\n"


@pytest.mark.parametrize("upgrades", [True, False], ids=["stream", "request"])
async def test_a_client_that_breaks_a_rule_and_hangs_up_before_it_hears_why_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, upgrades: bool
) -> None:
    async with running_api(tmp_path) as api:
        async with raw_client(api.port) as client:
            if upgrades:
                assert (await client.upgrade("/ws")).status == 101
            # Gone when the answer is written: the kernel answers that with a reset.
            await client.send(BAD_FRAME if upgrades else BAD_REQUEST)
        async with raw_client(api.port) as client:
            assert (await client.call("GET", "/api/health")).status == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
