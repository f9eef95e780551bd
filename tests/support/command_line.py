"""Commands as a person runs them: a process, its exit code and what it printed."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

PATIENCE_SECONDS = 60


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


async def clown_daemon(environ: Mapping[str, str], *arguments: str, cwd: Path) -> Ran:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clown_daemon", *arguments),
        env=environ,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return Ran(process.returncode or 0, out.decode(), err.decode())


def ended_by_parser(main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run a command line, in this process, that its parser ends: it asks for help, or is wrong."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    out, err = capsys.readouterr()
    return Ran(caught.value.code, out, err)


def without_reader(program: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end whose standard output is a pipe that nobody reads any more, as behind `| head -0`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            program,
            env=environ,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    finally:
        os.close(writer)
