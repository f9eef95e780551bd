"""The real agents work against a provider on loopback, and Clown reads from their logs exactly what it billed.

Run by `make real-agents`. Every response is compared with its own counts, not only their sums.
"""

import asyncio
import os
import sqlite3
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import pytest

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.store.connection import migrate
from clown_daemon.store.ledger import Entry, Response
from clown_daemon.store.usage import add_entries
from clown_daemon.usage.opencode_database import read_rows
from clown_daemon.usage.scanner import find_roots, scan
from clown_daemon.usage.sources import KINDS
from tests.interop.agents.programs import programs
from tests.interop.agents.recipes import RECIPES, Script
from tests.support.model_replies import Billed
from tests.support.model_server import ModelServer

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]

RUN_SECONDS = 120
PROGRAMS = programs()


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    yield connection
    connection.close()


@pytest.mark.parametrize("agent", RECIPES)
async def test_what_a_real_agent_logs_is_what_its_provider_billed(
    agent: str, tmp_path: Path, ledger: sqlite3.Connection
) -> None:
    if not PROGRAMS[agent].file.exists():
        pytest.skip(f"{agent} is not installed: python -m tests.interop.agents.install {agent}")
    home = tmp_path / "home"
    home.mkdir()
    server = ModelServer()
    async with server.serving():
        script = RECIPES[agent](server.url, home)
        for one in script.runs:
            before, server.call = len(server.billed), one.call
            said = await run([*PROGRAMS[agent].command(), *one.arguments()], home, script)
            assert len(server.billed) > before + (one.call is not None), said
            # At once, as Clown does: at its next start Gemini deletes chats that it does not like.
            for responses in read_database(home) if agent == "opencode" else read_logs(home, script):
                add_entries(ledger, [Entry(response, None, UNATTRIBUTED) for response in responses])
    logged = [billed for billed in server.billed if billed.model not in script.unlogged_models]
    assert counted(ledger) == sorted(map(classes, logged))


async def run(command: list[str], home: Path, script: Script) -> str:
    """Let an agent do its work in a folder of its own; answer what it printed."""
    project = home.parent / "project"
    project.mkdir(exist_ok=True)
    local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "TERM": "dumb"}
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), **local, **script.environ}
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


def counted(ledger: sqlite3.Connection) -> list[tuple[str | int, ...]]:
    """What the ledger counts, each response with its model and its four classes of tokens."""
    rows = ledger.execute(
        "SELECT series.model, one.input_tokens, one.output_tokens, one.cache_read_tokens,"
        " one.cache_write_5m_tokens + one.cache_write_1h_tokens"
        " FROM usage_records AS one JOIN usage_series AS series USING (series) WHERE NOT one.replay"
    ).fetchall()
    return sorted(map(tuple, rows))


def read_logs(home: Path, script: Script) -> Iterator[list[Response]]:
    """What is in the logs where Clown looks for them."""
    found = scan(find_roots({"HOME": str(home), **script.environ}, {}))
    assert found.problems == ()
    for file in found.files:
        parser = KINDS[file.kind].parser(b"")
        yield parser.feed(Path(file.path).read_bytes()) + parser.unfinished()
        assert parser.lines_broken == 0


def read_database(home: Path) -> Iterator[list[Response]]:
    for page in read_rows(home / ".local" / "share" / "opencode" / "opencode.db"):
        yield list(page.responses)
