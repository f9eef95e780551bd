import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from clown_daemon.profiles.private_file import write_private
from clown_daemon.protocol.events import DaemonUpdated, ProfileDeleted
from clown_daemon.protocol.stream import MAX_CONNECTIONS, MAX_MESSAGE_BYTES, RESERVED_CONNECTIONS
from tests.support.api_server import TOKEN, ApiServer, running_api

WAIT = 10


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path) as server:
        yield server


def follow(api: ApiServer, query: str = "", *, token: str | None = None) -> connect:
    headers = None if token is None else {"Authorization": f"Bearer {token}"}
    return connect(api.stream_url + query, proxy=None, compression=None, additional_headers=headers)


async def attached(api: ApiServer, count: int = 1) -> None:
    async with asyncio.timeout(WAIT):
        while api.broadcaster.connections != count:  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.005)


async def receive(client: ClientConnection, count: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(WAIT):
        return [json.loads(await client.recv()) for _ in range(count)]


async def ask(client: ClientConnection, **message: object) -> dict[str, Any]:
    await client.send(json.dumps(message))
    return (await receive(client))[0]


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(WAIT):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code, client.close_reason


# -- plain mode -------------------------------------------------------------------------------------------------------


async def test_the_documented_sample_sees_every_event(api: ApiServer) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    async def listen_events() -> None:
        async with websockets.connect(api.stream_url) as websocket:
            async for message in websocket:
                event = json.loads(message)
                seen.append((event["type"], event["data"]))

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen_events(), name="sample")
        await attached(api)
        await api.record("a", "b")
        await api.record("c")
        await api.broadcaster.close("stop")
        await listening
    assert seen == [("ProfileDeleted", {"alias": alias}) for alias in "abc"]


async def test_plain_mode_starts_now_and_has_the_documented_envelope(api: ApiServer) -> None:
    await api.record("before")
    async with follow(api) as client:
        await attached(api)
        await api.record("after")
        (event,) = await receive(client)
    assert event["data"] == {"alias": "after"}
    assert event.keys() == {"type", "timestamp", "data", "seq", "log", "at_ms", "resource"}
    assert event["timestamp"].endswith("Z")
    assert len(event["timestamp"]) == 20


async def test_plain_mode_has_documented_types_alone(api: ApiServer) -> None:
    async with follow(api) as plain, follow(api, "?hello=1") as extended:
        await attached(api, 2)
        await api.record_data([DaemonUpdated(problems=1), ProfileDeleted(alias="a")])
        assert [event["type"] for event in await receive(plain)] == ["ProfileDeleted"]
        types = [event["type"] for event in await receive(extended, 3)]
    assert types == ["Hello", "DaemonUpdated", "ProfileDeleted"]


async def test_an_action_turns_plain_into_extended(api: ApiServer) -> None:
    async with follow(api) as client:
        await client.send(json.dumps({"action": "subscribe", "events": ["ProfileDeleted"], "request_id": "r"}))
        hello, subscribed = await receive(client, 2)
        await api.record("a")
        (event,) = await receive(client)
    assert (hello["type"], hello["data"]["seq"], hello["data"]["resumed"]) == ("Hello", 0, False)
    assert subscribed["data"] == {"events": ["ProfileDeleted"], "seq": 0, "request_id": "r"}
    assert event["seq"] == 1


# -- extended mode ----------------------------------------------------------------------------------------------------


async def test_hello_says_where_the_stream_begins(api: ApiServer) -> None:
    await api.record("a", "b")
    async with follow(api, "?hello=1") as client:
        (hello,) = await receive(client)
        await api.record("c")
        (event,) = await receive(client)
    data = hello["data"]
    assert "seq" not in hello
    assert (data["seq"], data["head"], data["floor"], data["log"]) == (2, 2, 0, api.database.log)
    assert (data["resumed"], data["reason"], data["heartbeat_secs"]) == (False, None, 15)
    assert data["limits"]["max_names"] == 64
    assert event["seq"] == 3


async def test_a_resume_gets_every_later_event_once_and_goes_live(api: ApiServer) -> None:
    await api.record(*(f"p{number}" for number in range(700)))
    async with follow(api, f"?since=10&log={api.database.log}") as client:
        await api.record("live")
        hello, *events = await receive(client, 692)
    assert (hello["data"]["resumed"], hello["data"]["seq"]) == (True, 10)
    assert [event["seq"] for event in events] == list(range(11, 702))


@pytest.mark.parametrize(
    ("since", "log", "reason"), [(1, "other", "log"), (99, "", "future"), (2, "", "expired"), (3, "", None)]
)
async def test_a_refused_resume_says_why_and_starts_at_the_head(
    api: ApiServer, since: int, log: str, reason: str | None
) -> None:
    await api.record(*"abcde")
    await api.database.write(lambda transaction: transaction.connection.execute("DELETE FROM events WHERE seq <= 3"))
    async with follow(api, f"?since={since}&log={log or api.database.log}") as client:
        (hello,) = await receive(client)
    data = hello["data"]
    assert (data["resumed"], data["reason"], data["floor"]) == (reason is None, reason, 3)
    assert data["seq"] == (5 if reason else since)


