"""Five-hour windows, cut from quarters of an hour."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol.timestamps import epoch_ms, rfc3339
from clown_daemon.store.periods import HOUR_MS, MINUTE_MS, QUARTER_MS, Span
from clown_daemon.store.usage_windows import (
    WINDOW_MS,
    Window,
    read_active_windows,
    read_users,
    read_windows,
    window_starts,
)
from tests.support.spending import NOON, Spending, spending

WORK = "work"


@pytest.fixture
async def purse(tmp_path: Path) -> AsyncIterator[Spending]:
    async with spending(tmp_path) as opened:
        yield opened


def at(text: str) -> int:
    return epoch_ms(f"2026-11-23T{text}:00Z")


def cut(quarters: Sequence[int], limit: int = 100) -> list[int]:
    """The starts of windows over these quarters, oldest first."""

    def inside(span: Span) -> list[int]:
        return sorted(one for one in quarters if span.start_ms <= one < span.end_ms)

    def first_in(span: Span) -> int | None:
        return next(iter(inside(span)), None)

    def last_in(span: Span) -> int | None:
        return next(reversed(inside(span)), None)

    return window_starts(first_in, last_in, max(quarters, default=0) + 1, limit)[::-1]


async def windows(purse: Spending, profile: str, limit: int = 10) -> list[Window]:
    def read(connection: sqlite3.Connection) -> list[Window]:
        return read_windows(connection, profile, purse.clock.now_ms(), limit)

    return await purse.database.read(read)


@pytest.mark.parametrize(
    ("times", "starts"),
    [
        (["09:40", "10:00", "13:59"], ["09:00"]),
        (["09:40", "13:59", "14:00"], ["09:00", "14:00"]),
        (["09:40", "14:50"], ["09:00", "14:00"]),
        (["09:40", "16:05", "20:55", "21:00"], ["09:00", "16:00", "21:00"]),
        ([], []),
    ],
)
def test_a_window_begins_with_the_hour_of_its_first_response_and_lasts_five(
    times: list[str], starts: list[str]
) -> None:
    quarters = [at(time) // QUARTER_MS * QUARTER_MS for time in times]
    assert [rfc3339(start)[11:16] for start in cut(quarters)] == starts


def one_after_the_other(quarters: Sequence[int]) -> list[int]:
    """The definition, quarter by quarter from the beginning."""
    starts: list[int] = []
    for quarter in sorted(quarters):
        if not starts or quarter >= starts[-1] + WINDOW_MS:
            starts.append(quarter // HOUR_MS * HOUR_MS)
    return starts


@given(st.lists(st.integers(0, 600), unique=True, max_size=60), st.integers(1, 5))
def test_leaps_find_the_windows_that_the_definition_finds(steps: Sequence[int], limit: int) -> None:
    # Within the first week, where nothing is cut.
    quarters = [step * QUARTER_MS for step in steps]
    assert cut(quarters) == one_after_the_other(quarters)
    assert cut(quarters, limit) == one_after_the_other(quarters)[-limit:]


async def test_windows_are_read_newest_first_with_what_was_used_in_them(purse: Spending) -> None:
    for time, cents in (("02:10", 1), ("06:59", 2), ("07:00", 4), ("11:59", 8)):
        await purse.spend(cents, profile=WORK, at_ms=at(time))
    newest, oldest = await windows(purse, WORK)
    assert [rfc3339(one.start_ms)[11:16] for one in (newest, oldest)] == ["07:00", "02:00"]
    assert (newest.sums.responses, newest.resource().cost.total_cost) == (2, 0.12)
    assert (oldest.sums.responses, oldest.sums.total_tokens) == (2, 20)
    assert await windows(purse, WORK, limit=1) == [newest]


async def test_other_agents_and_profiles_have_no_part_in_a_window(purse: Spending) -> None:
    await purse.spend(1, profile=WORK, at_ms=at("07:30"))
    await purse.spend(1, profile=WORK, at_ms=at("11:00"), agent_id="codex")
    await purse.spend(1, profile="lab", at_ms=at("06:00"))
    [only] = await windows(purse, WORK)
    assert (only.start_ms, only.sums.responses) == (at("07:00"), 1)
    assert await purse.database.read(read_users) == ["lab", WORK]
    assert await windows(purse, "nobody") == []


async def test_where_a_window_begins_depends_on_the_ones_before_it_back_to_a_pause(purse: Spending) -> None:
    # Every four hours for three days, so that no pause is long enough to begin anew.
    first = NOON - 72 * HOUR_MS
    for step in range(19):
        await purse.spend(1, profile=WORK, at_ms=first + step * 4 * HOUR_MS)
    found = await windows(purse, WORK, limit=100)
    assert [one.start_ms - first for one in reversed(found)] == [step * 8 * HOUR_MS for step in range(10)]
    assert await windows(purse, WORK, limit=1) == found[:1]


async def test_who_never_pauses_is_cut_at_the_start_of_a_week(purse: Spending) -> None:
    for step in range(24 * 16):
        await purse.spend(1, profile=WORK, at_ms=NOON - step * HOUR_MS)
    [newest] = await windows(purse, WORK, limit=1)
    # Noon of a Monday; weeks begin on Thursdays, and a whole one before is looked at.
    thursday = epoch_ms("2026-11-12T00:00:00Z")
    assert (newest.start_ms - thursday) % WINDOW_MS == 0


async def test_only_windows_that_have_not_ended_are_active(purse: Spending) -> None:
    await purse.spend(1, profile="early", at_ms=at("07:00"))
    await purse.spend(1, profile="late", at_ms=at("07:59"))
    await purse.spend(3, profile=WORK, at_ms=at("11:59"))
    found = await purse.database.read(lambda connection: read_active_windows(connection, NOON - MINUTE_MS))
    assert {profile: window.start_ms for profile, window in found.items()} == {
        "early": at("07:00"),
        "late": at("07:00"),
        WORK: at("11:00"),
    }
    later = await purse.database.read(lambda connection: read_active_windows(connection, NOON))
    assert list(later) == [WORK]
    one = await purse.database.read(lambda connection: read_active_windows(connection, NOON, "late"))
    assert one == {}


async def test_the_totals_of_a_profile_hold_its_window_and_its_agents(purse: Spending) -> None:
    await purse.spend(1, profile=WORK, at_ms=at("11:30"))
    await purse.spend(2, profile=WORK, at_ms=at("11:45"), agent_id="codex")
    [usage] = await purse.totals()
    assert usage.window is not None
    assert (usage.window.start_ms, usage.window.responses) == (at("11:00"), 1)
    assert [(part.agent_id, part.cost.total_cost) for part in usage.today.by_agent] == [
        ("claude", 0.01),
        ("codex", 0.02),
    ]
    purse.clock.advance(4 * 3_600)
    [usage] = await purse.totals()
    assert usage.window is None


async def test_usage_of_the_future_is_in_no_window(purse: Spending) -> None:
    await purse.spend(1, profile=WORK, at_ms=NOON + HOUR_MS)
    assert await windows(purse, WORK) == []
