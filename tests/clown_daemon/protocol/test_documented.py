"""The examples of the documented references, copied: every key of theirs is in ours, with the same type of value."""

from typing import Any

import msgspec
import pytest

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import CATALOGUE, KINDS
from clown_daemon.protocol.examples import AT_MS, EVENTS, LOG, NOW, REPLIES

DOCUMENTED_EVENTS: dict[str, dict[str, Any]] = {
    "ProfileCreated": {
        "alias": "my-project",
        "agent_id": "claude",
        "provider_id": "anthropic",
        "model": "claude-sonnet-4",
    },
    "ProfileUpdated": {"alias": "my-project", "changes": ["model", "hooks_config"]},
    "ProfileDeleted": {"alias": "my-project"},
    "ProfileStarted": {"alias": "my-project", "pid": 12345},
    "ProfileStopped": {"alias": "my-project", "exit_code": 0, "runtime_secs": 900},
    "AgentDetected": {
        "id": "claude",
        "name": "Claude Code",
        "version": "1.0.0",
        "binary_path": "/usr/local/bin/claude",
    },
    "AgentUpdated": {"id": "claude", "old_version": "0.9.0", "new_version": "1.0.0"},
    "RegistrySyncStarted": {"channel": "stable", "force": False},
    "RegistrySyncCompleted": {
        "channel": "stable",
        "commit": "f4a12c3",
        "from_cache": False,
        "artifacts_downloaded": 5,
    },
    "RegistrySyncFailed": {"error": "Network timeout"},
    "ProxyStarted": {"profile": "work", "port": 8081, "pid": 12345},
    "ProxyStopped": {"profile": "work", "exit_code": 0},
    "ProxyError": {"profile": "work", "error": "Port already in use"},
    "UsageUpdated": {
        "profile": "my-project",
        "tokens": {"input_tokens": 5000, "output_tokens": 2000},
        "cost": {"total_cost": 0.045},
    },
    "UsageImported": {"source": "claude", "records_imported": 42},
    "DaemonStarted": {"version": "0.1.0", "pid": 12345},
    "DaemonShuttingDown": {"reason": "idle_timeout"},
}

_TOKENS = dict.fromkeys(("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"), 1)
_COST = dict.fromkeys(("input_cost", "output_cost", "cache_creation_cost", "cache_read_cost", "total_cost"), 0.5)
_PROFILE = dict.fromkeys(("alias", "agent_id", "provider_id", "model", "last_used"), "text") | {"endpoint_id": None}
DOCUMENTED_REPLIES: dict[str, dict[str, Any]] = {
    "ProfileSummary": _PROFILE,
    "ProfileDetail": {**_PROFILE, "created_at": "text", "profile_home": "text"},
    "AgentSummary": {
        **dict.fromkeys(("id", "name", "version", "binary_path"), "text"),
        "installed": True,
        "profile_count": 1,
    },
    "AgentDetail": {
        **dict.fromkeys(("id", "name", "version", "binary", "binary_path", "profile_strategy"), "text"),
        "installed": True,
        "supports_hooks": True,
        "default_model": "text",
        "supported_models": ["text"],
    },
    "ProviderSummary": {"id": "text", "name": "text", "type": "text", "default_model": None},
    "Provider": {
        **dict.fromkeys(("id", "name", "type", "default_endpoint", "default_model"), "text"),
        "endpoints": {"default": "text"},
        "models": ["text"],
    },
    "UsageReport": {
        "period": "Today",
        "total_tokens": _TOKENS,
        "total_cost": _COST,
        "total_sessions": 1,
        "total_runtime_secs": 1,
        "aggregates": {
            "by_profile": {
                "my-project": {
                    "profile": "text",
                    "tokens": _TOKENS,
                    "cost": _COST,
                    "sessions": 1,
                    "runtime_secs": 1,
                    "last_used": "text",
                }
            }
        },
    },
    "DaemonStatus": {
        "status": "running",
        "pid": 1,
        "uptime_secs": 1,
        "version": "0.1.0",
        "profiles_count": 1,
        "active_proxies": 1,
    },
    "ProfileMessage": {"alias": "text", "message": "text"},
    "Message": {"message": "text"},
}


def covers(ours: Any, documented: Any, path: str = "data") -> None:
    """Fail unless `ours` has every key of `documented`, with a value of its type."""
    assert type(ours) is type(documented), path
    if isinstance(documented, dict):
        assert documented.keys() <= ours.keys(), path
        for key, value in documented.items():
            covers(ours[key], value, f"{path}.{key}")
    elif isinstance(documented, list):
        assert ours, path
        covers(ours[0], documented[0], f"{path}[0]")


def test_all_seventeen_documented_events_exist() -> None:
    assert {kind.name for kind in CATALOGUE if kind.documented} == set(DOCUMENTED_EVENTS)
    assert len(DOCUMENTED_EVENTS) == 17


@pytest.mark.parametrize("name", DOCUMENTED_EVENTS)
def test_an_event_has_the_documented_envelope_keys_and_types(name: str) -> None:
    data, resource = next(pair for pair in EVENTS if type(pair[0]).__name__ == name)
    frame = msgspec.json.decode(codec.encode_event(data, resource, seq=1, log=LOG, at_ms=AT_MS))
    assert frame.keys() == {"type", "timestamp", "data", "seq", "log", "at_ms", "resource"}
    assert (frame["type"], frame["timestamp"]) == (name, NOW)
    covers(frame["data"], DOCUMENTED_EVENTS[name])


@pytest.mark.parametrize("name", sorted(DOCUMENTED_EVENTS.keys() - {"ProfileStarted", "ProfileStopped"}))
def test_the_documented_example_itself_can_be_read(name: str) -> None:
    msgspec.convert(DOCUMENTED_EVENTS[name], KINDS[name].data)


@pytest.mark.parametrize("name", DOCUMENTED_REPLIES)
def test_a_reply_has_the_documented_envelope_keys_and_types(name: str) -> None:
    reply = msgspec.json.decode(codec.success(REPLIES[name]))
    assert reply.keys() == {"success", "data"}
    assert reply["success"] is True
    covers(reply["data"], DOCUMENTED_REPLIES[name])
