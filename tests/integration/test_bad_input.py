"""Every row of the tables in `bad_input/`: what a caller does wrong, and exactly how the daemon reacts.

One daemon takes them all. After each row it answers the next good request: on the same connection where the row says
that it stays, and always on a new one.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.conftest import QUICK_AGENT
from tests.support.raw_client import CLOSE, KEY, PONG, TEXT, Frame, RawClient, Reply, frame, raw_client
from tests.support.real_daemon import RealDaemon
from tests.support.tables import expand, read_table, to_bytes

# One daemon for all rows: they share a worker and an event loop.
pytestmark = [pytest.mark.xdist_group("bad-input"), pytest.mark.asyncio(loop_scope="module")]

TABLES = Path(__file__).parent / "bad_input"
MARKER = b"s3cret-m"
"""Stands in rows where a secret might; it must not come back, and must not be logged."""
GOOD_ACTION = frame(0x81, b'{"action": "subscribe", "events": ["*"], "request_id": "next"}')
_HEAD = re.compile(r"(?P<first>[0-9a-f]{2})(?P<unmasked>u?)(?:w(?P<bits>16|64))?(?:n=(?P<length>\d+))?")


def table(name: str, columns: int) -> list[tuple[str, ...]]:
    return list(read_table(TABLES / f"{name}.txt", columns))


def rows(name: str, columns: int) -> pytest.MarkDecorator:
    wrong = table(name, columns)
    return pytest.mark.parametrize("row", wrong, ids=[row[0] for row in wrong])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def victim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealDaemon]:
    """A daemon with one profile, `work`. It must end as it began: the same process, and no error in its log."""
    daemon = RealDaemon(tmp_path_factory.mktemp("victim"))
    daemon.add_agent("quick", QUICK_AGENT)
    await daemon.start()
    await daemon.ask("POST", "/api/profiles", {"alias": "work", "agent_id": "quick", "provider_id": "anthropic"})
    try:
        yield daemon
        assert (await daemon.ask("GET", "/api/daemon/status"))["pid"] == daemon.pid
        assert [one["alias"] for one in await daemon.ask("GET", "/api/profiles")] == ["work"]
    finally:
        assert await daemon.stop() == 0
    log = (daemon.root / "clown" / "logs" / "daemon.log").read_bytes()
    assert MARKER not in log
    assert b"ERROR" not in log, log.decode()
    assert b"Traceback" not in log, log.decode()


@rows("requests", 3)
async def test_a_request_that_is_wrong_in_its_bytes(victim: RealDaemon, row: tuple[str, ...]) -> None:
    _, text, reaction = row
    async with raw_client(victim.port) as client:
        await client.send(_request(victim, text))
        if reaction == "ends":
            client.finish()
            assert await client.ended()
        else:
            *earlier, last = reaction.split(";")
            for told in earlier:
                _expect_problem(await client.next_reply(), told)
            await _expect_last_reply(client, text.partition(" ")[0], last)
    await _expect_service(victim)


async def _expect_last_reply(client: RawClient, method: str, expected: str) -> None:
    reply = await client.next_reply(method)
    told, ending, header = re.fullmatch(r"(.+?) (stays|ends)(?: (.+))?", expected).groups()  # type: ignore[union-attr]
    if method == "HEAD":
        assert str(reply.status) == told.split()[0]
    else:
        _expect_problem(reply, told)
    if header:
        _expect_header(reply, header)
    if ending == "ends":
        assert await client.ended()
    else:
        assert (await client.call("GET", "/api/health")).status == 200


@rows("calls", 4)
async def test_a_call_with_a_wrong_path_parameter_or_body(
    victim: RealDaemon, wire: RawClient, row: tuple[str, ...]
) -> None:
    _, call, text, reaction = row
    method, path = expand(call).split(" ")
    reply = await wire.call(method, path, None if text == "-" else to_bytes(text))
    status, code, *header = reaction.split(" ", 2)
    _expect_problem(reply, f"{status} {code}")
    if header:
        _expect_header(reply, header[0])
    assert (await wire.call("GET", "/api/health")).status == 200
    await _expect_service(victim)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def wire(victim: RealDaemon) -> AsyncIterator[RawClient]:
    async with raw_client(victim.port) as client:
        yield client


@rows("actions", 3)
async def test_a_message_of_a_stream_client(victim: RealDaemon, row: tuple[str, ...]) -> None:
    _, text, reaction = row
    async with raw_client(victim.port) as client:
        await _follow(client)
        await client.send(frame(0x81, to_bytes(text)))
        _expect_error(await client.frame(), expand(reaction.encode("ascii", "replace").decode()))
        await _expect_stream(client)
    await _expect_service(victim)


@rows("frames", 3)
async def test_the_frames_of_a_stream_client(victim: RealDaemon, row: tuple[str, ...]) -> None:
    _, text, reaction = row
    async with raw_client(victim.port) as client:
        await _follow(client)
        await client.send(_frames(text))
        if reaction.startswith("close"):
            await _expect_close(client, int(reaction.split()[1]))
        else:
            if reaction != "fine":
                _expect_error(await _next_message(client), reaction.removeprefix("error "))
            await _expect_stream(client)
    await _expect_service(victim)


async def test_callers_who_hang_up_before_they_hear_the_reaction_are_no_error(victim: RealDaemon) -> None:
    """Every row once more; the log of the daemon must have no error of them, either."""
    for _, text, *_ in table("requests", 3):
        async with raw_client(victim.port) as client:
            await client.send(_request(victim, text))
    for name in ("actions", "frames"):
        for _, text, *_ in table(name, 3):
            async with raw_client(victim.port) as client:
                await _follow(client)
                await client.send(_frames(text) if name == "frames" else frame(0x81, to_bytes(text)))
    await _expect_service(victim)


async def test_compressed_messages_are_declined_and_then_refused(victim: RealDaemon) -> None:
    async with raw_client(victim.port) as client:
        reply = await client.upgrade("/ws", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        assert reply.status == 101
        assert "sec-websocket-extensions" not in reply.headers
        await client.send(frame(0xC1, b"\xaa\x56\x4a\x04\x00"))
        await _expect_close(client, 1002)
    await _expect_service(victim)


async def test_more_than_100_errors_a_minute_end_the_connection(victim: RealDaemon) -> None:
    async with raw_client(victim.port) as client:
        await _follow(client)
        await client.send(frame(0x81, b"{}") * 101)
        told = [(await client.frame()).json()["data"] for _ in range(101)]
        await _expect_close(client, 4029)
    assert [one["code"] for one in told[:40]] == ["bad_message"] * 40
    assert told[-1]["code"] == "rate_limited"
    assert 0 < told[-1]["retry_after_ms"] <= 50
    await _expect_service(victim)


async def test_requests_that_never_become_whole_hold_up_nobody(victim: RealDaemon) -> None:
    async with raw_client(victim.port) as slow, raw_client(victim.port) as slower:
        await slow.send(b"GET /api/agents HTTP/1.1\r\nHo")
        await slower.send(b"POST /api/profiles HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
        await _expect_service(victim)
        await slow.send(f"st: 127.0.0.1:{victim.port}\r\n\r\n".encode())
        assert (await slow.next_reply()).status == 200


# -- what is expected -------------------------------------------------------------------------------------------------


def _expect_problem(reply: Reply, told: str) -> None:
    """`400 bad_request`, or `200` alone."""
    status, *code = told.split()
    assert reply.status == int(status), reply
    assert MARKER not in reply.body
    if code:
        assert reply.headers["content-type"].startswith("application/json"), reply
        problem = reply.json()
        assert problem["code"] == code[0], problem
        assert problem["success"] is False
        assert isinstance(problem["error"], str)
        assert problem.keys() <= {"success", "error", "code", "hint"}
        assert len(reply.body) < 2000, "the caller's own words come back in full"


def _expect_header(reply: Reply, header: str) -> None:
    name, _, value = header.partition("=")
    assert reply.headers.get(name.lower()) == value


def _expect_error(received: Frame, told: str) -> None:
    """`invalid_field events[0]`, or `bad_json` alone."""
    assert received.opcode == TEXT, received
    message = received.json()
    data = message["data"]
    assert message["type"] == "Error"
    code, *field = told.split()
    assert (data["code"], data.get("field")) == (code, field[0] if field else None), data
    assert MARKER not in received.payload
    assert len(received.payload) < 10_000, "the caller's own words come back in full"


async def _follow(client: RawClient) -> None:
    assert (await client.upgrade("/ws?hello=1")).status == 101
    assert (await client.frame()).json()["type"] == "Hello"


async def _next_message(client: RawClient) -> Frame:
    received = await client.frame()
    while received.opcode == PONG:
        received = await client.frame()
    return received


async def _expect_stream(client: RawClient) -> None:
    """The same connection takes the next good message."""
    await client.send(GOOD_ACTION)
    message = (await _next_message(client)).json()
    assert (message["type"], message["data"]["request_id"]) == ("Subscribed", "next"), message


async def _expect_close(client: RawClient, code: int) -> None:
    received = await _next_message(client)
    while received.opcode != CLOSE:
        received = await _next_message(client)
    assert received.close_code == code, received
    await client.send(frame(0x88, code.to_bytes(2)))
    assert await client.ended()


async def _expect_service(victim: RealDaemon) -> None:
    """A new connection is served."""
    async with raw_client(victim.port) as client:
        assert (await client.call("GET", "/api/agents")).status == 200


def _request(victim: RealDaemon, text: str) -> bytes:
    text = text.replace("<host>", f"Host: 127.0.0.1:{victim.port}\\r\\n").replace("<key>", KEY)
    return to_bytes(text.replace("<json>", "Content-Type: application/json\\r\\n"))


def _frames(text: str) -> bytes:
    if text.startswith("raw "):
        return to_bytes(text.removeprefix("raw "))
    return b"".join(_frame(one) for one in expand(text).split(";"))


def _frame(text: str) -> bytes:
    head, _, payload = text.partition(" ")
    found = _HEAD.fullmatch(head)
    assert found, text
    return frame(
        int(found["first"], 16),
        to_bytes(payload),
        masked=not found["unmasked"],
        length=int(found["length"]) if found["length"] else None,
        length_bits=int(found["bits"] or 0),
    )
