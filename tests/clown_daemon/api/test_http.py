import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clown_daemon.protocol.resources import Snapshot
from clown_daemon.store.event_log import read_head
from clown_daemon.store.snapshot import read_snapshot
from tests.support.api_server import TOKEN, ApiServer, running_api

PROFILE = {"agent_id": "claude", "alias": "new", "provider_id": "anthropic"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path) as server:
        yield server


CALLS: list[tuple[str, str, dict[str, Any] | None, int]] = [
    ("GET", "/api/profiles", None, 200),
    ("GET", "/api/profiles?agent=claude", None, 200),
    ("POST", "/api/profiles", PROFILE, 201),
    ("GET", "/api/profiles/work", None, 200),
    ("PATCH", "/api/profiles/work", {"model": "m"}, 200),
    ("DELETE", "/api/profiles/work", None, 200),
    ("POST", "/api/profiles/work/run", {"args": ["x"]}, 202),
    ("POST", "/api/profiles/work/run", None, 202),
    ("POST", "/api/profiles/work/stop", None, 200),
    ("GET", "/api/profiles/work/output?after=3", None, 200),
    ("GET", "/api/agents", None, 200),
    ("GET", "/api/agents/claude", None, 200),
    ("POST", "/api/agents/detect", None, 200),
    ("GET", "/api/providers", None, 200),
    ("GET", "/api/providers/zed", None, 200),
    ("GET", "/api/usage?period=7d", None, 200),
    ("GET", "/api/usage/series?period=7d&by=model&bucket=hour", None, 200),
    ("GET", "/api/usage/sessions?period=7d&sort=cost&limit=5", None, 200),
    ("GET", "/api/usage/export?period=7d&format=json", None, 200),
    ("POST", "/api/usage/import-claude?claude_dir=/home/dev/.claude", None, 200),
    ("GET", "/api/daemon/status", None, 200),
    ("POST", "/api/daemon/shutdown", None, 202),
    ("GET", "/api/snapshot", None, 200),
    ("GET", "/api/events", None, 200),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
async def test_a_call_is_answered_in_the_envelope(
    api: ApiServer, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    async with api.client() as client:
        reply = await client.request(method, path, json=body) if body else await client.request(method, path)
    assert reply.status_code == status
    assert reply.json().keys() == {"success", "data"}


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
async def test_a_call_refuses_a_parameter_that_it_does_not_know(
    api: ApiServer, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    path += "&nonsense=1" if "?" in path else "?nonsense=1"
    async with api.client() as client:
        reply = await client.request(method, path, json=body) if body else await client.request(method, path)
    assert (reply.status_code, reply.json()["code"]) == (400, "unknown_parameter")


FAILURES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/api/nothing", {}, 404, "not_found"),
    ("GET", "/", {}, 404, "not_found"),
    ("GET", "/api/profiles/nobody", {}, 404, "unknown_profile"),
    ("GET", "/api/providers/anthropc", {}, 404, "unknown_provider"),
    ("PUT", "/api/profiles", {"json": {}}, 405, "method_not_allowed"),
    ("OPTIONS", "/api/profiles", {}, 405, "method_not_allowed"),
    ("POST", "/ws", {}, 405, "method_not_allowed"),
    ("POST", "/api/profiles", {"content": b"{", "headers": JSON}, 400, "bad_json"),
    ("POST", "/api/profiles", {"content": b"[" * 100_000, "headers": JSON}, 400, "invalid_field"),
    ("POST", "/api/profiles", {"content": b'{"alias": "\xff"}', "headers": JSON}, 400, "bad_json"),
    ("POST", "/api/profiles", {"content": b"[]", "headers": JSON}, 400, "invalid_field"),
    ("POST", "/api/profiles", {"content": b"{}"}, 415, "unsupported_media_type"),
    ("POST", "/api/profiles", {"json": {**PROFILE, "modle": "x"}}, 400, "unknown_field"),
    ("POST", "/api/profiles", {"json": {**PROFILE, "alias": 7}}, 400, "invalid_field"),
    ("POST", "/api/profiles", {"json": {**PROFILE, "alias": "work"}}, 409, "profile_exists"),
    ("POST", "/api/daemon/shutdown", {"json": {"now": True}}, 400, "unknown_field"),
    ("GET", "/api/usage?period=fortnight", {}, 400, "invalid_field"),
    ("GET", "/api/usage?by=model", {}, 400, "invalid_field"),
    ("GET", "/api/usage/series?bucket=week", {}, 400, "invalid_field"),
    ("GET", "/api/usage/series?by=session", {}, 400, "invalid_field"),
    ("GET", "/api/usage/sessions?sort=name", {}, 400, "invalid_field"),
    ("GET", "/api/usage/sessions?limit=0", {}, 400, "invalid_field"),
    ("GET", "/api/usage/export?format=xlsx", {}, 400, "invalid_field"),
    ("POST", "/api/usage/export", {"json": {}}, 405, "method_not_allowed"),
    ("GET", "/api/events?limit=0", {}, 400, "invalid_field"),
    ("GET", "/api/events?since=x", {}, 400, "invalid_field"),
    ("GET", "/api/events?types=ProfileCrated", {}, 400, "unknown_event"),
    ("GET", "/api/events?types=,", {}, 400, "invalid_field"),
    ("GET", "/api/agents", {"headers": {"Host": "evil.example"}}, 403, "foreign_host"),
    ("GET", "/api/agents", {"headers": {"Host": "127.0.0.1"}}, 403, "foreign_host"),
    ("GET", "/api/health", {"headers": {"Host": "localhost.evil.example"}}, 403, "foreign_host"),
    ("GET", "/api/agents", {"headers": {"Origin": "https://evil.example"}}, 403, "foreign_origin"),
    ("GET", "/api/agents", {"headers": {"Origin": "null"}}, 403, "foreign_origin"),
    ("GET", "/api/agents", {"headers": {"Authorization": "Bearer wrong"}}, 401, "unauthorized"),
    ("GET", "/api/agents", {"headers": {"Authorization": "Basic right"}}, 401, "unauthorized"),
    ("GET", "/api/agents", {"headers": {"Authorization": b"Bearer \xff"}}, 401, "unauthorized"),
    ("POST", "/api/profiles", {"json": {"alias": "x" * 3_000_000}}, 413, "too_large"),
    ("GET", "/ws", {}, 426, "upgrade_required"),
    ("GET", "/ws", {"headers": {"Upgrade": "h2c", "Connection": "Upgrade"}}, 400, "bad_request"),
    ("GET", "/ws?since=1", {}, 400, "invalid_field"),
    ("GET", "/ws?since=-1&log=x", {}, 400, "invalid_field"),
    ("GET", "/ws?hello=yes", {}, 400, "invalid_field"),
    ("GET", "/ws?hello=2", {}, 400, "invalid_field"),
    ("GET", "/ws?events=Nope", {}, 400, "unknown_event"),
    ("GET", "/ws?events=" + ",".join(["Usage*"] * 65), {}, 400, "invalid_field"),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "code"), FAILURES)
async def test_a_failure_has_the_envelope(
    api: ApiServer, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    async with api.client() as client:
        reply = await client.request(method, path, **options)
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (status, code), problem
    assert problem["success"] is False
    assert problem["error"]
    assert problem.keys() <= {"success", "error", "code", "hint"}


async def test_failures_say_what_to_do(api: ApiServer) -> None:
    async with api.client() as client:
        assert "/api/profiles" in (await client.get("/api/profils")).json()["hint"]
        assert "30d" in (await client.get("/api/usage?period=fortnight")).json()["hint"]
        week = (await client.get("/api/usage/series?bucket=daye")).json()
        assert (week["error"], week["hint"]) == ("unknown bucket 'daye'", "did you mean 'day'? known: hour, day")
        assert "anthropic" in (await client.get("/api/providers/anthropc")).json()["hint"]
        assert "ProfileCreated" in (await client.get("/api/events?types=ProfileCrated")).json()["hint"]
        refused = await client.put("/api/profiles", json={})
        assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))


