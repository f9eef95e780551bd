"""Events and snapshots as lines, against a scripted daemon."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clown_daemon.client.errors import UnreachableError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import ProfileDeleted, ProxyError, UnknownEvent, UsageUpdated
from clown_daemon.protocol.resources import Cost, Snapshot, Tokens
from clown_tui.plain import Watch, event_line, once, summary, table, watch
from clown_tui.state.rows import Cell, Column, Row
from tests.support.dashboard_state import NOW_MS, a_profile, a_run, a_snapshot, a_usage, an_agent, an_event, used
from tests.support.scripted_daemon import ScriptedDaemon, scripted_daemon
from tests.support.waiting import until

HERE = Path(__file__).parents[2]
ZONE = ZoneInfo("UTC")
GONE = ProfileDeleted(alias="work")


@pytest.fixture
async def daemon() -> AsyncIterator[ScriptedDaemon]:
    async with scripted_daemon() as running:
        yield running


async def _start(daemon: ScriptedDaemon, tmp_path: Path, *arguments: str) -> asyncio.subprocess.Process:
    environ = {
        "PATH": os.environ["PATH"],
        "CLOWN_HOME": str(tmp_path / "clown"),
        "PYTHONPATH": str(HERE),
        "TZ": "UTC",
        "LANG": "C.UTF-8",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "clown_tui", "--no-start", "--url", daemon.url, *arguments),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if "--once" not in arguments:
        await until(lambda: daemon.clients > 0)
    return process


async def test_a_pipe_gets_one_line_an_event_as_it_happens(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--count", "2")
    assert process.stdout is not None
    daemon.emit(GONE, None)
    async with asyncio.timeout(30):
        first = (await process.stdout.readline()).decode()
        daemon.emit(ProxyError(profile="lab", error="port taken"), None)
        rest, errors = await process.communicate()
    assert first.split() == [first.split()[0], "ProfileDeleted", "work", "deleted"]
    assert rest.decode().split()[1:] == ["ProxyError", "lab", "ERROR", "port", "taken"]
    assert errors == b""
    assert process.returncode == 0


async def test_json_lines_are_the_events_as_the_daemon_sent_them(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--json", "--count", "1")
    seq = daemon.emit(used(), a_usage())
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    event = codec.decode_frame(out.strip())
    assert event == codec.decode_frame(codec.encode(event))
    assert json.loads(out)["seq"] == seq
    assert json.loads(out)["resource"]["profile"] == "work"


async def test_the_daemon_is_asked_for_the_wanted_events_alone(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--json", "--events", "proxy*", "--count", "1")
    daemon.emit(ProxyError(profile="lab", error="x"), None)
    async with asyncio.timeout(30):
        await process.communicate()
    assert daemon.queries[-1]["events"] == "ProxyDeleted,ProxyError,ProxyMetered,ProxyStarted,ProxyStopped,ProxyUpdated"


async def test_too_few_events_in_time_is_exit_code_1(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--count", "1", "--timeout", "0.5")
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == 1


async def test_a_reader_that_leaves_ends_it_quietly(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--plain")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]  # a stream reader has no public close
    async with asyncio.timeout(30):
        while process.returncode is None:
            daemon.emit(GONE, None)
            await asyncio.sleep(0.02)
        assert process.stderr is not None
        assert await process.stderr.read() == b""
    assert process.returncode == 0


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A suite in the background of a shell ignores interrupts, and its children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
async def test_interrupting_it_is_exit_code_130(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--plain")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        _, errors = await process.communicate()
    assert process.returncode == 130
    assert errors == b""


async def test_a_lost_connection_is_told_on_standard_error_and_survived(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--json", "--count", "2")
    assert process.stdout is not None
    daemon.emit(GONE, None)
    async with asyncio.timeout(30):
        await process.stdout.readline()
        daemon.drop_all()
        daemon.emit(GONE, None)
        rest, errors = await process.communicate()
    assert json.loads(rest)["seq"] == 2
    assert b"trying again" in errors
    assert b"reconnected after" in errors


async def test_once_prints_the_snapshot(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    process = await _start(daemon, tmp_path, "--once", "--json")
    out, _ = await process.communicate()
    assert codec.encode(daemon.snapshot()) == out.strip()
    process = await _start(daemon, tmp_path, "--once")
    out, _ = await process.communicate()
    assert "No profiles." in out.decode()


async def test_no_daemon_is_an_error_unless_one_is_started(daemon: ScriptedDaemon) -> None:
    nowhere = "http://127.0.0.1:1"
    with pytest.raises(UnreachableError):
        await once(Watch(url=nowhere, zone=ZONE), io.StringIO(), lambda: NOW_MS)
    out = io.StringIO()

    async def start() -> ScriptedDaemon:
        return daemon

    wanted = Watch(url=nowhere, zone=ZONE, start=start, as_json=True)  # type: ignore[arg-type]  # has a url, as needed
    assert await once(wanted, out, lambda: NOW_MS) == 0
    assert json.loads(out.getvalue())["log"] == daemon.log
    with pytest.raises(UnreachableError):
        await watch(Watch(url=nowhere, zone=ZONE), io.StringIO(), io.StringIO())


def test_the_summary_names_daemon_profiles_cost_agents_and_what_is_broken() -> None:
    snapshot: Snapshot = a_snapshot(
        agents=(an_agent(),),
        profiles=(a_profile(run=a_run()), a_profile("lab", run=a_run("exited", exit_code=1))),
        usage=(a_usage(),),
    )
    text = "\n".join(summary(snapshot, NOW_MS, "http://127.0.0.1:8765"))
    for part in (
        "daemon 0.3.1",
        "▲ profile lab: exit 1",
        "● ",
        "work",
        "2h00m",
        "TODAY $3.42",
        "Claude Code",
        "2.1.92",
    ):
        assert part in text


def test_tables_are_as_wide_as_their_widest_text() -> None:
    rows = (Row("a", (Cell("a"), Cell("$1"))), Row("b", (Cell("longer"), Cell("$10"))))
    assert table(rows, (Column("N", 1), Column("C", 1, "right"))) == ("N         C", "a        $1", "longer  $10")


def test_unknown_prices_and_unknown_events_are_told_as_such() -> None:
    priceless = UsageUpdated(profile="work", tokens=Tokens(input_tokens=5), cost=Cost(total_cost=None))
    assert event_line(an_event(priceless), ZONE).endswith("+5 tok  ?")
    pet = UnknownEvent(type="PetAdopted", timestamp="", data={"id": "rex"}, seq=1, log="l", at_ms=NOW_MS)
    assert event_line(pet, ZONE).split() == ["14:03:36.000", "PetAdopted", "rex", "id=rex"]
