import asyncio
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import brotli
import pytest
import pytest_asyncio
import zstandard

from clown_daemon.proxies.engine.instructions import Rule
from tests.support.proxy_engine import KEY, TOKEN, Engine, engine, instructions, upstream
from tests.support.raw_upstream import Heard, RawUpstream, ask, hear, raw_upstream
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[RawUpstream]:
    async with raw_upstream() as found:
        yield found


@pytest_asyncio.fixture
async def proxy(provider: RawUpstream, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(instructions({"main": upstream(provider.url)}), tmp_path / "spool") as found:
        yield found


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


START = event(
    {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 25, "output_tokens": 1}},
    }
)
DELTA = event({"type": "content_block_delta", "delta": {"text": "hello"}})
END = event({"type": "message_delta", "usage": {"output_tokens": 15}}) + event({"type": "message_stop"})
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nrequest-id: req_1\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


# -- bytes


async def test_a_request_reaches_the_provider_with_another_key_and_else_as_it_was(
    provider: RawUpstream, proxy: Engine
) -> None:
    provider.answer_whole(b"{}")
    body = b'{ "model" : "claude-sonnet-4-5",\n "x": 1.50 }'
    more = "User-Agent: claude-cli/2.1\r\nanthropic-beta: a\r\nX-Odd: \xe4\r\nanthropic-beta: b\r\naccept: */*\r\n"
    await ask(proxy.port, proxy.request(body, line="POST /v1/messages?beta=true&x=%2F", more=more))
    [asked] = provider.asked
    assert asked.first_line == "POST /v1/messages?beta=true&x=%2F HTTP/1.1"
    assert asked.body == body
    names = [name for name, _ in asked.headers if name not in {"Host", "Content-Length"}]
    assert names == ["User-Agent", "anthropic-beta", "X-Odd", "anthropic-beta", "accept", "x-api-key"]
    assert asked.header("x-api-key") == KEY
    assert TOKEN.encode() not in asked.head + asked.body


async def test_an_answer_comes_back_with_its_headers_in_order_and_repeated(
    provider: RawUpstream, proxy: Engine
) -> None:
    head = b"set-cookie: a=1\r\nretry-after: 7\r\nset-cookie: b=2\r\nx-should-retry: true\r\nConnection: keep-alive\r\n"
    provider.answer_whole(b'{"type":"error"}', status="529 Overloaded", head=head)
    heard = await ask(proxy.port, proxy.request())
    assert heard.head.startswith(b"HTTP/1.1 529 Overloaded\r\n")
    kept = [header for header in heard.headers if header[0].lower() not in {"date", "server"}]
    assert kept == [
        ("Content-Type", "application/json"),
        ("Content-Length", "16"),
        ("set-cookie", "a=1"),
        ("retry-after", "7"),
        ("set-cookie", "b=2"),
        ("x-should-retry", "true"),
    ]
    assert heard.body == b'{"type":"error"}'


async def test_pieces_of_a_stream_are_passed_on_as_they_come(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer(STREAM_HEAD + chunk(START), asyncio.Event())
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(proxy.request())
    heard = b""
    async with asyncio.timeout(10):
        while START not in heard:  # nothing more ever comes: a proxy that waited for the end would hang here
            heard += await reader.read(65536)
    writer.close()


async def test_twenty_megabytes_pass_both_ways_unchanged(provider: RawUpstream, proxy: Engine) -> None:
    sent = b'{"model":"m","pad":"' + bytes(range(32, 34)) * 10_000_000 + b'"}'
    answered = hashlib.sha256(sent).digest() * 650_000
    provider.answer_whole(answered)
    heard = await ask(proxy.port, proxy.request(sent))
    assert hashlib.sha256(provider.asked[0].body).digest() == hashlib.sha256(sent).digest()
    assert provider.asked[0].header("Content-Length") == str(len(sent))
    assert heard.body == answered


async def test_a_body_in_chunks_passes(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer_whole(b"{}")
    raw = proxy.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    await ask(proxy.port, raw + chunk(b'{"model"') + chunk(b':"m"}') + LAST_CHUNK)
    assert provider.asked[0].body == b'{"model":"m"}'


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
async def test_an_encoded_answer_passes_encoded_and_is_metered(
    encoding: str, provider: RawUpstream, proxy: Engine
) -> None:
    encoded = ENCODERS[encoding](START + DELTA + END)
    head = STREAM_HEAD.replace(b"\r\n\r\n", f"\r\nContent-Encoding: {encoding}\r\n\r\n".encode())
    provider.answer(head + chunk(encoded[:20]), chunk(encoded[20:]) + LAST_CHUNK)
    heard = await ask(proxy.port, proxy.request(more="Accept-Encoding: gzip, deflate, br, zstd\r\n"))
    assert provider.asked[0].header("Accept-Encoding") == "gzip, deflate, br, zstd"
    assert heard.body == encoded
    [record] = proxy.records("end")
    assert record["counts"] == counts(25, 15)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302),
    ],
)
async def test_answers_without_a_body_pass(answer: bytes, status: int, provider: RawUpstream, proxy: Engine) -> None:
    provider.answer(answer)
    heard = await ask(proxy.port, proxy.request(line="GET /v1/models", body=b""))
    assert (heard.status, heard.body, heard.whole) == (status, b"", True)


