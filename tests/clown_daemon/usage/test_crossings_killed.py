"""Spending in a process that is killed with SIGKILL, again and again, tells every threshold exactly once."""

import asyncio
from pathlib import Path

from tests.support.killed import run_until_killed
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


async def test_spending_killed_over_and_over_tells_every_threshold_once(tmp_path: Path) -> None:
    async with spending(tmp_path) as purse:
        await purse.limit(RESPONSES, thresholds=THRESHOLDS)

    def run(responses: int) -> bool:
        arguments = (str(tmp_path), str(RESPONSES))
        return run_until_killed(PROGRAM, *arguments, database=tmp_path / "clown.db", responses=responses)

    kills = 0
    # Close to where a threshold is crossed, where a death could lose or double it.
    for percent in (1, 25, 50, 75):
        kills += await asyncio.to_thread(run, RESPONSES * percent // 100)
    assert kills
    await asyncio.to_thread(run, RESPONSES + 1)
    async with spending(tmp_path) as purse:
        [report] = await purse.budgets.list()
        told = await purse.database.read(lambda connection: connection.execute(TOLD).fetchall())
    assert (report.responses, report.percent) == (RESPONSES, 100)
    assert [tuple(row) for row in told] == [(threshold, place + 1) for place, threshold in enumerate(THRESHOLDS)]
