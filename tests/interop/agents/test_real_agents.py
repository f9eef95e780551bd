"""The real agents work against a provider on loopback, and Clown reads from their logs exactly what it billed.

Run by `make real-agents`. Every response is compared with its own counts, not only their sums.
"""

import asyncio
import os
import sqlite3
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

import pytest

from tests.interop.agents.programs import programs
from tests.interop.agents.recipes import RECIPES, Script
from tests.support.model_replies import Billed
from tests.support.model_server import ModelServer
from tests.support.usage import open_bench

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(600)]

RUN_SECONDS = 120
PROGRAMS = programs()


@pytest.mark.parametrize("agent", RECIPES)
async def test_what_a_real_agent_logs_is_what_its_provider_billed(agent: str, tmp_path: Path) -> None:
    if not PROGRAMS[agent].file.exists():
        pytest.skip(f"{agent} is not installed: python -m tests.interop.agents.install {agent}")
    server = ModelServer()
    async with open_bench(tmp_path) as machine, server.serving():
        script = RECIPES[agent](server.url, machine.home)
        machine.environ |= script.environ
        machine.restart()
        for one in script.runs:
            before, server.call = len(server.billed), one.call
            said = await run([*PROGRAMS[agent].command(), *one.arguments()], machine.home, script)
            assert len(server.billed) > before + (one.call is not None), said
            await machine.look()  # at once, as the daemon does: at its next start Gemini deletes chats it does not like
        counted = await machine.database.read(read_counted)
    logged = [billed for billed in server.billed if billed.model not in script.unlogged_models]
    assert counted == sorted(map(classes, logged))


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


def read_counted(connection: sqlite3.Connection) -> list[tuple[str | int, ...]]:
    """What the ledger counts, each response with its model and its four classes of tokens."""
    rows = connection.execute(
        "SELECT series.model, one.input_tokens, one.output_tokens, one.cache_read_tokens,"
        " one.cache_write_5m_tokens + one.cache_write_1h_tokens"
        " FROM usage_records AS one JOIN usage_series AS series USING (series) WHERE NOT one.replay"
    ).fetchall()
    return sorted(map(tuple, rows))
