"""A daemon whose database is damaged starts all the same, and says so to everybody."""

import asyncio
import contextlib
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from clown_daemon.store.repair import CHECK_BYTES
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

PAGE = 4096
PROFILE = {"alias": "work", "agent_id": "claude", "provider_id": "anthropic"}


@pytest.fixture
async def daemon(tmp_path: Path) -> RealDaemon:
    """A daemon that ran, made a profile, and stopped."""
    daemon = RealDaemon(tmp_path, recorded=False)
    await daemon.start()
    await daemon.ask("POST", "/api/profiles", PROFILE)
    assert await daemon.stop() == 0
    return daemon


def spoil(file: Path, part: slice) -> None:
    with file.open("r+b") as stream:
        stream.seek(part.start or 0)
        stream.write(b"\xa5" * (part.stop - (part.start or 0)))


async def test_a_damaged_database_is_replaced_and_everybody_is_told(daemon: RealDaemon) -> None:
    spoil(daemon.state_dir / "clown.db", slice(100))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clown_daemon", "start", "--port", "0", "--json"),
        env=daemon.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    try:
        assert process.returncode == 0, err
        daemon.port = int(json.loads(out)["url"].rsplit(":", 1)[1])
        (aside,) = daemon.state_dir.glob("clown.db.damaged-*")
        assert aside.name in err.decode()

        async def degraded() -> bool:
            snapshot = await daemon.ask("GET", "/api/snapshot")
            return snapshot["daemon"]["status"] == "degraded" and aside.name in str(snapshot["daemon"]["problems"])

        await until(degraded)
        history = await daemon.ask("GET", "/api/events?since=0&types=DaemonUpdated")
        assert aside.name in str(history["events"][0]["resource"]["problems"])
        assert aside.name in await asyncio.to_thread((daemon.root / "clown/logs/daemon.log").read_text)
        await daemon.ask("POST", "/api/profiles", PROFILE)
    finally:
        await daemon.call("POST", "/api/daemon/shutdown", {})
        await until(lambda: not (daemon.state_dir / "daemon.json").exists())


async def test_damage_met_at_run_time_shows_at_once_and_a_restart_heals(daemon: RealDaemon) -> None:
    await asyncio.to_thread(grow_and_spoil, daemon.state_dir / "clown.db")
    await daemon.start()
    before = await daemon.ask("GET", "/api/snapshot")
    try:

        async def degraded() -> bool:
            daemon_ = (await daemon.ask("GET", "/api/snapshot"))["daemon"]
            return daemon_["status"] == "degraded" and "is damaged" in str(daemon_["problems"])

        await until(degraded)
        reply = await daemon.call("PATCH", "/api/profiles/work", {"model": "m"})
        assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")
        assert "restart" in reply.json()["hint"]
        assert [profile["alias"] for profile in await daemon.ask("GET", "/api/profiles")] == ["work"]
    finally:
        await daemon.stop()
    await daemon.start()
    try:
        after = await daemon.ask("GET", "/api/snapshot")
        assert after["log"] != before["log"]
        assert [profile["alias"] for profile in after["profiles"]] == ["work"], "it was saved"
    finally:
        await daemon.stop()


def grow_and_spoil(file: Path) -> None:
    """Make a file that is too large to be looked at before the start, with a ledger that cannot be read."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
            " INSERT INTO usage_files (source, path, inode, offset, fingerprint, profile)"
            " SELECT 'padding', i, 0, 0, zeroblob(250000), '' FROM n"
        )
        row = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'usage_records'").fetchone()
    assert file.stat().st_size > CHECK_BYTES
    spoil(file, slice((row[0] - 1) * PAGE, row[0] * PAGE))
