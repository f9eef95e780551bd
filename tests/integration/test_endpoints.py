"""Every documented endpoint built so far: statuses, keys, types, and the envelope on every failure."""

import json
from typing import Any

import httpx
import pytest

from clown_daemon.protocol.resources import Budget
from tests.support.contract import assert_conforms
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

PROFILE = {"alias": "work", "agent_id": "quick", "provider_id": "anthropic"}
TEXT = str
NULLABLE_TEXT = (str, type(None))
NULLABLE_NUMBER = (int, type(None))
TOKENS = {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"}
COSTS = {"input_cost", "output_cost", "cache_creation_cost", "cache_read_cost", "total_cost"}

SUMMARY: dict[str, Any] = {
    "alias": TEXT,
    "agent_id": TEXT,
    "provider_id": TEXT,
    "endpoint_id": NULLABLE_TEXT,
    "model": NULLABLE_TEXT,
    "last_used": NULLABLE_TEXT,
}
AGENT: dict[str, Any] = {
    "id": TEXT,
    "name": TEXT,
    "installed": bool,
    "version": NULLABLE_TEXT,
    "binary_path": NULLABLE_TEXT,
    "profile_count": int,
}
ITEMS: list[tuple[str, dict[str, Any]]] = [
    ("/api/profiles", SUMMARY),
    ("/api/profiles?agent=quick", SUMMARY),
    ("/api/agents", AGENT),
    (
        "/api/proxy/status",
        {
            "profile": TEXT,
            "port": NULLABLE_NUMBER,
            "pid": NULLABLE_NUMBER,
            "status": TEXT,
            "restarts": int,
            "started_at": NULLABLE_TEXT,
        },
    ),
    ("/api/providers", {"id": TEXT, "name": TEXT, "type": TEXT, "default_model": NULLABLE_TEXT}),
]
OBJECTS: list[tuple[str, dict[str, Any]]] = [
    ("/api/profiles/work", {**SUMMARY, "created_at": TEXT, "profile_home": TEXT}),
    (
        "/api/agents/claude",
        {
            "id": TEXT,
            "name": TEXT,
            "installed": bool,
            "version": NULLABLE_TEXT,
            "binary": TEXT,
            "binary_path": NULLABLE_TEXT,
            "profile_strategy": TEXT,
            "supports_hooks": bool,
            "default_model": NULLABLE_TEXT,
            "supported_models": list,
        },
    ),
    (
        "/api/providers/anthropic",
        {
            "id": TEXT,
            "name": TEXT,
            "type": TEXT,
            "endpoints": dict,
            "default_endpoint": NULLABLE_TEXT,
            "models": list,
            "default_model": NULLABLE_TEXT,
        },
    ),
    (
        "/api/proxy/status/work",
        {"profile": TEXT, "enabled": bool, "port": NULLABLE_NUMBER, "pid": NULLABLE_NUMBER, "status": TEXT},
    ),
    (
        "/api/daemon/status",
        {
            "status": TEXT,
            "pid": int,
            "uptime_secs": int,
            "version": TEXT,
            "profiles_count": int,
            "active_proxies": int,
            "problems": list,
        },
    ),
]


@pytest.fixture
async def profiled(daemon: RealDaemon) -> RealDaemon:
    reply = await daemon.call("POST", "/api/profiles", PROFILE)
    assert reply.status_code == 201
    assert reply.json()["data"].keys() == {"alias", "message"}
    await daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True})
    return daemon


async def test_lists_have_exactly_the_documented_shape(profiled: RealDaemon) -> None:
    for path, shape in ITEMS:
        items = await profiled.ask("GET", path)
        assert items, path
        for item in items:
            _fits(item, shape, path)


async def test_objects_have_exactly_the_documented_shape(profiled: RealDaemon) -> None:
    for path, shape in OBJECTS:
        _fits(await profiled.ask("GET", path), shape, path)


async def test_usage_has_the_documented_shape_and_labels(profiled: RealDaemon) -> None:
    labels = {
        "today": "Today",
        "yesterday": "Yesterday",
        "week": "This week",
        "month": "This month",
        "7d": "Last 7 days",
        "30d": "Last 30 days",
        "all": "All time",
    }
    for period, label in labels.items():
        report = await profiled.ask("GET", f"/api/usage?period={period}")
        assert report["period"] == label
        assert report["total_tokens"].keys() == TOKENS
        assert report["total_cost"].keys() == COSTS
        assert report["total_sessions"] == 0
        assert isinstance(report["total_runtime_secs"], int)
        assert isinstance(report["aggregates"]["by_profile"], dict)


async def test_a_budget_is_answered_with_what_was_spent(profiled: RealDaemon) -> None:
    body = {"profile": "work", "period": "month", "limit_usd": "12.50", "thresholds": [90, 50]}
    report = await profiled.ask("POST", "/api/budgets", body)
    told = ("id", "limit_usd", "limit_tokens", "thresholds", "crossed", "spent_usd", "percent")
    assert [report[name] for name in told] == ["profile:work:month:usd", 12.5, None, [50, 90], [], 0.0, 0.0]
    assert await profiled.ask("GET", "/api/budgets") == [report]
    assert (await profiled.ask("GET", "/api/snapshot"))["budgets"] == [
        {name: report[name] for name in Budget.__struct_fields__}
    ]
    await profiled.ask("DELETE", "/api/profiles/work")
    assert await profiled.ask("GET", "/api/budgets") == []


