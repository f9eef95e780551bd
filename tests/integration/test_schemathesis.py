"""schemathesis tries the served OpenAPI document against a real daemon and finds nothing.

`SCHEMATHESIS_EXAMPLES=200 SCHEMATHESIS_SEED=7 make test ARGS=tests/integration/test_schemathesis.py` looks longer.

All checks of schemathesis are on but these:
* `positive_data_acceptance`: replaced by our own (`tests/support/schemathesis_hooks.py`), since a provider's endpoints
  are known to no schema, and one that does not exist is a 400 by the documented contract.
* `max_response_time`: no test measures time; `benchmarks/` does.

All calls are tried but two: the end of the daemon (`shut_down`), which would end the search and is tested alone below,
and the stream (`follow`), which is no HTTP; `tests/integration/bad_input` has its handshake.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from clown_daemon.usage.sources import SOURCES
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "4")
SEED = os.environ.get("SCHEMATHESIS_SEED", "20260108")
MIN_CASES = 300
"""Fewer mean that it could not read the document."""
NOT_TRIED = ("shut_down", "follow")
QUICK_AGENT = """#!/bin/sh
[ "$1" = --version ] && { echo "1.2.3"; exit 0; }
exit 0
"""


@pytest.mark.timeout(600 if EXAMPLES == "4" else 7200)
async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    daemon.add_agent("claude", QUICK_AGENT)
    agent_folder = make_log_folders(tmp_path / "home")
    await daemon.start()
    try:
        await daemon.ask("POST", "/api/agents/detect")
        profile = {"alias": "my-project", "agent_id": "claude", "provider_id": "anthropic"}
        await daemon.ask("POST", "/api/profiles", profile)
        code, output = await schemathesis(f"{daemon.url}/api/openapi.json", tmp_path, agent_folder)
        assert code == 0, output
        tried = re.search(r"(\d+) generated, (\d+) passed", output)
        assert tried is not None, output
        assert int(tried[1]) == int(tried[2]) > MIN_CASES, output
        assert (await daemon.call("GET", "/api/health")).status_code == 200
    finally:
        await daemon.stop()
    log = (tmp_path / "clown" / "logs" / "daemon.log").read_text("utf-8")
    assert [line for line in log.splitlines() if " ERROR " in line] == []


def make_log_folders(home: Path) -> Path:
    """Let every agent have logs where it keeps them, and answer one folder in which each would be found."""
    every = home / SOURCES[0].defaults[0]
    for source in SOURCES:
        for kind in source.kinds:
            for folder in (home / source.defaults[0], every):
                (folder / kind.folder).mkdir(parents=True, exist_ok=True)
    return every


async def schemathesis(url: str, working_dir: Path, folder: Path) -> tuple[int, str]:
    """Run it as a person would, and answer its exit code and what it printed."""
    left_out = [word for name in NOT_TRIED for word in ("--exclude-operation-id", name)]
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", url, "--checks", "all", "--exclude-checks", "positive_data_acceptance"),
        *("--max-examples", EXAMPLES, "--seed", SEED, "--generation-database", "none", *left_out),
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
            "CLOWN_TEST_FOLDER": str(folder),  # read by the hooks
            "NO_COLOR": "1",
        },
        cwd=working_dir,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode("utf-8", "replace")


async def test_the_end_of_the_daemon_answers_as_the_document_says(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    await daemon.start()
    process = daemon.process
    assert process is not None
    refused: list[object] = [{"reason": "boredom"}, {"if_idle": "yes"}, {"force": True}, []]
    for wrong in refused:
        assert (await daemon.call("POST", "/api/daemon/shutdown", wrong)).status_code == 400
    assert process.returncode is None
    assert (await daemon.call("POST", "/api/daemon/shutdown")).status_code == 202
    await until(lambda: process.returncode is not None)
    await daemon.stop()
