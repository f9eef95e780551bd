"""The Autobahn suite, all but compression, against the daemon's own listener. Run by `make interop`."""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.interop.autobahn.echo import running_echo
from tests.interop.clients import AUTOBAHN, ROOT

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

CASES = 301
PASSED = {"OK", "INFORMATIONAL"}


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the suite is translated by lib2to3, which ended with 3.12")
async def test_every_case_passes_strictly(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    program = ROOT / "tests" / "interop" / "autobahn" / "fuzzing_client.py"
    async with running_echo() as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(program), url, str(report_file)),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(AUTOBAHN), "PYTHONWARNINGS": "ignore"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    assert report_file.exists(), said.decode()
    report = json.loads(report_file.read_text(encoding="utf-8"))
    print(Counter(f"{case['behavior']} / {case['behaviorClose']}" for case in report.values()))  # noqa: T201  # the figures
    assert len(report) == CASES, said.decode()
    wrong = {
        name: case
        for name, case in report.items()
        if case["behavior"] not in PASSED or case["behaviorClose"] not in PASSED
    }
    assert not wrong, json.dumps(wrong, indent=1)
