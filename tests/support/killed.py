"""Programs that are killed with SIGKILL once the ledger that they write holds enough."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

MOST_SECONDS = 60
"""Only ends a program that hangs."""


def kept_responses(database: Path) -> int:
    """How many responses a ledger holds; 0 before it is one."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM usage_records").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def run_until_killed(program: str, *arguments: str, database: Path, responses: int) -> bool:
    """Kill a program once the ledger holds so many responses; answer whether that was in time.

    Args:
        program: Python, run from the root of the checkout.
        arguments: of the program.
        database: the ledger that it writes.
        responses: how many are enough.
    """
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + MOST_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if kept_responses(database) >= responses:
            process.kill()
    code = process.wait()
    assert code in {0, -signal.SIGKILL}
    return code != 0
