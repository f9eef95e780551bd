"""Imports on a real daemon: begun, watched, cancelled, told of every source; and what cannot be read is said."""

import os
from pathlib import Path
from typing import Any

from tests.support.real_daemon import RealDaemon
from tests.support.transcripts import line
from tests.support.waiting import until


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


async def source(daemon: RealDaemon, name: str) -> dict[str, Any]:
    [found] = [one for one in await daemon.ask("GET", "/api/usage/sources") if one["source"] == name]
    return dict(found)


async def imports(daemon: RealDaemon) -> dict[str, Any]:
    return {one["source"]: one for one in (await daemon.ask("GET", "/api/snapshot"))["imports"]}


async def test_an_import_begins_at_once_and_its_end_is_in_the_snapshot(daemon: RealDaemon, tmp_path: Path) -> None:
    write(tmp_path / "backup" / "projects" / "-w" / "a.jsonl", line("1", "1") + line("2", "2"))
    reply = await daemon.call("POST", "/api/usage/import", {"source": "claude", "path": str(tmp_path / "backup")})
    assert reply.status_code == 202
    begun = reply.json()["data"]
    assert (begun["source"], begun["state"], begun["files_total"]) == ("claude", "running", 1)

    async def is_done() -> bool:
        return bool((await imports(daemon))["claude"]["state"] == "done")

    await until(is_done)
    assert (await imports(daemon))["claude"]["records_imported"] == 2
    assert (await source(daemon, "claude"))["records"] == 2
    assert await daemon.ask("POST", "/api/usage/import/cancel", {}) == []


async def test_an_unknown_source_is_refused_with_the_nearest(daemon: RealDaemon) -> None:
    reply = await daemon.call("POST", "/api/usage/import", {"source": "codx"})
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_field")
    assert reply.json()["error"] == "source: there is no source 'codx'; did you mean codex?"
    reply = await daemon.call("POST", "/api/usage/import", {"source": "codex"})
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


async def test_sources_tell_what_is_read_and_what_cannot_be(daemon: RealDaemon, tmp_path: Path) -> None:
    logs = tmp_path / "home" / ".claude" / "projects"
    assert (await source(daemon, "claude"))["state"] == "absent"
    write(logs / "-w" / "a.jsonl", line("1", "1") + b'{"type":"assistant","message":{"usage":\n')
    os.mkfifo(logs / "-w" / "pipe.jsonl")
    write(tmp_path / "home" / ".grok" / "sessions" / "x", b"")

    async def is_read() -> bool:
        found = await source(daemon, "claude")
        return bool(found["records"] == 1 and found["problems"])

    await until(is_read)
    found = await source(daemon, "claude")
    assert (found["state"], found["lines_broken"]) == ("following", 1)
    assert found["last_read"] is not None
    assert found["problems"] == [f"{logs}/-w/pipe.jsonl is a named pipe, no file, and is not read"]
    assert {folder["path"]: folder["state"] for folder in found["folders"]} == {
        str(logs): "watched",
        str(tmp_path / "home" / ".config" / "claude" / "projects"): "absent",
    }
    assert (await source(daemon, "grok"))["state"] == "unsupported"


async def test_every_agents_logs_of_a_profile_are_the_profiles(daemon: RealDaemon, tmp_path: Path) -> None:
    await daemon.ask("POST", "/api/profiles", {"alias": "work", "agent_id": "quick", "provider_id": "anthropic"})
    home = Path((await daemon.ask("GET", "/api/profiles/work"))["profile_home"])
    write(home / ".claude" / "projects" / "-w" / "a.jsonl", line("1", "1"))

    async def is_counted() -> bool:
        usage = await daemon.ask("GET", "/api/usage?period=all&profile=work")
        return bool(usage["total_tokens"]["output_tokens"])

    await until(is_counted)
    assert {folder["profile"] for folder in (await source(daemon, "claude"))["folders"]} == {"unattributed", "work"}
