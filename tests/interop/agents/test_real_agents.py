"""The real agents work against a provider on loopback, and Clown reads from their logs exactly what it billed.

Run by `make real-agents`. Every response is compared with its own counts, not only their sums.
"""

import asyncio
import os
import sqlite3
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from clown_daemon.store.connection import migrate
from clown_daemon.store.ledger import Entry, Response
from clown_daemon.store.usage import add_entries
from clown_daemon.usage.opencode_database import read_rows
from tests.interop.agents.programs import programs
from tests.interop.agents.recipes import RECIPES, Script
from tests.support.log_samples import LINE_PARSERS
from tests.support.model_replies import Billed
from tests.support.model_server import ModelServer

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]

RUN_SECONDS = 120
PROGRAMS = programs()
LOGS = {
    "claude": ".claude/projects/**/*.jsonl",
    "codex": ".codex/sessions/**/rollout-*.jsonl",
    "copilot": ".copilot/session-state/*/events.jsonl",
    "gemini": ".gemini/tmp/*/chats/**/*.jsonl",
    "opencode": ".local/share/opencode/opencode.db",
    "qwen": ".qwen/projects/*/chats/*.jsonl",
}
"""Below a home."""


@pytest.mark.parametrize("agent", RECIPES)
async def test_what_a_real_agent_logs_is_what_its_provider_billed(agent: str, tmp_path: Path) -> None:
    if not PROGRAMS[agent].file.exists():
        pytest.skip(f"{agent} is not installed: python -m tests.interop.agents.install {agent}")
    home = tmp_path / "home"
    home.mkdir()
    server = ModelServer()
    async with server.serving():
        script = RECIPES[agent](server.url, home)
        server.call = script.call
        for arguments in script.runs:
            before = len(server.billed)
            said = await run([*PROGRAMS[agent].command(), *arguments()], home, script)
            assert len(server.billed) > before, said
    logged = [billed for billed in server.billed if billed.model not in script.unlogged_models]
    assert len(logged) > len(script.runs), "no tool was called"
    assert counted(agent, home) == sorted(map(classes, logged))


async def run(command: list[str], home: Path, script: Script) -> str:
    """Let an agent do its work in a folder of its own; answer what it printed."""
    project = home.parent / "project"
    project.mkdir(exist_ok=True)
    local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "TERM": "dumb"}
    environ: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": str(home), **local, **script.environ}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=project, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = printed.decode(errors="replace")
    assert process.returncode == 0, said
    return said


def classes(billed: Billed) -> tuple[str | int, ...]:
    return (billed.model, billed.input, billed.output, billed.cache_read, billed.cache_write)


def counted(agent: str, home: Path) -> list[tuple[str | int, ...]]:
    """What the ledger counts of an agent's logs, each response with its model and its four classes of tokens."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    for responses in READERS.get(agent, read_lines)(agent, home):
        add_entries(connection, [Entry(response, None, "unattributed") for response in responses])
    rows = connection.execute(
        "SELECT series.model, one.input_tokens, one.output_tokens, one.cache_read_tokens,"
        " one.cache_write_5m_tokens + one.cache_write_1h_tokens"
        " FROM usage_records AS one JOIN usage_series AS series USING (series) WHERE NOT one.replay"
    ).fetchall()
    connection.close()
    return sorted(map(tuple, rows))


def read_lines(agent: str, home: Path) -> Iterator[list[Response]]:
    for path in sorted(home.glob(LOGS[agent])):
        parser = LINE_PARSERS[agent]()
        yield parser.feed(path.read_bytes())
        assert parser.lines_broken == 0


def read_database(agent: str, home: Path) -> Iterator[list[Response]]:
    for page in read_rows(home / LOGS[agent]):
        yield list(page.responses)


READERS: Mapping[str, Callable[[str, Path], Iterator[list[Response]]]] = {"opencode": read_database}
