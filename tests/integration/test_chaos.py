"""The stream under faults: nothing lost, nothing doubled, nothing diverged. `make soak` plays more, and longer."""

from pathlib import Path

import pytest

from tests.support.chaos.run import SHORT, chaos_run

SEEDS = 20


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
async def test_nothing_is_lost_doubled_or_diverged(seed: int, tmp_path: Path) -> None:
    figures = await chaos_run(seed, SHORT, tmp_path, repeat=f"pytest tests/integration/test_chaos.py -k '[{seed}]'")
    assert figures.deliveries > figures.events > 0
