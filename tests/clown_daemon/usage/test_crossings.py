"""A threshold is told once per period, whatever else happens."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.protocol.events import BudgetThresholdCrossed, BudgetUpdated
from clown_daemon.protocol.resources import Budget
from clown_daemon.protocol.timestamps import epoch_ms
from tests.support.dashboard_state import crossed
from tests.support.spending import NOON, Spending, spending

TOTAL = "total:day:usd"
HOUR = 3_600
DAY = 24 * HOUR


@pytest.fixture
async def purse(tmp_path: Path) -> AsyncIterator[Spending]:
    async with spending(tmp_path) as opened:
        yield opened


async def test_spending_that_reaches_a_threshold_is_told_with_the_budget_as_it_stands(purse: Spending) -> None:
    await purse.limit(1000)
    await purse.spend(799)
    assert purse.alerts == []
    await purse.spend(1)
    event = purse.events[-1]
    assert event.data == crossed(80, spent_usd=8.0)
    assert isinstance(event.resource, Budget)
    assert event.resource.crossed == (80,)
    assert [one.type for one in purse.events] == ["BudgetUpdated", "UsageUpdated", "UsageUpdated", event.type]


async def test_each_threshold_that_is_jumped_over_is_told_and_none_again(purse: Spending) -> None:
    await purse.limit(1000, thresholds=[50, 80, 100, 200])
    await purse.spend(1500)
    assert purse.alerts == [(TOTAL, 50), (TOTAL, 80), (TOTAL, 100)]
    resources = [one.resource for one in purse.events if isinstance(one.data, BudgetThresholdCrossed)]
    assert [one.crossed for one in resources if isinstance(one, Budget)] == [(50,), (50, 80), (50, 80, 100)]
    await purse.spend(100)
    assert len(purse.alerts) == 3


async def test_a_budget_in_tokens_counts_them_whatever_they_cost(purse: Spending) -> None:
    await purse.limit(limit_tokens=100)
    await purse.spend(None, input_tokens=79, output_tokens=0)
    await purse.spend(None, input_tokens=0, output_tokens=0, cache_read_tokens=1)
    assert purse.alerts == [("total:day:tokens", 80)]
    assert purse.events[-1].data == crossed(
        80, id="total:day:tokens", limit_usd=None, spent_usd=None, limit_tokens=100, spent_tokens=80
    )


async def test_what_has_no_price_spends_no_dollars_until_it_has_one(purse: Spending) -> None:
    await purse.limit(100)
    await purse.spend(None)
    assert purse.alerts == []
    [report] = await purse.budgets.list()
    assert (report.spent_usd, report.percent, report.unpriced_responses) == (None, None, 1)


async def test_a_budget_counts_what_it_is_for(purse: Spending) -> None:
    await purse.spend(1, agent_id="codex")
    await purse.spend(1, profile="work")
    await purse.limit(100, profile="work", thresholds=[100])
    await purse.limit(100, agent_id="codex", thresholds=[100])
    await purse.spend(99, profile="unattributed", agent_id="claude")
    assert purse.alerts == []
    await purse.spend(99, profile="unattributed", agent_id="codex")
    assert purse.alerts == [("agent:codex:day:usd", 100)]
    await purse.spend(99, profile="work", agent_id="claude")
    assert purse.alerts[1:] == [("profile:work:day:usd", 100)]


async def test_a_back_fill_marks_what_it_passes_and_rings_nobody(purse: Spending) -> None:
    await purse.limit(1000)
    await purse.spend(900, imported=True, at_ms=NOON - 16 * 60_000)
    assert purse.alerts == []
    assert isinstance(purse.events[-1].data, BudgetUpdated)
    assert purse.followed() == await purse.fresh()
    assert purse.followed()[0].crossed == (80,)
    await purse.spend(100)
    assert purse.alerts == [(TOTAL, 100)]


async def test_what_was_spent_a_moment_ago_alerts_although_nobody_followed(purse: Spending) -> None:
    await purse.limit(1000, thresholds=[50, 80, 100])
    await purse.spend(600, imported=True, at_ms=NOON - 3_600_000)
    await purse.spend(450, imported=True, at_ms=NOON - 60_000)
    assert purse.alerts == [(TOTAL, 80), (TOTAL, 100)]
    assert purse.followed() == await purse.fresh()


async def test_one_back_fill_marks_what_is_old_and_tells_what_is_new(purse: Spending) -> None:
    await purse.limit(1000)
    await purse.spend(300, at_ms=NOON - 60_000)
    await purse.spend(800, imported=True, at_ms=NOON - 3_600_000)
    assert [one.type for one in purse.events[-2:]] == ["BudgetUpdated", "BudgetThresholdCrossed"]
    assert purse.alerts == [(TOTAL, 100)]
    assert purse.followed()[0].crossed == (80, 100)


async def test_a_moment_ago_is_not_yesterday(tmp_path: Path) -> None:
    async with spending(tmp_path, at_ms=epoch_ms("2026-11-23T00:12:00Z")) as purse:
        await purse.limit(1000, thresholds=[80])
        await purse.spend(900, at_ms=epoch_ms("2026-11-22T23:59:00Z"))
        await purse.spend(900, imported=True, at_ms=epoch_ms("2026-11-23T00:01:00Z"))
        assert purse.alerts == [(TOTAL, 80)]


async def test_usage_of_another_day_crosses_nothing_today(purse: Spending) -> None:
    await purse.limit(1000)
    await purse.spend(5000, at_ms=NOON - DAY * 1000)
    assert purse.alerts == []


async def test_a_new_day_begins_anew_and_a_month_goes_on(purse: Spending) -> None:
    await purse.limit(1000, thresholds=[100])
    await purse.limit(3000, period="month", thresholds=[100])
    for _ in range(3):
        await purse.spend(1000)
        purse.clock.advance(DAY)
    assert purse.alerts == [(TOTAL, 100), (TOTAL, 100), (TOTAL, 100), ("total:month:usd", 100)]


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Europe/Berlin", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25T23:00:00Z"),
        ("America/New_York", "2026-11-02T05:00:00Z"),
        ("Asia/Tokyo", "2026-11-23T15:00:00Z"),
        ("Asia/Kathmandu", "2026-11-23T18:15:00Z"),
    ],
    ids=["after 23 hours", "after 25 hours", "New York", "Tokyo", "a zone of 45 minutes"],
)
async def test_a_day_ends_at_the_users_midnight(tmp_path: Path, zone: str, midnight: str) -> None:
    async with spending(tmp_path, at_ms=epoch_ms(midnight) - 1, zone_name=zone) as purse:
        await purse.limit(100, thresholds=[100])
        await purse.spend(100)
        purse.clock.advance(0.001)
        await purse.spend(99)
        assert len(purse.alerts) == 1
        await purse.spend(1)
        assert len(purse.alerts) == 2


async def test_a_correction_below_a_threshold_does_not_arm_it_again(purse: Spending) -> None:
    await purse.limit(1000, thresholds=[80])
    await purse.spend(900, key="streamed")
    await purse.spend(500, key="streamed", output_tokens=6)
    [report] = await purse.budgets.list()
    assert (report.spent_usd, report.crossed) == (5.0, (80,))
    await purse.spend(400)
    assert purse.alerts == [(TOTAL, 80)]


async def test_a_process_that_dies_before_the_commit_tells_nothing_and_the_next_one_once(purse: Spending) -> None:
    await purse.limit(1000, thresholds=[80])
    await purse.spend(900, key="r", dies=True)
    assert (purse.alerts, (await purse.fresh())[0].crossed) == ([], ())
    await purse.restart()
    await purse.spend(900, key="r")
    await purse.restart()
    await purse.spend(900, key="r")
    assert purse.alerts == [(TOTAL, 80)]


# -- the law ----------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    what: str
    cents: int
    number: int


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(
            ["spend"] * 5 + ["import"] * 2 + ["missed"] + ["correct"] * 3 + ["restart", "die", "tomorrow", "limit"]
        ),
        cents=st.integers(0, 60),
        number=st.integers(0, 3),
    ),
    max_size=40,
)
THRESHOLDS = (25, 50, 80, 100, 150)


class Oracle:
    """What must be told, reckoned by hand."""

    def __init__(self) -> None:
        self.limit = 100
        self.spent: dict[str, int] = {}
        self.old: set[str] = set()
        """What was spent more than 15 minutes ago; the clock stands still but at night."""
        self.crossed: set[int] = set()
        self.alerts: list[int] = []

    def _reached(self, keys: Collection[str]) -> set[int]:
        spent = sum(self.spent[key] for key in keys)
        return {one for one in THRESHOLDS if spent * 100 >= one * self.limit}

    def spend(self, key: str, cents: int) -> None:
        self.spent[key] = cents
        reached = self._reached(self.spent) - self.crossed
        self.alerts += sorted(reached)
        self.crossed |= reached

    def import_old(self, key: str, cents: int) -> None:
        self.spent[key] = cents
        self.old.add(key)
        self.crossed |= self._reached(self.old)
        reached = self._reached(self.spent) - self.crossed
        self.alerts += sorted(reached)
        self.crossed |= reached

    def begin_a_day(self) -> None:
        self.spent.clear()
        self.old.clear()
        self.crossed.clear()

    def change(self, limit: int) -> None:
        if limit != self.limit:
            self.limit = limit
            self.crossed = self._reached(self.spent)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_every_crossing_is_told_exactly_once_whatever_happens(steps: list[Step]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[Step]) -> None:
    oracle = Oracle()
    with tempfile.TemporaryDirectory() as folder:
        async with spending(Path(folder)) as purse:
            await purse.limit(oracle.limit, thresholds=THRESHOLDS)
            for place, step in enumerate(steps):
                await _do(step, place, purse, oracle)
                assert [threshold for _, threshold in purse.alerts] == oracle.alerts
                [budget] = await purse.fresh()
                assert budget.crossed == tuple(sorted(oracle.crossed))
                # A client reads the snapshot again when a day begins.
                assert purse.followed() == (budget,) or purse.followed()[0].start_ms < budget.start_ms


async def _do(step: Step, place: int, purse: Spending, oracle: Oracle) -> None:
    match step.what:
        case "spend" | "missed":
            await purse.spend(step.cents, key=f"s{place}", imported=step.what == "missed")
            oracle.spend(f"s{place}", step.cents)
        case "import":
            await purse.spend(step.cents, key=f"s{place}", imported=True, at_ms=purse.clock.now_ms() - HOUR * 1000)
            oracle.import_old(f"s{place}", step.cents)
        case "correct":
            # The witness with the larger output is right, whatever it costs.
            key = f"c{step.number}"
            day = purse.clock.now_ms() // 86_400_000
            await purse.spend(step.cents, key=f"{key}-{day}", output_tokens=10 + place)
            oracle.spend(key, step.cents)
        case "restart":
            await purse.restart()
        case "die":
            await purse.spend(step.cents, dies=True)
            await purse.restart()
        case "tomorrow":
            purse.clock.advance(DAY)
            oracle.begin_a_day()
        case "limit":
            limit = (100, 100, 50, 200)[step.number]
            await purse.limit(limit, thresholds=THRESHOLDS)
            oracle.change(limit)
