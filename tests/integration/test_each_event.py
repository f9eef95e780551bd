"""One test an event: the action through the public surface, exactly one frame, the documented keys and types."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

PROFILE = {"alias": "work", "agent_id": "quick", "provider_id": "anthropic", "model": "claude-sonnet-4-5"}


class Listener:
    """A plain client: connects, sends nothing, keeps what it hears."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.frames: list[dict[str, Any]] = []

    async def listen(self) -> None:
        async for message in self._connection:
            assert isinstance(message, str)
            self.frames.append(json.loads(message))

    def of(self, name: str, **data: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == name and data.items() <= frame["data"].items()]

    async def only(self, name: str, **data: str) -> dict[str, Any]:
        """Wait for the one frame of that type and data, and for nothing more of it to come."""
        await until(lambda: bool(self.of(name, **data)))
        await asyncio.sleep(0.1)  # a second frame would come here; its absence cannot be awaited
        (frame,) = self.of(name, **data)
        assert list(frame)[:3] == ["type", "timestamp", "data"]
        assert frame["timestamp"].endswith("Z")
        assert len(frame["timestamp"]) == len("2026-01-08T10:30:00Z")
        event = codec.decode_frame(json.dumps(frame))
        assert isinstance(event, Event)
        found = frame["data"]
        assert isinstance(found, dict)
        return found


@contextlib.asynccontextmanager
async def listening(daemon: RealDaemon, query: str = "") -> AsyncIterator[Listener]:
    async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws{query}", proxy=None) as connection:
        heard = Listener(connection)
        task = asyncio.create_task(heard.listen(), name="listener")
        yield heard
        task.cancel()


@pytest.fixture
async def listener(daemon: RealDaemon) -> AsyncIterator[Listener]:
    async with listening(daemon) as heard:
        yield heard


