"""Many programs that start the daemon at the same time: there is one, whatever was there before."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.support.command_line import clown_daemon
from tests.support.real_daemon import RealDaemon, clean_environment
from tests.support.waiting import until

SLOW_TO_END = """\
#!/bin/sh
[ "$1" = --version ] && { echo 1.0.0; exit; }
trap 'sleep 1; exit 0' TERM
while :; do sleep 0.1; done
"""


async def race(environ: dict[str, str], *flags: str, cwd: Path) -> list[dict[str, Any]]:
    """Let twenty programs start the daemon in the same instant; answers what each was told."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.racers", "20", *flags),
        env=environ,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == 20, err.decode()
    return answers


async def test_twenty_programs_start_one_daemon(tmp_path: Path) -> None:
    environ = clean_environment(tmp_path)
    answers = await race(environ, "--port", "0", cwd=tmp_path)
    assert "pid" in answers[0], answers[0]
    assert answers == [answers[0]] * 20
    log = (tmp_path / "clown" / "logs" / "daemon.log").read_text()
    assert log.count("listening on") == 1
    assert "already runs" not in log
    assert (await clown_daemon(environ, "stop", cwd=tmp_path)).code == 0


async def test_twenty_programs_wait_for_a_daemon_that_was_told_to_end(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    daemon.add_agent("slow", SLOW_TO_END)
    await daemon.start()

    async def running() -> bool:
        await daemon.call("POST", "/api/profiles", {"alias": "w", "agent_id": "slow", "provider_id": "anthropic"})
        return (await daemon.call("POST", "/api/profiles/w/run", {"args": []})).status_code in {202, 409}

    await until(running)
    old = daemon.pid
    process = daemon.process
    assert process is not None
    process.terminate()  # it takes a second to end: its run does
    answers = await race(daemon.environ, "--port", str(daemon.port), cwd=tmp_path)
    assert "pid" in answers[0], answers[0]
    assert answers == [answers[0]] * 20
    assert answers[0]["pid"] != old
    assert answers[0]["url"] == daemon.url
    assert await daemon.stop() == 0
    assert (await clown_daemon(daemon.environ, "stop", cwd=tmp_path)).code == 0
