"""Each call of the API client against a server that says what a test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.errors import IncompatibleError, RefusedError, UnreachableError
from clown_daemon.protocol import codec
from clown_daemon.protocol.endpoint import KEY_HEADER
from clown_daemon.protocol.examples import REPLIES
from clown_daemon.protocol.replies import EventPage
from clown_daemon.protocol.requests import CreateProfile, ImportUsage, RunProfile, UpdateProfile


@dataclass
class Server:
    """Answers every request with `body`, and keeps what it was asked."""

    body: bytes = b""
    status: int = 200
    url: str = ""
    asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    received: bytes = b""
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.raw_path}")
        self.headers = dict(request.headers)
        self.received = await request.read()
        await self.answer.wait()
        return web.Response(body=self.body, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    made.answer.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.answer.set()
    await runner.cleanup()


Call = Callable[[DaemonApi], Awaitable[Any]]

PAGE = EventPage(log="l", events=(), next=0, head=0, floor=0)
CREATE = CreateProfile(agent_id="claude", alias="a", provider_id="anthropic", api_key="sk-1")
CALLS: list[tuple[Call, str, object]] = [
    (lambda api: api.snapshot(), "GET /api/snapshot", REPLIES["Snapshot"]),
    (lambda api: api.events(7, types="@cost", limit=5), "GET /api/events?since=7&types=%40cost&limit=5", PAGE),
    (lambda api: api.profiles(), "GET /api/profiles", (REPLIES["ProfileSummary"],)),
    (lambda api: api.profiles("claude"), "GET /api/profiles?agent=claude", ()),
    (lambda api: api.profile("a/b c"), "GET /api/profiles/a%2Fb%20c", REPLIES["ProfileDetail"]),
    (lambda api: api.create_profile(CREATE), "POST /api/profiles", REPLIES["ProfileMessage"]),
    (
        lambda api: api.update_profile("a", UpdateProfile(model=None)),
        "PATCH /api/profiles/a",
        REPLIES["ProfileMessage"],
    ),
    (lambda api: api.delete_profile("a"), "DELETE /api/profiles/a", REPLIES["Message"]),
    (lambda api: api.run_profile("a", RunProfile(args=("x",))), "POST /api/profiles/a/run", REPLIES["RunStarted"]),
    (lambda api: api.run_profile("a"), "POST /api/profiles/a/run", REPLIES["RunStarted"]),
    (lambda api: api.stop_profile("a"), "POST /api/profiles/a/stop", REPLIES["RunStopped"]),
    (lambda api: api.output("a", after=3), "GET /api/profiles/a/output?after=3&limit=1000", REPLIES["OutputPage"]),
    (lambda api: api.agents(), "GET /api/agents", (REPLIES["AgentSummary"],)),
    (lambda api: api.agent("claude"), "GET /api/agents/claude", REPLIES["AgentDetail"]),
    (lambda api: api.detect_agents(), "POST /api/agents/detect", REPLIES["Detection"]),
    (lambda api: api.providers(), "GET /api/providers", (REPLIES["ProviderSummary"],)),
    (lambda api: api.provider("anthropic"), "GET /api/providers/anthropic", REPLIES["Provider"]),
    (lambda api: api.usage("7d", tz="UTC"), "GET /api/usage?period=7d&tz=UTC", REPLIES["UsageReport"]),
    (lambda api: api.import_usage(ImportUsage(source="codex")), "POST /api/usage/import", REPLIES["UsageImport"]),
    (lambda api: api.cancel_imports("codex"), "POST /api/usage/import/cancel", (REPLIES["UsageImport"],)),
    (lambda api: api.usage_sources(), "GET /api/usage/sources", (REPLIES["UsageSource"],)),
    (
        lambda api: api.usage_series("30d", by="model", tz="UTC"),
        "GET /api/usage/series?period=30d&bucket=day&by=model&tz=UTC",
        REPLIES["UsageSeries"],
    ),
    (
        lambda api: api.usage_sessions(sort="cost", after="5.1", limit=2),
        "GET /api/usage/sessions?period=today&sort=cost&after=5.1&limit=2",
        REPLIES["SessionPage"],
    ),
    (lambda api: api.import_claude("/x"), "POST /api/usage/import-claude?claude_dir=/x", "42 records"),
    (lambda api: api.daemon_status(), "GET /api/daemon/status", REPLIES["DaemonStatus"]),
    (lambda api: api.shutdown(), "POST /api/daemon/shutdown", REPLIES["Message"]),
]


@pytest.mark.parametrize(("call", "request_line", "data"), CALLS, ids=[line for _, line, _ in CALLS])
async def test_each_call_asks_and_answers_typed(server: Server, call: Call, request_line: str, data: object) -> None:
    server.body = codec.success(data)
    async with DaemonApi(server.url) as api:
        assert await call(api) == data
    asked = [line.replace("%2Fx", "/x") for line in server.asked]
    assert asked == [request_line]
    changes = not request_line.startswith("GET")
    assert (server.headers.get("Content-Type") == "application/json") is changes
    assert "Authorization" not in server.headers


async def test_health_is_bare(server: Server) -> None:
    server.body = codec.encode(REPLIES["Health"])
    async with DaemonApi(server.url) as api:
        assert await api.health() == REPLIES["Health"]


async def test_a_body_is_sent_as_json(server: Server) -> None:
    server.body = codec.success(REPLIES["ProfileMessage"])
    async with DaemonApi(server.url) as api:
        await api.update_profile("a", UpdateProfile(model=None))
        assert server.received == b'{"model":null}'
        await api.create_profile(CREATE)
        assert codec.decode_body(server.received, CreateProfile) == CREATE


async def test_the_token_is_sent_as_a_bearer(server: Server) -> None:
    server.body = codec.success([])
    async with DaemonApi(server.url, token="t0k") as api:
        await api.profiles()
        assert server.headers["Authorization"] == "Bearer t0k"
        assert "t0k" not in repr(api)


async def test_a_problem_is_raised_with_its_code_and_hint(server: Server) -> None:
    server.status = 404
    server.body = b'{"success":false,"error":"there is no profile a","code":"unknown_profile","hint":"create it"}'
    async with DaemonApi(server.url) as api:
        with pytest.raises(RefusedError, match="there is no profile a") as caught:
            await api.profile("a")
    assert (caught.value.status, caught.value.problem.code, caught.value.hint) == (404, "unknown_profile", "create it")


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (404, b"not found"), (200, b'{"success":true,"data":7}')]
)
async def test_another_program_is_told_from_a_daemon(server: Server, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    async with DaemonApi(server.url) as api:
        with pytest.raises(IncompatibleError, match="no Clown daemon"):
            await api.profile("a")
        with pytest.raises(IncompatibleError):
            await api.health()


async def test_nothing_listens(unused: str) -> None:
    async with DaemonApi(unused) as api:
        with pytest.raises(UnreachableError, match="nothing answers") as caught:
            await api.snapshot()
    assert caught.value.refused
    assert caught.value.hint is not None


async def test_an_answer_that_does_not_come_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clown_daemon.client.api.CONNECT_SECONDS", 0.1)
    server.answer.clear()
    async with DaemonApi(server.url) as api:
        with pytest.raises(UnreachableError, match="did not answer within"):
            await api.health()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1", "nonsense", "http://127.0.0.1:99999999"])
async def test_what_is_no_address_is_told(url: str) -> None:
    async with DaemonApi(url) as api:
        with pytest.raises((IncompatibleError, UnreachableError)):
            await api.snapshot()


async def test_proxies_of_the_environment_do_not_matter(
    server: Server, unused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, unused)
    server.body = codec.success([])
    async with DaemonApi(server.url) as api:
        assert await api.profiles() == ()


async def test_each_command_has_a_key_of_its_own_and_a_read_has_none(server: Server) -> None:
    server.body = codec.success(REPLIES["Message"])
    keys = []
    async with DaemonApi(server.url) as api:
        for _ in range(2):
            await api.delete_profile("a")
            keys.append(server.headers[KEY_HEADER])
        server.body = codec.success(())
        await api.profiles()
    assert len(set(keys)) == 2
    assert KEY_HEADER not in server.headers


class Breaking:
    """Reads each request whole and breaks the connection; answers from the time on that `breaks` is used up."""

    def __init__(self, breaks: int, body: bytes) -> None:
        self.breaks = breaks
        self.body = body
        self.received: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        sizes = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        self.received.append(head + await reader.readexactly(int(sizes[0]) if sizes else 0))
        if len(self.received) > self.breaks:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.body), self.body))
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def breaking(breaks: int, body: bytes) -> AsyncIterator[tuple[Breaking, str]]:
    made = Breaking(breaks, body)
    listener = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    async with listener:
        yield made, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


async def test_a_command_whose_reply_never_came_is_sent_again_with_its_key() -> None:
    async with breaking(1, codec.success(REPLIES["ProfileMessage"])) as (server, url), DaemonApi(url) as api:
        assert await api.update_profile("a", UpdateProfile(model="m")) == REPLIES["ProfileMessage"]
    first, second = server.received
    assert first == second
    assert f"{KEY_HEADER}: ".encode().lower() in first.lower()
    assert first.endswith(b'{"model":"m"}')


async def test_a_connection_that_breaks_twice_is_told() -> None:
    async with breaking(9, b"") as (server, url), DaemonApi(url) as api:
        with pytest.raises(UnreachableError, match="broke off"):
            await api.delete_profile("a")
    assert len(server.received) == 2


@pytest.fixture
async def unused() -> str:
    """The address of a port on which nothing listens."""
    listener = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return f"http://127.0.0.1:{port}"
