"""The truth adds up, and its own price list says what a person computes by hand."""

from datetime import UTC, date

import pytest

from clown_daemon.protocol.timestamps import epoch_ms
from tests.support.corpus.amounts import Amounts
from tests.support.corpus.moments import NEW_YORK, TOKYO, iso, midnights
from tests.support.corpus.rates import cost_pico
from tests.support.corpus.truth import Billed, Period, Truth

MARCH = epoch_ms("2026-03-08T12:00:00Z")
JUNE = epoch_ms("2026-06-01T12:00:00Z")
MILLION = 1_000_000


def billed(at: str, *, model: str = "m", session: str = "s", profile: str = "p", cost: int | None = 5) -> Billed:
    return Billed(
        "claude", "anthropic", model, session, None, profile, epoch_ms(at), Amounts(1, 2, 3, 4, 5, 1, 1), cost
    )


def truth_of(*rows: Billed) -> Truth:
    truth = Truth()
    truth.rows += rows
    return truth


@pytest.mark.parametrize(
    ("model", "amounts", "at_ms", "usd"),
    [
        ("claude-sonnet-4-5", Amounts(0, MILLION, 200_000), MARCH, 15.06),
        ("claude-sonnet-4-5", Amounts(1, 0, 200_000), MARCH, 0.120006),
        ("claude-sonnet-4-5", Amounts(1, 0, 200_000), JUNE, 0.060003),
        ("claude-opus-4-5", Amounts(0, 0, 0, 1_000, 1_000), JUNE, 0.01625),
        ("claude-opus-4-8", Amounts(1_000, 1_000), JUNE, 0.03),
        ("claude-opus-4-8", Amounts(1_000, 1_000, fast=True), JUNE, 0.06),
        ("claude-haiku-4-5", Amounts(1, 0, web_searches=3), JUNE, 0.030001),
        ("gpt-5.5", Amounts(272_000, 0), JUNE, 1.36),
        ("gpt-5.5", Amounts(272_001, 1), JUNE, 2.720055),
        ("gpt-6.1-sol", Amounts(0, 0, 0, 1_000), JUNE, 0.0025),
        ("gemini-2.5-pro", Amounts(1_000, 100, reasoning=90), JUNE, 0.00225),
    ],
)
def test_costs_are_what_a_person_computes(model: str, amounts: Amounts, at_ms: int, usd: float) -> None:
    assert cost_pico(model, amounts, at_ms) == round(usd * 10**12)


def test_what_nobody_prices_has_no_cost_and_is_not_free() -> None:
    assert cost_pico("acme-reasoner-9", Amounts(1, 1), JUNE) is None
    assert cost_pico("claude-haiku-4-5", Amounts(1, 1, fast=True), JUNE) is None


def test_a_response_without_a_cost_counts_with_its_tokens() -> None:
    totals = truth_of(billed("2026-03-01T00:00:00Z"), billed("2026-03-01T00:00:00Z", cost=None, session="t")).total()
    assert (totals.responses, totals.cost_pico, totals.unpriced, totals.sessions) == (2, 5, 1, 2)
    assert totals.tokens == (2, 4, 18, 6)


def test_days_are_those_of_the_zone_also_where_clocks_change() -> None:
    truth = truth_of(*(billed(at) for at in ("2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z")))
    new_york = {day: totals.responses for day, totals in truth.by_day(NEW_YORK).items()}
    assert new_york == {date(2026, 3, 7): 1, date(2026, 3, 8): 1, date(2026, 3, 9): 1}
    assert {day: totals.responses for day, totals in truth.by_day(TOKYO).items()} == {
        date(2026, 3, 8): 2,
        date(2026, 3, 9): 1,
    }


@pytest.mark.parametrize(
    ("period", "responses"),
    [("today", 1), ("yesterday", 1), ("week", 3), ("month", 4), ("7d", 4), ("30d", 4), ("all", 6)],
)
def test_periods_are_whole_days(period: Period, responses: int) -> None:
    days = ("2025-01-01", "2026-10-25", "2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25")
    truth = truth_of(*(billed(f"{day}T10:00:00Z") for day in days))
    now_ms = epoch_ms("2026-11-25T23:00:00Z")
    expected = truth.expected(period, now_ms=now_ms, zone=UTC)
    assert expected.responses == responses


def test_a_period_can_be_asked_of_one_profile_or_model() -> None:
    truth = truth_of(billed("2026-03-01T00:00:00Z"), billed("2026-03-01T00:00:00Z", model="n", profile="q"))
    assert truth.expected("all", now_ms=JUNE, profile="q").responses == 1
    assert truth.expected("all", now_ms=JUNE, model="m").responses == 1
    assert truth.expected("all", now_ms=JUNE, model="m", profile="q").responses == 0


def test_moments_are_written_as_the_agents_do() -> None:
    assert iso(epoch_ms("2026-11-23T01:56:54.220Z")) == "2026-11-23T01:56:54.220Z"


def test_midnights_are_those_of_three_zones() -> None:
    told = {iso(moment) for moment in midnights()}
    assert {"2026-03-08T00:00:00.000Z", "2026-03-08T05:00:00.000Z", "2026-03-09T04:00:00.000Z"} <= told
    assert {"2026-03-07T15:00:00.000Z", "2026-11-01T06:00:00.000Z", "2026-11-02T05:00:00.000Z"} <= told
