"""Homes with every agent's logs and every trap, read as the daemon reads them: the ledger is what was billed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.usage import jobs, reading
from tests.support.corpus.generate import Options, ProfileHome, write_corpus
from tests.support.corpus.truth import Truth
from tests.support.usage import Bench, open_bench

SUMS = """
SELECT {by}, sum(responses), sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens + cache_write_1h_tokens),
    sum(cache_read_tokens)
FROM usage_series WHERE responses > 0 GROUP BY 1
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as opened:
        yield opened


async def sums(bench: Bench, by: str) -> dict[str, tuple[int, ...]]:
    rows = await bench.database.read(lambda connection: connection.execute(SUMS.format(by=by)).fetchall())
    return {row[0]: tuple(row)[1:] for row in rows}


def billed(truth: Truth, by: str) -> dict[str, tuple[int, ...]]:
    found = truth.by("agent" if by == "agent_id" else "profile")
    return {name: (totals.responses, *totals.tokens) for name, totals in found.items()}


@pytest.mark.parametrize("by_workers", [False, True])
async def test_every_agents_logs_are_read_to_the_last_token(
    bench: Bench, tmp_path: Path, by_workers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_LOGS", 1 if by_workers else 10**6)
    monkeypatch.setattr(jobs, "JOB_TASKS", 5)
    profiles = {
        "work": ProfileHome("claude", tmp_path / "work"),
        "play": ProfileHome("codex", tmp_path / "play"),
        "night": ProfileHome("opencode", tmp_path / "night"),
    }
    corpus = write_corpus(bench.home, Options(responses=1500, profiles=profiles))
    bench.profiles |= {alias: home.path for alias, home in profiles.items()}
    await bench.catch_up()
    assert bench.service.problems == ()
    assert await sums(bench, "agent_id") == billed(corpus.truth, "agent_id")
    assert await sums(bench, "profile") == billed(corpus.truth, "profile")
    assert await bench.replayed() == await bench.totals()
    before = len(bench.events)
    bench.restart()
    await bench.catch_up()
    assert len(bench.events) == before
