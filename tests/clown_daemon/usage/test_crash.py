"""An import in a process that is killed with SIGKILL, again and again, ends with every response exactly once."""

import asyncio
from pathlib import Path

from tests.support.killed import kept_responses, run_until_killed
from tests.support.transcripts import line
from tests.support.usage import open_bench

PROGRAM = """
import asyncio, sys
from pathlib import Path
from clown_daemon.usage import importing, reader
from tests.support.usage import open_bench

reader.READ_BYTES = 2048
reader.PART_ENTRIES = reader.ANSWER_ENTRIES = 5
importing.BATCH_ENTRIES = 5

async def main():
    folder = Path(sys.argv[1])
    async with open_bench(folder) as bench:
        await bench.catch_up()

asyncio.run(main())
"""
RESPONSES = 2000
TOLD = "SELECT sum(json_extract(CAST(body AS TEXT), '$.data.responses')) FROM events WHERE type = 'UsageUpdated'"


async def test_an_import_killed_over_and_over_counts_everything_once(tmp_path: Path) -> None:
    logs = tmp_path / "home" / ".claude" / "projects" / "-w"
    logs.mkdir(parents=True)
    for part in range(4):
        numbers = range(part, RESPONSES, 4)
        lines = (line(f"m{number}", f"r{number}", tokens=(number, 1, 2, 3)) for number in numbers)
        (logs / f"{part}.jsonl").write_bytes(b"".join(lines))
    kills = 0
    for _ in range(4):
        database = tmp_path / "clown.db"
        enough = kept_responses(database) + 1
        kills += await asyncio.to_thread(run_until_killed, PROGRAM, str(tmp_path), database=database, responses=enough)
    assert kills
    async with open_bench(tmp_path) as bench:
        await bench.catch_up()
        [total] = await bench.totals()
        told = await bench.database.read(lambda connection: connection.execute(TOLD).fetchone()[0])
    assert total.today.responses == RESPONSES
    assert total.today.tokens.input_tokens == sum(range(RESPONSES))
    assert told == RESPONSES