async def test_a_client_that_waits_for_a_go_ahead_gets_one(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer_whole(b"{}")
    raw = proxy.request(b'{"model":"m"}', more="Expect: 100-continue\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(head + b"\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(body)
    heard = await hear(reader)
    writer.close()
    assert heard.status == 200
    assert provider.asked[0].body == body


# -- who may come in, and what is answered here


async def test_the_probe_of_the_bare_address_is_answered_here(provider: RawUpstream, proxy: Engine) -> None:
    heard = await ask(proxy.port, f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n\r\n".encode())
    assert heard.status == 200
    assert provider.connections == 0


@pytest.mark.parametrize(
    "shown",
    [
        f"x-api-key: {TOKEN}",
        f"x-goog-api-key: {TOKEN}",
        f"Authorization: bearer {TOKEN}",
        f"api-key: {TOKEN}",
    ],
)
async def test_the_token_is_taken_wherever_an_agent_puts_its_key(
    shown: str, provider: RawUpstream, proxy: Engine
) -> None:
    provider.answer_whole(b"{}")
    raw = proxy.request().replace(f"Authorization: Bearer {TOKEN}".encode(), shown.encode())
    assert (await ask(proxy.port, raw)).status == 200
    assert TOKEN.encode() not in provider.asked[0].head


@pytest.mark.parametrize("place", ["/v1/messages?key={}", "/p/{}/v1/messages"])
async def test_a_token_in_the_address_goes_no_further(place: str, provider: RawUpstream, proxy: Engine) -> None:
    provider.answer_whole(b"{}")
    raw = proxy.request(line="POST " + place.format(TOKEN)).replace(f"Authorization: Bearer {TOKEN}\r\n".encode(), b"")
    assert (await ask(proxy.port, raw)).status == 200
    assert provider.asked[0].first_line == "POST /v1/messages HTTP/1.1"


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        ("POST /v1/messages", {"type": "authentication_error"}),
        ("POST /v1/responses", {"type": "invalid_request_error", "code": "token"}),
        ("POST /v1beta/models/m:generateContent", {"status": "UNAUTHENTICATED", "code": 401}),
    ],
)
async def test_without_the_token_the_agent_hears_it_in_its_providers_shape(
    line: str, inside: dict[str, object], provider: RawUpstream, proxy: Engine
) -> None:
    raw = proxy.request(line=line).replace(TOKEN.encode(), b"wrong")
    heard = await ask(proxy.port, raw)
    assert heard.status == 401
    assert inside.items() <= json.loads(heard.body)["error"].items()
    assert b"clown run work" in heard.body
    assert provider.connections == 0
    assert [record["ended"] for record in proxy.records()] == ["refused"]


@pytest.mark.parametrize("header", ["Host: evil.example", "Origin: http://evil.example"])
async def test_a_web_page_is_refused_even_with_the_token(header: str, provider: RawUpstream, proxy: Engine) -> None:
    name = header.partition(":")[0]
    raw = proxy.request(more="" if name == "Host" else f"{header}\r\n")
    if name == "Host":
        raw = raw.replace(f"Host: 127.0.0.1:{proxy.port}".encode(), header.encode())
    assert (await ask(proxy.port, raw)).status == 403
    assert provider.connections == 0


async def test_an_upgrade_is_answered_with_use_http(provider: RawUpstream, proxy: Engine) -> None:
    more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    heard = await ask(proxy.port, proxy.request(b"", line="GET /v1/responses", more=more))
    assert heard.status == 426
    assert provider.connections == 0


async def test_a_budget_that_is_spent_refuses_what_bills_and_nothing_else(
    provider: RawUpstream, tmp_path: Path
) -> None:
    told = instructions({"main": upstream(provider.url)}, refusal="the budget of $10 a day is spent")
    async with engine(told, tmp_path / "spool") as proxy:
        heard = await ask(proxy.port, proxy.request())
        provider.answer_whole(b'{"input_tokens":3}')
        counted = await ask(proxy.port, proxy.request(line="POST /v1/messages/count_tokens"))
    assert (heard.status, json.loads(heard.body)["error"]["message"]) == (429, "the budget of $10 a day is spent")
    assert ("x-should-retry", "false") in heard.headers
    assert counted.status == 200


# -- metering


def counts(fresh: int, output: int) -> dict[str, int]:
    return {
        "input_tokens": fresh,
        "output_tokens": output,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "web_searches": 0,
    }


async def test_a_request_is_in_the_spool_from_its_begin_to_its_end(provider: RawUpstream, proxy: Engine) -> None:
    begun = asyncio.Event()
    provider.answer(STREAM_HEAD + chunk(START), begun, chunk(DELTA), chunk(END) + LAST_CHUNK)
    raw = proxy.request(more="X-Claude-Code-Session-Id: s-1\r\n")
    heard = await ask(proxy.port, raw, heard=START, then=begun)
    assert heard.body == START + DELTA + END
    begin, partial, end = proxy.records()
    assert [record["kind"] for record in (begin, partial, end)] == ["begin", "partial", "end"]
    assert begin["id"] == partial["id"] == end["id"] == "boot:1"
    assert partial["counts"] == counts(25, 1)
    assert end["counts"] == counts(25, 15)
    told = ("session", "response_id", "request_id", "model", "status", "ended", "complete", "provider")
    assert [end.get(name) for name in told] == ["s-1", "msg_1", "req_1", "m", 200, "whole", True, "made-up"]


async def test_a_stream_that_breaks_off_is_broken_off_and_bills_what_is_known(
    provider: RawUpstream, proxy: Engine
) -> None:
    begun = asyncio.Event()
    provider.answer(STREAM_HEAD + chunk(START) + chunk(DELTA), begun, None)
    heard = await ask(proxy.port, proxy.request(), heard=DELTA, then=begun)
    assert heard.body == START + DELTA
    assert not heard.whole
    [end] = proxy.records("end")
    assert (end["ended"], end["counts"]) == ("cut", counts(25, 1))


async def test_an_answer_with_a_length_that_breaks_off_does_not_look_whole(
    provider: RawUpstream, proxy: Engine
) -> None:
    begun = asyncio.Event()
    provider.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", begun, None)
    heard = await ask(proxy.port, proxy.request(), heard=b"half", then=begun)
    assert (heard.body, heard.whole) == (b"half", False)


async def test_an_agent_that_goes_away_takes_its_request_along(provider: RawUpstream, proxy: Engine) -> None:
    gone = asyncio.Event()
    provider.answer(STREAM_HEAD + chunk(START), gone, *(chunk(DELTA * 1000) for _ in range(600)))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(proxy.request())
    await reader.readuntil(b"message_start")
    writer.transport.abort()
    await until(lambda: bool(proxy.records("end")))
    gone.set()
    await until(lambda: bool(provider.hung_up))
    [end] = proxy.records("end")
    assert (end["ended"], end["counts"]) == ("cancelled", counts(25, 1))
    assert proxy.proxy.in_flight == 0


async def test_an_agent_that_goes_away_before_the_head_takes_its_request_along(
    provider: RawUpstream, proxy: Engine
) -> None:
    provider.answer(asyncio.Event())
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(proxy.request())
    await until(lambda: bool(provider.asked))
    writer.transport.abort()
    await until(lambda: bool(proxy.records("end")))
    [end] = proxy.records("end")
    assert end["ended"] == "cancelled"
    assert "counts" not in end


async def test_an_error_of_the_provider_bills_nothing(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer_whole(b'{"usage":{"input_tokens":9}}', status="400 Bad Request")
    await ask(proxy.port, proxy.request())
    [end] = proxy.records("end")
    assert (end["status"], end.get("counts")) == (400, None)


async def test_counting_tokens_bills_nothing(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer_whole(b'{"input_tokens":9}')
    await ask(proxy.port, proxy.request(line="POST /v1/messages/count_tokens"))
    [end] = proxy.records("end")
    assert (end["call"], end.get("counts")) == ("count", None)


async def test_a_completion_is_asked_for_its_usage_and_the_agent_does_not_see_it(
    provider: RawUpstream, tmp_path: Path
) -> None:
    words = event({"id": "c", "model": "glm", "choices": [{"delta": {"content": "x"}}], "usage": None})
    usage = event({"id": "c", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
    done = b"data: [DONE]\n\n"
    provider.answer(STREAM_HEAD + chunk(words), chunk(usage[:9]), chunk(usage[9:] + done) + LAST_CHUNK)
    told = instructions({"main": upstream(provider.url + "/v4", "openai-chat")})
    async with engine(told, tmp_path / "spool") as proxy:
        body = b'{"model":"glm","stream":true}'
        heard = await ask(proxy.port, proxy.request(body, line="POST /v1/chat/completions"))
        [end] = proxy.records("end")
    assert provider.asked[0].first_line == "POST /v4/chat/completions HTTP/1.1"
    assert json.loads(provider.asked[0].body) == {**json.loads(body), "stream_options": {"include_usage": True}}
    assert heard.body == words + done
    assert end["counts"] == counts(7, 2)


# -- where requests go


async def test_a_kept_connection_that_died_costs_no_request(provider: RawUpstream, proxy: Engine) -> None:
    provider.idle_close = True
    for _ in range(5):
        provider.answer_whole(b"{}")
        assert (await ask(proxy.port, proxy.request())).status == 200
    assert len(provider.asked) == 5


async def test_a_request_that_reached_the_provider_is_never_sent_twice(provider: RawUpstream, proxy: Engine) -> None:
    provider.answer(None)
    heard = await ask(proxy.port, proxy.request())
    assert heard.status == 502
    assert json.loads(heard.body)["error"]["type"] == "api_error"
    assert ("X-Clown-Error", "broken") in heard.headers
    assert len(provider.asked) == 1
    [end] = proxy.records("end")
    assert (end["ended"], end["status"]) == ("failed", 502)


async def test_a_provider_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    async with engine(instructions({"main": upstream("http://127.0.0.1:9")}), tmp_path / "spool") as proxy:
        heard = await ask(proxy.port, proxy.request())
    assert heard.status == 502
    assert json.loads(heard.body)["error"]["message"].startswith("127.0.0.1:9 cannot be reached: ")


async def test_a_fallback_takes_over_before_the_first_byte(provider: RawUpstream, tmp_path: Path) -> None:
    provider.answer_whole(b"{}", status="529 Overloaded")
    async with raw_upstream() as second:
        second.answer_whole(b'{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}')
        upstreams = {
            "main": upstream(provider.url),
            "spare": upstream(second.url, key="other-key", model="spare-model"),
            "gone": upstream("http://127.0.0.1:9"),
        }
        async with engine(instructions(upstreams, fallbacks=("gone", "spare")), tmp_path / "spool") as proxy:
            heard = await ask(proxy.port, proxy.request(b'{"model":"claude-sonnet-4-5","n":1}'))
            [end] = proxy.records("end")
        assert heard.status == 200
        assert second.asked[0].header("x-api-key") == "other-key"
        assert second.asked[0].body == b'{"model":"spare-model","n":1}'
    assert end["attempt"] == 3


async def test_the_last_answer_is_the_agents_to_hear(provider: RawUpstream, tmp_path: Path) -> None:
    provider.answer_whole(b"first", status="500 X")
    provider.answer_whole(b"second", status="503 Y")
    upstreams = {"main": upstream(provider.url), "spare": upstream(provider.url)}
    async with engine(instructions(upstreams, fallbacks=("spare",)), tmp_path / "spool") as proxy:
        heard = await ask(proxy.port, proxy.request())
    assert (heard.status, heard.body) == (503, b"second")


async def test_a_rule_sends_long_prompts_elsewhere_by_what_the_provider_counted(
    provider: RawUpstream, tmp_path: Path
) -> None:
    async with raw_upstream() as large:
        provider.answer_whole(b'{"id":"m","usage":{"input_tokens":70000,"output_tokens":1}}')
        large.answer_whole(b"{}")
        upstreams = {"main": upstream(provider.url), "large": upstream(large.url)}
        rule = Rule(upstream="large", tokens_over=60_000)
        async with engine(instructions(upstreams, rule), tmp_path / "spool") as proxy:
            for _ in range(2):
                await ask(proxy.port, proxy.request(more="X-Claude-Code-Session-Id: s\r\n"))
        assert (len(provider.asked), len(large.asked)) == (1, 1)


async def test_the_daemon_can_change_everything_while_requests_are_under_way(
    provider: RawUpstream, proxy: Engine
) -> None:
    changed = asyncio.Event()
    provider.answer(changed, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    first = asyncio.ensure_future(ask(proxy.port, proxy.request()))
    await until(lambda: bool(provider.asked))
    await proxy.proxy.reload(instructions({"main": upstream(provider.url, key="new-key")}))
    provider.answer_whole(b"{}")
    second: Heard = await ask(proxy.port, proxy.request())
    changed.set()
    assert ((await first).status, second.status) == (200, 200)
    assert sorted(asked.header("x-api-key") or "" for asked in provider.asked) == sorted([KEY, "new-key"])