async def test_windows_are_none_before_there_is_usage(profiled: RealDaemon) -> None:
    assert await profiled.ask("GET", "/api/usage/windows") == []


async def test_commands_answer_as_documented(profiled: RealDaemon) -> None:
    assert (await profiled.ask("PATCH", "/api/profiles/work", {"model": "x"})).keys() == {"alias", "message"}
    assert (await profiled.ask("DELETE", "/api/profiles/work")).keys() == {"message"}


async def test_health_is_bare(daemon: RealDaemon) -> None:
    reply = await daemon.call("GET", "/api/health")
    assert reply.json().keys() == {"status", "version"}
    assert reply.json()["status"] == "ok"


async def test_the_snapshot_is_not_sent_again_when_nothing_changed(profiled: RealDaemon) -> None:
    async def is_unchanged() -> bool:
        first = await profiled.call("GET", "/api/snapshot")
        again = await profiled.call("GET", "/api/snapshot", headers={"If-None-Match": first.headers["ETag"]})
        return (again.status_code, again.content) == (304, b"")

    # A daemon that has just begun still finds agents and reads logs between two calls.
    await until(is_unchanged)


FAILURES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/api/nothing", {}, 404, "not_found"),
    ("GET", "/api/profiles/nobody", {}, 404, "unknown_profile"),
    ("GET", "/api/agents/nobody", {}, 404, "unknown_agent"),
    ("GET", "/api/providers/nobody", {}, 404, "unknown_provider"),
    ("PUT", "/api/profiles", {"json": {}}, 405, "method_not_allowed"),
    ("POST", "/api/profiles", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "bad_json"),
    (
        "POST",
        "/api/profiles",
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        415,
        "unsupported_media_type",
    ),
    ("POST", "/api/profiles", {"json": {**PROFILE, "modle": "x"}}, 400, "unknown_field"),
    ("POST", "/api/profiles", {"json": {**PROFILE, "alias": 7}}, 400, "invalid_field"),
    ("POST", "/api/profiles", {"json": {**PROFILE, "alias": "../x"}}, 400, "invalid_field"),
    ("POST", "/api/profiles", {"json": PROFILE}, 409, "profile_exists"),
    ("POST", "/api/profiles/work/stop", {}, 409, "profile_not_running"),
    ("GET", "/api/profiles?agnet=quick", {}, 400, "unknown_parameter"),
    ("GET", "/api/usage?period=fortnight", {}, 400, "invalid_field"),
    ("GET", "/api/usage?tz=Mars/Olympus", {}, 400, "invalid_field"),
    ("POST", "/api/budgets", {"json": {"period": "day"}}, 400, "invalid_field"),
    ("DELETE", "/api/budgets/total:day:usd", {}, 404, "unknown_budget"),
    ("GET", "/api/events?types=ProfileCrated", {}, 400, "unknown_event"),
    ("GET", "/api/agents", {"headers": {"Host": "evil.example"}}, 403, "foreign_host"),
    ("GET", "/api/agents", {"headers": {"Origin": "https://evil.example"}}, 403, "foreign_origin"),
    ("GET", "/api/agents", {"headers": {"Origin": "null"}}, 403, "foreign_origin"),
    ("GET", "/api/agents", {"headers": {"Authorization": "Bearer wrong"}}, 401, "unauthorized"),
    ("POST", "/api/profiles", {"json": {"alias": "x" * 3_000_000}}, 413, "too_large"),
    ("GET", "/ws", {}, 426, "upgrade_required"),
]


async def test_every_failure_has_the_envelope(profiled: RealDaemon) -> None:
    async with httpx.AsyncClient(base_url=profiled.url, trust_env=False) as client:
        for method, path, options, status, code in FAILURES:
            reply = await client.request(method, path, **options)
            problem = json.loads(reply.content)
            assert_conforms(method, path, reply.status_code, reply.headers, reply.content)
            told = (method, path, reply.status_code, problem)
            assert (reply.status_code, problem["code"]) == (status, code), told
            assert problem["success"] is False, told
            assert isinstance(problem["error"], str), told
            assert problem.keys() <= {"success", "error", "code", "hint", "request_id"}, told


async def test_a_typo_is_answered_with_the_nearest_name(profiled: RealDaemon) -> None:
    reply = await profiled.call("POST", "/api/profiles", {**PROFILE, "modle": "x"})
    assert "model" in reply.json()["hint"]


def _fits(value: dict[str, Any], shape: dict[str, Any], path: str) -> None:
    assert value.keys() == shape.keys(), path
    for name, kind in shape.items():
        assert isinstance(value[name], kind), (path, name, value[name])
