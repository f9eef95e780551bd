"""Child processes that work until their standard input is closed, and print one JSON object then."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any


async def begin(module: str, *arguments: str, says_ready: bool = True) -> asyncio.subprocess.Process:
    """Run a module of the benchmarks; wait until it is ready if it says so."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, cwd=Path(__file__).parents[2]
    )
    if says_ready:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
    return child


async def end(child: asyncio.subprocess.Process) -> dict[str, Any]:
    """Ask it to end, and answer what it prints."""
    out, _ = await child.communicate(b"")
    report: dict[str, Any] = json.loads(out)
    return report