@pytest.mark.parametrize("format_", ["csv", "json"])
async def test_an_export_that_fails_amid_its_rows_is_cut_off_and_not_taken_for_whole(
    api: ApiServer, caplog: pytest.LogCaptureFixture, format_: str
) -> None:
    async with api.client() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"/api/usage/export?model=boom&format={format_}")
        assert (await client.get("/api/usage/export")).status_code == 200
    assert "an export failed after it had begun" in caplog.text


async def test_an_inner_error_tells_a_number_and_nothing_of_the_inside(
    api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with api.client() as client:
        reply = await client.get("/api/profiles/boom")
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (500, "internal")
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
    assert problem["request_id"] in caplog.text


async def test_names_of_this_machine_and_own_origins_may_call(api: ApiServer) -> None:
    async with api.client() as client:
        for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
            headers = {"Host": f"{name}:{api.port}", "Origin": f"http://localhost:{api.port}"}
            assert (await client.get("/api/agents", headers=headers)).status_code == 200


async def test_an_allowed_origin_is_matched_whole(tmp_path: Path) -> None:
    async with running_api(tmp_path, allowed_origins=("http://127.0.0.1:3000",)) as api, api.client() as client:
        for origin, status in (
            ("http://127.0.0.1:3000", 200),
            ("http://127.0.0.1:30000", 403),
            ("https://127.0.0.1:3000", 403),
            ("http://127.0.0.1:3000.evil.example", 403),
        ):
            assert (await client.get("/api/agents", headers={"Origin": origin})).status_code == status, origin


async def test_with_auth_token_everybody_is_asked_but_for_health(tmp_path: Path) -> None:
    async with running_api(tmp_path, auth="token") as api, api.client() as client:
        refused = await client.get("/api/agents")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await client.get("/ws")).status_code == 401
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.get("/api/agents", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_health_is_bare_and_does_not_count_as_use(api: ApiServer) -> None:
    async with api.client() as client:
        assert (await client.get("/api/health")).json() == {"status": "ok", "version": "0.1.0"}
        assert api.daemon.touched == 0
        await client.get("/api/agents")
    assert api.daemon.touched == 1


async def test_both_loopback_addresses_answer_on_one_port(api: ApiServer) -> None:
    async with api.client() as client:
        reply = await client.get(f"http://[::1]:{api.port}/api/health")
    assert reply.status_code == 200


async def test_a_stopping_daemon_says_so(api: ApiServer) -> None:
    await api.broadcaster.close("stop")
    async with api.client() as client:
        reply = await client.get("/api/agents")
        assert (reply.status_code, reply.json()["code"]) == (503, "shutting_down")
        assert reply.headers["Retry-After"] == "1"
        assert (await client.get("/api/health")).status_code == 200


async def test_a_request_to_stop_is_passed_on(api: ApiServer) -> None:
    async with api.client() as client:
        assert (await client.post("/api/daemon/shutdown")).status_code == 202
        assert (await client.post("/api/daemon/shutdown", json={"reason": "upgrade"})).status_code == 202
    assert api.daemon.asked_to_stop == ["stop", "upgrade"]
    assert api.daemon.commands == 0, "the request to end would be its own obstacle"


async def test_a_daemon_that_is_needed_is_stopped_only_when_told_so_plainly(api: ApiServer) -> None:
    api.daemon.needed = ("2 clients follow", "1 run is under way")
    async with api.client() as client:
        reply = await client.post("/api/daemon/shutdown", json={"if_idle": True, "reason": "upgrade"})
        assert (reply.status_code, reply.json()["code"]) == (409, "busy")
        assert reply.json()["error"] == "the daemon is needed: 2 clients follow, 1 run is under way"
        assert api.daemon.asked_to_stop == []
        api.daemon.needed = ()
        await client.post("/api/daemon/shutdown", json={"if_idle": True, "reason": "upgrade"})
        assert api.daemon.asked_to_stop == ["upgrade"]


async def test_commands_are_counted_and_reads_are_not(api: ApiServer) -> None:
    async with api.client() as client:
        await client.get("/api/agents")
        assert api.daemon.commands == 0
        await client.post("/api/agents/detect")
        assert api.daemon.commands == 1


async def test_an_unavailable_store_is_a_503(api: ApiServer) -> None:
    await api.database.close()
    async with api.client() as client:
        reply = await client.get("/api/events")
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")


async def test_a_snapshot_is_built_once_for_all_who_ask(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def counted(connection: sqlite3.Connection, **parts: Any) -> Snapshot:
        built.append(read_head(connection))
        return read_snapshot(connection, **parts)

    monkeypatch.setattr("clown_daemon.api.routes.stream.read_snapshot", counted)
    # The minute is a part of its identity, and must not pass meanwhile.
    monkeypatch.setattr("clown_daemon.clock.SystemClock.now_ms", lambda _: 1_790_000_000_000)
    async with api.client() as client:
        replies = [await client.get("/api/snapshot") for _ in range(5)]
        await api.record("a")
        fresh = await client.get("/api/snapshot")
    assert len({reply.content for reply in replies}) == 1
    assert [reply.json()["data"]["seq"] for reply in (replies[-1], fresh)] == [0, 1]
    assert built == [0, 1]


async def test_the_snapshot_is_sent_again_only_after_a_change(api: ApiServer) -> None:
    async with api.client() as client:
        first = await client.get("/api/snapshot")
        held = {"If-None-Match": first.headers["ETag"]}
        # The minute is part of the tag, so a test that crosses one may get the snapshot once more.
        again = await client.get("/api/snapshot", headers=held)
        if again.status_code == 200:
            held = {"If-None-Match": again.headers["ETag"]}
            again = await client.get("/api/snapshot", headers=held)
        assert (again.status_code, again.content) == (304, b"")
        seq = await api.record("a")
        later = await client.get("/api/snapshot", headers=held)
    assert later.status_code == 200
    assert later.json()["data"]["seq"] == seq
    assert later.json()["data"]["log"] == api.database.log


async def test_history_is_paged_oldest_first(api: ApiServer) -> None:
    await api.record(*"abcde")
    async with api.client() as client:
        page = (await client.get("/api/events?limit=2")).json()["data"]
        assert [event["data"]["alias"] for event in page["events"]] == ["a", "b"]
        rest = (await client.get(f"/api/events?since={page['next']}")).json()["data"]
        assert [event["seq"] for event in rest["events"]] == [3, 4, 5]
        assert (rest["next"], rest["head"], rest["floor"]) == (5, 5, 0)
        one = (await client.get("/api/events?profile=c&types=Profile*")).json()["data"]
        assert [event["data"]["alias"] for event in one["events"]] == ["c"]
        assert one["next"] == 5


async def test_history_below_the_floor_is_gone(api: ApiServer) -> None:
    await api.record(*"abcde")
    await api.database.write(lambda transaction: transaction.connection.execute("DELETE FROM events WHERE seq <= 3"))
    async with api.client() as client:
        reply = await client.get("/api/events?since=2")
        assert (reply.status_code, reply.json()["code"]) == (410, "gone")
        assert len((await client.get("/api/events?since=3")).json()["data"]["events"]) == 2


async def test_garbage_is_refused_and_nothing_of_it_is_logged(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /api/agents HTTP/1.1\r\nAuthorization: Bearer a-secret\x00\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert "a-secret" not in caplog.text


async def test_a_caller_that_goes_away_in_the_middle_is_no_error(
    api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /api/profiles HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.transport.abort()
    async with api.client() as client:
        assert (await client.get("/api/agents")).status_code == 200
    assert "ERROR" not in caplog.text
