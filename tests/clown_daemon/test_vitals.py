import asyncio
import threading
import time
from pathlib import Path

import pytest

from clown_daemon import vitals
from clown_daemon.histogram import Histogram
from clown_daemon.vitals import process_facts, watch_lag
from tests.support.waiting import until


def test_the_facts_are_those_of_this_process(tmp_path: Path) -> None:
    before = process_facts()
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with (tmp_path / "open").open("w"):
        during = process_facts()
    done.set()
    thread.join()
    assert during.open_files == before.open_files + 1
    assert during.threads == before.threads + 1
    assert during.resident_bytes > 1_000_000
    assert during.cpu_seconds >= before.cpu_seconds > 0
    assert 0 < during.started_seconds < time.time()


async def test_a_blocked_loop_is_seen_as_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "LAG_SAMPLE_SECONDS", 0.01)
    lag = Histogram((0.1,))
    watching = asyncio.create_task(watch_lag(lag), name="lag")
    await until(lambda: lag.read().buckets[-1][1] > 0)
    time.sleep(0.2)  # noqa: ASYNC251  # the fault that is to be seen
    await until(lambda: lag.read().buckets[-1][1] > lag.read().buckets[0][1])
    watching.cancel()