async def test_events_of_a_query_narrow_and_a_subscribe_adds(api: ApiServer) -> None:
    async with follow(api, "?events=Usage*,@errors") as client:
        await receive(client)
        added = await ask(client, action="subscribe", events=["ProfileDeleted"])
        await api.record("a")
        (event,) = await receive(client)
        left = await ask(client, action="unsubscribe", events=["ProfileDeleted"])
        everything = await ask(client, action="subscribe", events=["*"])
    assert "ProfileDeleted" in added["data"]["events"]
    assert "UsageUpdated" in added["data"]["events"]
    assert event["seq"] == 1
    assert (left["type"], left["data"]["seq"]) == ("Unsubscribed", 1)
    assert "ProfileDeleted" not in left["data"]["events"]
    assert len(everything["data"]["events"]) > 17


async def test_a_subscription_is_in_force_exactly_from_its_number(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await receive(client)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_record_many(api, 300), name="recording")
            await client.send(json.dumps({"action": "subscribe", "events": ["ProfileCreated"]}))
        seen = await receive(client, 1)
        while seen[-1]["type"] != "Subscribed":
            seen += await receive(client, 1)
    assert [frame["seq"] for frame in seen[:-1]] == list(range(1, seen[-1]["data"]["seq"] + 1))


async def _record_many(api: ApiServer, count: int) -> None:
    for number in range(count):
        await api.record(f"p{number}")


async def test_heartbeats_are_bookmarks(tmp_path: Path) -> None:
    async with running_api(tmp_path, heartbeat_seconds=0.05) as api, follow(api, "?events=ProfileCreated") as client:
        await receive(client)
        await api.record("unwanted")
        frame = (await receive(client))[0]
        while frame["data"]["seq"] == 0:
            frame = (await receive(client))[0]
    assert (frame["type"], frame["data"]) == ("Heartbeat", {"seq": 1, "sent": 0})


async def test_passive_clients_do_not_count(api: ApiServer) -> None:
    async with follow(api, "?passive=1"):
        await attached(api)
        assert api.broadcaster.active_clients == 0
        async with follow(api):
            await attached(api, 2)
            assert api.broadcaster.active_clients == 1
    await attached(api, 0)


# -- bad input --------------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str, str | None]] = [
    ("garbage", "bad_json", None),
    ("[" * 60_000, "bad_json", None),
    ("[]", "bad_message", None),
    ("{}", "bad_message", None),
    ('{"action": "dance"}', "unknown_action", "action"),
    ('{"action": ["subscribe"]}', "unknown_action", "action"),
    ('{"action": "subscribe"}', "invalid_field", "events"),
    ('{"action": "subscribe", "events": "x"}', "invalid_field", "events"),
    ('{"action": "subscribe", "events": [1]}', "invalid_field", "events[0]"),
    ('{"action": "subscribe", "events": []}', "invalid_field", "events"),
    ('{"action": "subscribe", "events": ["*"], "evnts": 1}', "invalid_field", "evnts"),
    (json.dumps({"action": "subscribe", "events": ["*"] * 65}), "too_many_names", "events"),
    ('{"action": "subscribe", "events": ["ProfileCrated"]}', "unknown_event", "events"),
]


@pytest.mark.parametrize(("message", "code", "field"), BAD)
async def test_bad_input_is_answered_and_changes_nothing(
    api: ApiServer, message: str, code: str, field: str | None
) -> None:
    async with follow(api, "?hello=1") as client:
        await receive(client)
        await client.send(message)
        (error,) = await receive(client)
        await api.record("a")
        (event,) = await receive(client)
    assert (error["type"], error["data"]["code"], error["data"].get("field")) == ("Error", code, field)
    assert event["seq"] == 1


