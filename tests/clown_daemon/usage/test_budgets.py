"""Budgets as callers set, read and delete them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from clown_daemon.errors import DomainError
from clown_daemon.protocol.events import BudgetDeleted
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import SetBudget
from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.agents import put_agent
from clown_daemon.usage.budgets import budget_of, picodollars, refusal_of
from tests.support.dashboard_state import an_agent
from tests.support.spending import Spending, spending

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def purse(tmp_path: Path) -> AsyncIterator[Spending]:
    async with spending(tmp_path) as opened:
        yield opened


def asked(**parts: Any) -> SetBudget:
    return SetBudget(**{"period": "day", "limit_usd": Decimal(10), **parts})


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({}, "total:day:usd"),
        ({"period": "month"}, "total:month:usd"),
        ({"profile": "work"}, "profile:work:day:usd"),
        ({"agent_id": "claude", "limit_usd": UNSET, "limit_tokens": 5}, "agent:claude:day:tokens"),
    ],
)
def test_an_id_says_what_a_budget_is_for(parts: dict[str, Any], name: str) -> None:
    assert budget_of(asked(**parts)).id == name


def test_thresholds_are_in_order_and_each_there_once() -> None:
    assert budget_of(asked(thresholds=(100, 80, 100, 5))).thresholds == (5, 80, 100)
    assert budget_of(asked(thresholds=())).thresholds == ()


@pytest.mark.parametrize(
    ("usd", "pico"),
    [("10", 10**13), ("12.50", 12_500_000_000_000), ("0.01", 10**10), ("1e3", 10**15), ("1000000", 10**18)],
)
def test_dollars_are_kept_exactly(usd: str, pico: int) -> None:
    assert picodollars(Decimal(usd)) == pico


def test_what_is_finer_than_a_picodollar_is_rounded() -> None:
    assert picodollars(Decimal("0.0100000000001234567890")) == 10_000_000_000


@pytest.mark.parametrize("usd", ["0", "-1", "0.009", "1000000.01", "NaN", "-Infinity", "Infinity", "1e999999", "1e-9"])
def test_a_limit_that_cannot_be_is_refused(usd: str) -> None:
    with pytest.raises(DomainError, match="limit_usd: a limit is between") as caught:
        picodollars(Decimal(usd))
    assert caught.value.code is ProblemCode.INVALID_FIELD


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"profile": "work", "agent_id": "claude"}, "agent_id: a budget is for a profile or for an agent"),
        ({"limit_usd": UNSET}, "limit_usd: a budget has one limit"),
        ({"limit_tokens": 5}, "limit_usd: a budget has one limit"),
    ],
    ids=["two scopes", "no limit", "two limits"],
)
def test_a_budget_is_for_one_thing_and_has_one_limit(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DomainError, match=sentence) as caught:
        budget_of(asked(**parts))
    assert caught.value.code is ProblemCode.INVALID_FIELD
    assert caught.value.hint


async def test_only_profiles_and_agents_that_are_known_have_budgets(purse: Spending) -> None:
    with pytest.raises(DomainError, match="there is no profile 'work'"):
        await purse.limit(100, profile="work")
    with pytest.raises(DomainError, match="there is no agent 'cluade'") as caught:
        await purse.limit(100, agent_id="cluade")
    assert caught.value.code is ProblemCode.UNKNOWN_AGENT
    await purse.database.write(lambda transaction: put_agent(transaction.connection, an_agent()))
    with pytest.raises(DomainError) as caught:
        await purse.limit(100, agent_id="cluade")
    assert caught.value.hint == "did you mean 'claude'?"
    await purse.limit(100, agent_id="claude")
    await purse.limit(100, profile="unattributed")
    assert [one.id for one in await purse.budgets.list()] == ["agent:claude:day:usd", "profile:unattributed:day:usd"]
    assert purse.followed() == await purse.fresh()


async def test_setting_the_same_again_changes_and_tells_nothing(purse: Spending) -> None:
    first = await purse.limit(100)
    assert await purse.limit(100) == first
    assert len(purse.events) == 1


async def test_what_is_passed_when_a_budget_is_set_is_marked_and_rings_nobody(purse: Spending) -> None:
    await purse.spend(90)
    report = await purse.limit(100)
    assert (report.percent, report.crossed) == (90.0, (80,))
    assert purse.alerts == []
    await purse.spend(10)
    assert purse.alerts == [("total:day:usd", 100)]


async def test_other_thresholds_leave_what_was_told_as_it_is(purse: Spending) -> None:
    await purse.limit(100, thresholds=[80])
    await purse.spend(90, key="streamed")
    await purse.spend(40, key="streamed", output_tokens=6)
    report = await purse.limit(100, thresholds=[30, 50, 80])
    assert report.crossed == (30, 80)
    await purse.spend(50)
    assert purse.alerts == [("total:day:usd", 80), ("total:day:usd", 50)]


async def test_another_limit_begins_anew(purse: Spending) -> None:
    await purse.limit(100)
    await purse.spend(100)
    assert (await purse.limit(200)).crossed == ()
    await purse.spend(100)
    assert purse.alerts == [("total:day:usd", one) for one in (80, 100, 80, 100)]


async def test_a_budget_without_thresholds_is_only_shown(purse: Spending) -> None:
    await purse.limit(100, thresholds=[])
    await purse.spend(500)
    [report] = await purse.budgets.list()
    assert (report.percent, report.crossed, purse.alerts) == (500.0, (), [])


async def test_a_deleted_budget_is_gone_for_everybody(purse: Spending) -> None:
    await purse.limit(100)
    assert (await purse.budgets.delete("total:day:usd")).message == "deleted the budget total:day:usd"
    assert purse.events[-1].data == BudgetDeleted(id="total:day:usd", profile=None, agent_id=None)
    assert purse.followed() == await purse.fresh() == ()
    with pytest.raises(DomainError, match="there is no budget 'total:day:usd'") as caught:
        await purse.budgets.delete("total:day:usd")
    assert caught.value.code is ProblemCode.UNKNOWN_BUDGET
    assert caught.value.hint == "GET /api/budgets lists the budgets"


async def test_a_misspelt_budget_is_answered_with_the_nearest_one(purse: Spending) -> None:
    await purse.limit(100)
    with pytest.raises(DomainError) as caught:
        await purse.budgets.delete("total:day")
    assert caught.value.hint == "did you mean 'total:day:usd'?"


async def test_a_report_says_what_was_spent_how_fast_and_where_that_leads(purse: Spending) -> None:
    now = purse.clock.now_ms()
    await purse.spend(240, at_ms=now - 20 * HOUR_MS)
    await purse.spend(100, at_ms=now - 5 * 60_000)
    await purse.spend(None, at_ms=now - 3 * HOUR_MS)
    report = await purse.limit(1000)
    # $1 in 15 minutes is $4 an hour; $3.40 a day is 14.166... cents an hour, for the 11 hours after the next.
    assert (report.spent_usd, report.percent, report.burn_usd_per_hour) == (1.0, 10.0, 4.0)
    assert report.projected_usd == pytest.approx(1 + 4 + 11 * 3.40 / 24)
    assert (report.spent_tokens, report.burn_tokens_per_hour) == (20, 40)
    assert report.projected_tokens == 20 + 40 + 11 * (30 // 24)
    assert (report.responses, report.unpriced_responses) == (2, 1)
    assert (report.start_ms, report.end_ms) == (epoch_ms("2026-11-23T00:00:00Z"), epoch_ms("2026-11-24T00:00:00Z"))


async def test_a_month_is_projected_by_the_last_week(purse: Spending) -> None:
    now = purse.clock.now_ms()
    for days_ago in (20, 6, 3):
        await purse.spend(700, at_ms=now - days_ago * DAY_MS)
    report = await purse.limit(10_000, period="month")
    # $14 since the first of the seven days, which began at midnight: 6.5 days; 7.5 are left, less the next hour.
    assert report.spent_usd == 21.0
    assert report.projected_usd == pytest.approx(21 + 14 / (6.5 * 24) * (7.5 * 24 - 1))
    assert report.end_ms == epoch_ms("2026-12-01T00:00:00Z")


async def test_a_report_of_nothing_is_nothing_and_not_unknown(purse: Spending) -> None:
    report = await purse.limit(1000)
    assert (report.spent_usd, report.spent_tokens, report.percent) == (0.0, 0, 0.0)
    assert (report.burn_usd_per_hour, report.projected_usd, report.projected_tokens) == (0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("parts", "what", "period"),
    [
        ({}, "for today is spent ($10.00)", "day"),
        ({"agent_id": "claude", "limit_usd": Decimal("0.5")}, "of claude for today is spent ($0.50)", "day"),
        (
            {"profile": "work", "period": "month", "limit_usd": UNSET, "limit_tokens": 5_000},
            "of work for this month is spent (5,000 tokens)",
            "month",
        ),
    ],
)
def test_a_refusal_says_what_is_spent(parts: dict[str, Any], what: str, period: str) -> None:
    sentence = f"Clown: the hard budget {what}. Raise it, or wait for the next {period}."
    assert refusal_of(budget_of(asked(**parts))) == sentence


async def test_a_hard_budget_that_is_spent_refuses_until_its_period_ends(purse: Spending) -> None:
    await purse.limit(1_000, hard=True)
    await purse.spend(999, profile="work")
    assert await purse.budgets.refusal("work", "claude") is None
    await purse.spend(1, profile="work")
    assert "$10.00" in str(await purse.budgets.refusal("work", "claude"))
    purse.clock.advance(12 * HOUR_MS / 1000)
    assert await purse.budgets.refusal("work", "claude") is None


async def test_a_hard_budget_refuses_whom_it_counts(purse: Spending) -> None:
    await purse.spend(0, profile="work", agent_id="claude")
    await purse.limit(1_000, hard=True, profile="work")
    await purse.limit(1_000, hard=True, period="month", agent_id="claude")
    await purse.limit(1_000, period="month")
    await purse.spend(1_000, profile="work", agent_id="claude")
    assert "of work for today" in str(await purse.budgets.refusal("work", "codex"))
    assert "of claude for this month" in str(await purse.budgets.refusal("play", "claude"))
    assert await purse.budgets.refusal("play", "codex") is None


async def test_a_raised_or_softened_budget_refuses_no_more(purse: Spending) -> None:
    await purse.limit(1_000, hard=True)
    await purse.spend(1_000)
    assert await purse.budgets.refusal("work", "claude") is not None
    await purse.limit(2_000, hard=True)
    assert await purse.budgets.refusal("work", "claude") is None
    report = await purse.limit(500, hard=False)
    assert not report.hard
    assert await purse.budgets.refusal("work", "claude") is None
