"""Spending in a process that is killed with SIGKILL, again and again, tells every threshold exactly once."""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.support.spending import spending

PROGRAM = """
import asyncio, sys
from pathlib import Path
from tests.support.spending import spending

RESPONSES = int(sys.argv[2])

async def main():
    async with spending(Path(sys.argv[1])) as purse:
        # The ledger knows how far it is: what was not committed is spent again, under the same key.
        count = "SELECT count(*) FROM usage_records"
        known = await purse.database.read(lambda connection: connection.execute(count).fetchone()[0])
        for number in range(max(0, known - 1), RESPONSES):
            await purse.spend(1, key=f"r{number}")

asyncio.run(main())
"""
RESPONSES = 600
THRESHOLDS = [1, 10, 25, 40, 50, 60, 75, 100]
TOLD = (
    "SELECT json_extract(CAST(body AS TEXT), '$.data.threshold_percent'),"
    " json_array_length(CAST(body AS TEXT), '$.resource.crossed')"
    " FROM events WHERE type = 'BudgetThresholdCrossed' ORDER BY seq"
)


def _kept(path: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM usage_records").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _run_until_killed(folder: Path, kept: int) -> bool:
    """Kill the spender once it has kept so many; answer whether that was in time."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(RESPONSES)]
    spender = subprocess.Popen(command, cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 60
    while spender.poll() is None and time.monotonic() < deadline:
        if _kept(folder / "clown.db") >= kept:
            spender.kill()
    code = spender.wait()
    assert code in {0, -signal.SIGKILL}
    return code != 0


async def test_spending_killed_over_and_over_tells_every_threshold_once(tmp_path: Path) -> None:
    async with spending(tmp_path) as purse:
        await purse.limit(RESPONSES, thresholds=THRESHOLDS)
    kills = 0
    # Close to where a threshold is crossed, where a death could lose or double it.
    for percent in (1, 25, 50, 75):
        kills += await asyncio.to_thread(_run_until_killed, tmp_path, RESPONSES * percent // 100)
    assert kills
    await asyncio.to_thread(_run_until_killed, tmp_path, RESPONSES + 1)
    async with spending(tmp_path) as purse:
        [report] = await purse.budgets.list()
        told = await purse.database.read(lambda connection: connection.execute(TOLD).fetchall())
    assert (report.responses, report.percent) == (RESPONSES, 100)
    assert [tuple(row) for row in told] == [(threshold, place + 1) for place, threshold in enumerate(THRESHOLDS)]