async def test_a_typo_is_answered_with_the_known_names_and_the_nearest(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await receive(client)
        error = await ask(client, action="subscribe", events=["ProfileCrated"], request_id="r1")
    assert error["data"]["unknown"] == ["ProfileCrated"]
    assert "ProfileCreated" in error["data"]["known"]
    assert "'ProfileCreated'" in error["data"]["error"]
    assert error["data"]["request_id"] == "r1"


async def test_a_chatty_client_is_told_when_to_go_on_and_at_last_cut(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await receive(client)
        for _ in range(60):
            await client.send("{}")
        errors = [error["data"] for error in await receive(client, 60)]
        assert [error["code"] for error in errors[:40]] == ["bad_message"] * 40
        assert errors[-1]["code"] == "rate_limited"
        assert 0 < errors[-1]["retry_after_ms"] <= 50
        for _ in range(41):
            await client.send("{}")
        assert await closed(client) == (4029, "too many errors")


async def test_binary_messages_end_the_connection(api: ApiServer) -> None:
    async with follow(api) as client:
        await client.send(b"x")
        assert (await closed(client))[0] == 1003


async def test_messages_of_64_kib_are_read_and_larger_ones_end_the_connection(api: ApiServer) -> None:
    async with follow(api) as client:
        await client.send("x" * MAX_MESSAGE_BYTES)
        assert (await receive(client))[0]["data"]["code"] == "bad_json"
        await client.send("x" * (MAX_MESSAGE_BYTES + 1))
        assert (await closed(client))[0] == 1009


async def test_invalid_utf8_ends_the_connection(api: ApiServer) -> None:
    async with follow(api) as client:
        await client.send(b"\xff", text=True)
        assert (await closed(client))[0] == 1007


async def test_the_connection_after_the_last_is_asked_to_come_again(api: ApiServer) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_CONNECTIONS - RESERVED_CONNECTIONS):
            await stack.enter_async_context(follow(api))
        with pytest.raises(websockets.InvalidStatus) as caught:
            await stack.enter_async_context(follow(api))
        answer = caught.value.response
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert json.loads(answer.body)["code"] == "too_many_connections"
        assert api.refusals.by_reason == {"too_many_connections": 1}
        # A holder of the token still comes in, and may take every place that is kept.
        for _ in range(RESERVED_CONNECTIONS):
            await stack.enter_async_context(follow(api, token=TOKEN))
        with pytest.raises(websockets.InvalidStatus):
            await stack.enter_async_context(follow(api, token=TOKEN))
        assert api.refusals.by_reason == {"too_many_connections": 2}
    await attached(api, 0)
    async with follow(api, "?hello=1") as client:
        assert (await receive(client))[0]["type"] == "Hello"


async def test_a_replaced_token_ends_the_streams_of_those_who_sent_it_and_no_other(api: ApiServer) -> None:
    async with follow(api, token=TOKEN) as holder, follow(api) as other:
        await attached(api, 2)
        write_private(api.token_file, b"fresh")
        # Whoever presents the new one makes it known.
        async with follow(api, token="fresh") as fresh:
            assert await closed(holder) == (4001, "token replaced")
            with pytest.raises(websockets.InvalidStatus):
                await follow(api, token=TOKEN).__aenter__()
            await api.record("a")
            assert (await receive(other))[0]["data"] == {"alias": "a"}
            assert (await receive(fresh))[0]["data"] == {"alias": "a"}


async def test_a_foreign_page_cannot_follow(api: ApiServer) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with connect(api.stream_url, proxy=None, additional_headers={"Origin": "https://evil.example"}):
            pass
    assert caught.value.response.status_code == 403


# -- the end ----------------------------------------------------------------------------------------------------------


async def test_the_last_event_comes_before_the_close(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await receive(client)
        await api.record("last words")
        await api.broadcaster.close("idle_timeout")
        await api.record("too late")
        (event,) = await receive(client)
        assert event["data"] == {"alias": "last words"}
        assert await closed(client) == (1001, "idle_timeout")


async def test_a_plain_client_below_the_floor_is_closed_without_a_control_frame(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.ring.RING_EVENTS", 4)
    async with follow(api) as client:
        for _ in range(20):
            await api.record(*"abcde")
        assert [event["seq"] for event in await receive(client, 100)] == list(range(1, 101))
        await api.database.write(lambda one: one.connection.execute("DELETE FROM events WHERE seq <= 90"))
        cursor = api.broadcaster.cursors[0]
        cursor.seq = 50
        cursor.behind.set()
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4008, "expired")


async def test_a_client_below_the_floor_is_told_to_take_a_snapshot(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.ring.RING_EVENTS", 4)
    for _ in range(20):
        await api.record(*"abcde")
    async with follow(api, f"?since=2&log={api.database.log}") as client:
        await receive(client, 99)
        await api.database.write(lambda one: one.connection.execute("DELETE FROM events WHERE seq <= 150"))
        cursor = api.broadcaster.cursors[0]
        cursor.seq = 50
        cursor.behind.set()
        (resync,) = await receive(client)
        assert (resync["type"], resync["data"]) == ("Resync", {"reason": "expired"})
        assert await closed(client) == (4008, "expired")


async def test_a_log_that_cannot_be_read_ends_the_stream_and_not_the_daemon(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.ring.RING_EVENTS", 4)
    await api.record(*"abcdefgh")
    async with follow(api, "?hello=1") as client:
        await receive(client)
        await api.database.close()
        cursor = api.broadcaster.cursors[0]
        cursor.seq = 0
        cursor.behind.set()
        assert (await closed(client))[0] == 1011
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{api.url}/api/health")).status_code == 200