async def test_profile_created(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    assert await listener.only("ProfileCreated") == PROFILE


async def test_profile_updated_lists_exactly_the_changed_fields(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    await daemon.ask("PATCH", "/api/profiles/work", {"model": "claude-opus-4-5"})
    await daemon.ask("PATCH", "/api/profiles/work", {"model": "claude-opus-4-5"})
    assert await listener.only("ProfileUpdated") == {"alias": "work", "changes": ["model"]}


async def test_profile_deleted(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    await daemon.ask("DELETE", "/api/profiles/work")
    assert await listener.only("ProfileDeleted") == {"alias": "work"}


async def test_profile_started_and_stopped(daemon: RealDaemon, listener: Listener) -> None:
    await _agent_is_known(daemon)
    await daemon.ask("POST", "/api/profiles", PROFILE)
    started = await daemon.ask("POST", "/api/profiles/work/run", {"args": ["fail"]})
    data = await listener.only("ProfileStarted")
    assert (data["alias"], data["pid"]) == ("work", started["pid"])
    ended = await listener.only("ProfileStopped")
    assert (ended["alias"], ended["exit_code"]) == ("work", 3)
    assert isinstance(ended["runtime_secs"], int)
    output = await daemon.ask("GET", "/api/profiles/work/output")
    assert {line["text"] for line in output["lines"]} == {"out fail", "err"}


async def test_a_stopped_profile_tells_its_signal(daemon: RealDaemon, listener: Listener) -> None:
    await _agent_is_known(daemon)
    await daemon.ask("POST", "/api/profiles", PROFILE)
    await daemon.ask("POST", "/api/profiles/work/run", {"args": ["sleep"]})
    await daemon.ask("POST", "/api/profiles/work/stop")
    assert (await listener.only("ProfileStopped"))["exit_code"] == -15


async def test_agent_detected(daemon: RealDaemon, listener: Listener) -> None:
    daemon_binary = daemon.root / "bin" / "claude"
    daemon_binary.write_text("#!/bin/sh\necho '9.9.9 (Claude Code)'\n")
    daemon_binary.chmod(0o755)
    await daemon.ask("POST", "/api/agents/detect")
    data = await listener.only("AgentDetected", id="claude")
    assert data == {
        "id": "claude",
        "name": "Claude Code",
        "version": "9.9.9",
        "binary_path": str(daemon_binary),
    }


async def test_agent_updated_without_being_asked(daemon: RealDaemon, listener: Listener) -> None:
    await _agent_is_known(daemon)
    (daemon.root / "bin" / "quick").write_text("#!/bin/sh\necho 2.0.0\n")
    data = await listener.only("AgentUpdated")
    assert data == {"id": "quick", "old_version": "1.2.3", "new_version": "2.0.0"}


async def test_usage_updated_and_imported(daemon: RealDaemon, listener: Listener, tmp_path: Path) -> None:
    logs = tmp_path / "old" / "projects" / "p"
    logs.mkdir(parents=True)
    (logs / "s.jsonl").write_text(_response("msg_1", "req_1"))
    sentence = await daemon.ask("POST", f"/api/usage/import-claude?claude_dir={tmp_path / 'old'}")
    assert "1 record" in str(sentence)
    data = await listener.only("UsageUpdated")
    assert data["profile"] == "unattributed"
    assert data["tokens"]["input_tokens"] == 1_000
    assert data["tokens"]["output_tokens"] == 100
    assert data["cost"]["total_cost"] == pytest.approx(0.0045)
    await until(lambda: any(frame["data"]["records_imported"] == 1 for frame in listener.of("UsageImported")))


async def test_the_progress_of_an_import_goes_to_extended_clients_alone(
    daemon: RealDaemon, listener: Listener, tmp_path: Path
) -> None:
    logs = tmp_path / "old" / "projects" / "p"
    logs.mkdir(parents=True)
    (logs / "s.jsonl").write_text(_response("msg_1", "req_1"))
    async with listening(daemon, "?hello=1") as extended:
        await daemon.ask("POST", f"/api/usage/import-claude?claude_dir={tmp_path / 'old'}")
        await until(lambda: bool(extended.of("UsageImportProgressed", source="claude")))
        assert extended.of("UsageImportProgressed")[-1]["data"].keys() == {"source", "files_done", "files_total"}
    await listener.only("UsageImported")
    assert listener.of("UsageImportProgressed") == []


async def test_budget_updated_crossed_and_deleted_go_to_extended_clients_alone(
    daemon: RealDaemon, listener: Listener, tmp_path: Path
) -> None:
    logs = Path(daemon.environ["HOME"]) / ".claude" / "projects" / "p"
    async with listening(daemon, "?hello=1") as extended:
        report = await daemon.ask("POST", "/api/budgets", {"period": "day", "limit_tokens": 2_200, "thresholds": [50]})
        assert (report["id"], report["percent"], report["crossed"]) == ("total:day:tokens", 0.0, [])
        assert await extended.only("BudgetUpdated") == {"id": report["id"], "profile": None, "agent_id": None}
        logs.mkdir(parents=True)
        # What is read first may be the import at the start; what comes after it is followed, and so can alert.
        (logs / "first.jsonl").write_text(_response("msg_1", "req_1"))
        await until(lambda: bool(extended.of("UsageUpdated")))
        (logs / "s.jsonl").write_text(_response("msg_2", "req_2", at=_now()))
        assert await extended.only("BudgetThresholdCrossed") == {
            "id": report["id"],
            "profile": None,
            "agent_id": None,
            "period": "day",
            "threshold_percent": 50,
            "limit_usd": None,
            "spent_usd": None,
            "limit_tokens": 2_200,
            "spent_tokens": 1_100,
        }
        await daemon.ask("DELETE", f"/api/budgets/{report['id']}")
        assert (await extended.only("BudgetDeleted"))["id"] == report["id"]
    assert [frame for frame in listener.frames if frame["type"].startswith("Budget")] == []


async def test_proxy_started_stopped_and_failed(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    status = await daemon.ask("POST", "/api/proxy/work/start")
    data = await listener.only("ProxyStarted")
    assert data == {"profile": "work", "port": status["port"], "pid": status["pid"]}
    await daemon.ask("POST", "/api/proxy/work/stop")
    assert await listener.only("ProxyStopped") == {"profile": "work", "exit_code": 0}
    with socket.create_server(("127.0.0.1", status["port"])):
        assert (await daemon.call("POST", "/api/proxy/work/start")).status_code == 409
    error = (await listener.only("ProxyError"))["error"]
    assert error.startswith(f"Port {status['port']} already in use by ")


async def test_other_news_of_proxies_go_to_extended_clients_alone(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    async with listening(daemon, "?hello=1") as extended:
        await daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True, "ask_for_usage": False})
        assert await extended.only("ProxyUpdated") == {"profile": "work", "changes": ["ask_for_usage", "enabled"]}
        await daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True, "ask_for_usage": False})
        await daemon.ask("DELETE", "/api/profiles/work")
        assert await extended.only("ProxyDeleted") == {"profile": "work"}
        assert len(extended.of("ProxyUpdated")) == 1
    await listener.only("ProfileDeleted")
    assert listener.of("ProxyUpdated") == listener.of("ProxyDeleted") == []


async def test_daemon_updated_tells_what_does_not_work(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    manifests = tmp_path / "clown" / "agents.d"
    manifests.mkdir(parents=True)
    (manifests / "broken.toml").write_text("id = [\n")
    await daemon.start()

    async def told() -> list[dict[str, Any]]:
        page = await daemon.ask("GET", "/api/events?types=DaemonUpdated")
        events: list[dict[str, Any]] = page["events"]
        return events

    async def known() -> bool:
        return bool(await told())

    await until(known)
    (event,) = await told()
    assert event["data"] == {"problems": 1}
    assert "broken.toml:1" in event["resource"]["problems"][0]
    await daemon.stop()


async def test_daemon_started_is_in_the_history(daemon: RealDaemon) -> None:
    page = await daemon.ask("GET", "/api/events?types=DaemonStarted")
    (event,) = page["events"]
    assert event["data"]["pid"] == daemon.pid
    assert isinstance(event["data"]["version"], str)


async def test_daemon_shutting_down_is_the_last_frame(daemon: RealDaemon, listener: Listener) -> None:
    await daemon.ask("POST", "/api/daemon/shutdown")
    assert await listener.only("DaemonShuttingDown") == {"reason": "stop"}


async def _agent_is_known(daemon: RealDaemon) -> None:
    async def known() -> bool:
        agents = await daemon.ask("GET", "/api/agents")
        return any(agent["id"] == "quick" and agent["version"] == "1.2.3" for agent in agents)

    await until(known)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _response(message_id: str, request_id: str, at: str = "2026-01-08T10:30:00.000Z") -> str:
    usage = {
        "input_tokens": 1_000,
        "output_tokens": 100,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    message = {
        "id": message_id,
        "model": "claude-sonnet-4-5",
        "role": "assistant",
        "stop_reason": "end_turn",
        "usage": usage,
    }
    line = {
        "type": "assistant",
        "requestId": request_id,
        "timestamp": at,
        "sessionId": "s",
        "isSidechain": False,
        "message": message,
    }
    return json.dumps(line) + "\n"
