"""Five-hour windows as callers see them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import WindowsQuery
from clown_daemon.usage.windows import WindowService
from tests.support.spending import NOON, Spending, spending

HOUR_MS = 3_600_000


@pytest.fixture
async def purse(tmp_path: Path) -> AsyncIterator[Spending]:
    async with spending(tmp_path) as opened:
        yield opened


@pytest.fixture
def service(purse: Spending) -> WindowService:
    return WindowService(database=purse.database, clock=purse.clock)


async def test_a_running_window_says_how_fast_it_goes_and_where_it_leads(
    purse: Spending, service: WindowService
) -> None:
    await purse.spend(100, at_ms=NOON - 2 * HOUR_MS)
    await purse.spend(50, at_ms=NOON - 5 * 60_000)
    [window] = await service.list(WindowsQuery())
    assert (window.profile, window.active, window.minutes_left) == ("unattributed", True, 180)
    assert (window.start_ms, window.end_ms) == (NOON - 2 * HOUR_MS, NOON + 3 * HOUR_MS)
    assert (window.cost.total_cost, window.tokens.total) == (1.5, 20)
    assert (window.burn_usd_per_hour, window.burn_tokens_per_hour) == (2.0, 40)
    # The next hour at $2, the two after it at the $0.75 an hour of the window so far.
    assert (window.projected_usd, window.projected_tokens) == (5.0, 80)


async def test_minutes_are_rounded_up_and_a_window_that_ended_has_no_outlook(
    purse: Spending, service: WindowService
) -> None:
    await purse.spend(100, at_ms=NOON)
    purse.clock.advance(5 * 3_600 - 61)
    [running] = await service.list(WindowsQuery())
    assert running.minutes_left == 2
    purse.clock.advance(61)
    [ended] = await service.list(WindowsQuery())
    assert (ended.active, ended.minutes_left, ended.cost.total_cost) == (False, None, 1.0)
    assert (ended.burn_usd_per_hour, ended.burn_tokens_per_hour) == (None, None)
    assert (ended.projected_usd, ended.projected_tokens) == (None, None)


async def test_an_unknown_price_stays_unknown(purse: Spending, service: WindowService) -> None:
    await purse.spend(None)
    [window] = await service.list(WindowsQuery())
    assert (window.cost.total_cost, window.burn_usd_per_hour, window.projected_usd) == (None, None, None)
    assert (window.unpriced_responses, window.burn_tokens_per_hour) == (1, 40)


async def test_windows_of_all_profiles_are_merged_newest_first(purse: Spending, service: WindowService) -> None:
    await purse.spend(1, profile="work", at_ms=NOON - 9 * HOUR_MS)
    await purse.spend(1, profile="lab", at_ms=NOON - 3 * HOUR_MS)
    await purse.spend(1, profile="work", at_ms=NOON - HOUR_MS)
    found = await service.list(WindowsQuery())
    assert [(one.profile, one.active) for one in found] == [("work", True), ("lab", True), ("work", False)]
    assert [one.profile for one in await service.list(WindowsQuery(limit=2))] == ["work", "lab"]
    assert [one.profile for one in await service.list(WindowsQuery(profile="lab"))] == ["lab"]
    with pytest.raises(DomainError, match="there is no profile 'nobody'") as caught:
        await service.list(WindowsQuery(profile="nobody"))
    assert caught.value.code is ProblemCode.UNKNOWN_PROFILE
    assert await service.list(WindowsQuery(profile="unattributed")) == ()
