"""The real agents through `clown run` and the proxy, against a provider on loopback, where there is no other network.

Each answers; the ledger holds exactly what the provider billed; nobody asked for any other machine; the real key is
nowhere but in the secret store and at the provider. Run by `make real-agents`.
"""

import asyncio
import contextlib
import json
import re
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.interop.agents.programs import programs
from tests.interop.agents.recipes import SHELL
from tests.support.model_replies import Billed, Call
from tests.support.model_server import ModelServer
from tests.support.only_loopback import only_loopback, reason_against
from tests.support.real_daemon import RealDaemon
from tests.support.secret_search import files_below, leaks
from tests.support.waiting import until

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]

RUN_SECONDS = 120
SAMPLE_SECONDS = 0.05
KEY = "sk-real-Zk3Vt9QxLm2Wc7Rp5Ny8Hb4Jd6Fg1Sa"
PROVIDER = """\
id = "stub"
name = "Stub"
type = "{type}"
default_endpoint = "main"

[endpoints]
main = {{ url = "{url}", wire = "{wire}" }}
"""


class Case(NamedTuple):
    """How an agent is bought from, and what it is told."""

    type: str
    wire: str
    path: str
    """Of the provider's address."""
    model: str
    runs: tuple[tuple[str, ...], ...]
    """The arguments of each; the model calls the tool in the first."""
    call: Call
    asks_for: str = ""
    """A pattern of names that it asks for besides: none that is of any model."""


CASES = {
    "claude": Case(
        "anthropic",
        "anthropic",
        "",
        "claude-sonnet-4-5",
        (("--allowedTools", "Bash", "-p", "say hi"), ("--continue", "-p", "again")),
        Call("Bash", SHELL),
    ),
    "codex": Case(
        "openai",
        "openai",
        "/v1",
        "gpt-5-codex",
        (
            ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "say hi"),
            ("exec", "--skip-git-repo-check", "resume", "--last", "again"),
        ),
        Call("exec_command", {"cmd": "echo hi"}),
    ),
    "gemini": Case(
        "openai-compatible",
        "gemini",
        "",
        "gemini-2.5-pro",
        (("--yolo", "-p", "say hi"), ("-r", "latest", "-p", "again")),
        Call("list_directory", {"dir_path": "."}),
    ),
    "opencode": Case(
        "anthropic",
        "anthropic",
        "",
        "claude-sonnet-4-5",
        (("run", "say hi"), ("run", "--continue", "again")),
        Call("bash", SHELL),
        # It looks for its own package, to make plugins with.
        r"registry\.\w+\.\w+",
    ),
}
PROGRAMS = programs()


class Seen:
    """The environments and command lines of all programs of this machine, but for the test's own."""

    def __init__(self) -> None:
        self.texts: set[bytes] = set()

    async def look(self) -> None:
        """Look again and again."""
        while True:
            self.texts |= await asyncio.to_thread(_all_programs)
            await asyncio.sleep(SAMPLE_SECONDS)


def _all_programs() -> set[bytes]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                found.add((folder / name).read_bytes())
    return found


@pytest.mark.parametrize("agent", CASES)
async def test_a_real_agent_works_through_its_proxy_and_every_token_is_counted(agent: str, tmp_path: Path) -> None:
    if (reason := reason_against()) is not None:
        pytest.skip(reason)
    if not PROGRAMS[agent].file.exists():
        pytest.skip(f"{agent} is not installed: python -m tests.interop.agents.install {agent}")
    case = CASES[agent]
    async with (
        only_loopback() as names,
        ModelServer().serving() as provider,
        daemon_of(agent, case, provider, tmp_path) as daemon,
    ):
        profile = {"alias": "work", "agent_id": agent, "provider_id": "stub", "model": case.model, "api_key": KEY}
        await daemon.ask("POST", "/api/profiles", profile)
        await daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True})
        seen = Seen()
        looking = asyncio.create_task(seen.look(), name="looking")
        for number, arguments in enumerate(case.runs):
            before, provider.call = len(provider.billed), None if number else case.call
            code, said = await clown_run(daemon, *arguments)
            assert code == 0, said
            assert len(provider.billed) > before + (number == 0), said
        looking.cancel()
        await until(lambda: as_billed(daemon, provider))
        assert await told(daemon) == ["ProfileStarted", 0] * len(case.runs)
        assert [name for name in names.asked if not re.fullmatch(case.asks_for, name)] == []
        token = json.loads((daemon.state_dir / "secrets.json").read_text())["work proxy"]
        everywhere = [*files_below(tmp_path), ("a program", b"\n".join(seen.texts))]
        assert leaks(KEY, everywhere) == ["clown/state/secrets.json: plain"]
        assert any(token.encode() in text for text in seen.texts)


@contextlib.asynccontextmanager
async def daemon_of(agent: str, case: Case, provider: ModelServer, root: Path) -> AsyncIterator[RealDaemon]:
    """A daemon that finds the agent in `PATH` and knows the provider."""
    daemon = RealDaemon(root, CLOWN_IDLE_TIMEOUT_SECS="0", IS_SANDBOX="1")
    daemon.environ["PATH"] += f":{Path(PROGRAMS[agent].command()[0]).parent}"
    binaries, providers = root / "bin", root / "clown" / "providers.d"
    binaries.mkdir(parents=True)
    providers.mkdir(parents=True)
    (binaries / agent).symlink_to(PROGRAMS[agent].file)
    text = PROVIDER.format(type=case.type, url=provider.url + case.path, wire=case.wire)
    (providers / "stub.toml").write_text(text)
    await daemon.start()
    try:
        await daemon.ask("POST", "/api/agents/detect")
        yield daemon
    finally:
        await daemon.stop()


async def clown_run(daemon: RealDaemon, *arguments: str) -> tuple[int, str]:
    """Answer the exit code and what was printed."""
    project = daemon.root / "project"
    project.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clown_daemon.cli.clown", "run", "work", "--", *arguments),
        cwd=project,
        env=daemon.environ | {"TERM": "dumb"},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, printed.decode(errors="replace")


def as_billed(daemon: RealDaemon, provider: ModelServer) -> bool:
    """Whether the ledger counts every response that was billed, and no other, each with its own counts."""
    with contextlib.closing(sqlite3.connect(daemon.state_dir / "clown.db")) as connection:
        rows = connection.execute(
            "SELECT series.model, one.input_tokens, one.output_tokens, one.cache_read_tokens,"
            " one.cache_write_5m_tokens + one.cache_write_1h_tokens"
            " FROM usage_records AS one JOIN usage_series AS series USING (series) WHERE NOT one.replay"
        ).fetchall()
    return sorted(rows) == sorted(map(classes, provider.billed))


def classes(billed: Billed) -> tuple[str | int, ...]:
    return (billed.model, billed.input, billed.output, billed.cache_read, billed.cache_write)


async def told(daemon: RealDaemon) -> list[Any]:
    """What was published of runs: their starts, and the exit codes of their ends."""
    page = await daemon.ask("GET", "/api/events?types=ProfileStarted,ProfileStopped&limit=1000")
    return [event["data"].get("exit_code", event["type"]) for event in page["events"]]
