"""Budgets in the database, and the periods that they are cut by."""

import sqlite3
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from clown_daemon.protocol.resources import BudgetPeriod
from clown_daemon.protocol.timestamps import epoch_ms, rfc3339
from clown_daemon.store.budgets import (
    BudgetRow,
    delete_row,
    delete_rows_of,
    find_row,
    put_row,
    read_budgets,
    read_rows,
    term_of,
)
from tests.support.ledger import empty_ledger

TOTAL = BudgetRow("total:day:usd", None, None, "day", 10**13, None, (80, 100))
WORK = BudgetRow("profile:work:month:tokens", "work", None, "month", None, 500, (5, 50, 1000), (5, 50), "2026-11")


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


@pytest.mark.parametrize(
    ("period", "at", "name", "start", "end", "so_far"),
    [
        ("day", "2026-11-25T12:00:00Z", "2026-11-25", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z", None),
        ("day", "2026-03-29T12:00:00Z", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", None),
        ("day", "2026-10-25T12:00:00Z", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", None),
        ("day", "2026-11-25T23:30:00Z", "2026-11-26", "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z", None),
        (
            *("month", "2026-10-25T12:00:00Z", "2026-10", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            "2026-10-25T23:00:00Z",
        ),
        (
            *("month", "2026-12-31T23:30:00Z", "2027-01", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
            "2027-01-01T23:00:00Z",
        ),
    ],
    ids=["a day", "of 23 hours", "of 25 hours", "after midnight", "a month", "of the next year"],
)
def test_a_term_is_a_day_or_month_of_the_user(
    period: BudgetPeriod, at: str, name: str, start: str, end: str, so_far: str | None
) -> None:
    term = term_of(period, epoch_ms(at), ZoneInfo("Europe/Berlin"))
    assert (term.name, rfc3339(term.start_ms), rfc3339(term.end_ms)) == (name, start, end)
    assert (rfc3339(term.so_far.start_ms), rfc3339(term.so_far.end_ms)) == (start, so_far or end)


def test_a_term_has_the_same_name_for_a_traveller() -> None:
    noon = epoch_ms("2026-11-25T12:00:00Z")
    zones = ("Europe/Berlin", "America/New_York", "UTC")
    assert {term_of("day", noon, ZoneInfo(zone)).name for zone in zones} == {"2026-11-25"}


def test_what_is_written_is_read(ledger: sqlite3.Connection) -> None:
    for row in (TOTAL, WORK):
        put_row(ledger, row)
    assert read_rows(ledger) == (WORK, TOTAL)
    changed = TOTAL._replace(limit_pico=10**18, thresholds=())
    put_row(ledger, changed)
    assert find_row(ledger, TOTAL.id) == changed
    delete_row(ledger, TOTAL.id)
    assert find_row(ledger, TOTAL.id) is None


def test_a_profiles_budgets_go_with_it(ledger: sqlite3.Connection) -> None:
    other = TOTAL._replace(id="profile:lab:day:usd", profile="lab")
    for row in (TOTAL, WORK, other):
        put_row(ledger, row)
    assert delete_rows_of(ledger, "work") == (WORK,)
    assert delete_rows_of(ledger, "work") == ()
    assert read_rows(ledger) == (other, TOTAL)


def test_what_was_crossed_belongs_to_its_term(ledger: sqlite3.Connection) -> None:
    put_row(ledger, WORK)
    [november] = read_budgets(ledger, epoch_ms("2026-11-30T12:00:00Z"), ZoneInfo("UTC"))
    assert (november.limit_usd, november.limit_tokens, november.crossed) == (None, 500, (5, 50))
    [december] = read_budgets(ledger, epoch_ms("2026-12-01T12:00:00Z"), ZoneInfo("UTC"))
    assert (december.crossed, rfc3339(december.start_ms)) == ((), "2026-12-01T00:00:00Z")


@pytest.mark.parametrize(
    ("spent", "reached"), [(0, ()), (24, ()), (25, (5,)), (249, (5,)), (250, (5, 50)), (5000, (5, 50, 1000))]
)
def test_a_threshold_is_reached_exactly(spent: int, reached: tuple[int, ...]) -> None:
    assert WORK.reached(spent) == reached


@pytest.mark.parametrize(
    "damaged",
    [
        TOTAL._replace(limit_tokens=5),
        TOTAL._replace(limit_pico=None),
        TOTAL._replace(limit_pico=-1),
        TOTAL._replace(period="year"),  # type: ignore[arg-type]  # as damage would have it
    ],
    ids=["two limits", "no limit", "below zero", "no period"],
)
def test_the_schema_refuses_what_damage_makes_of_a_row(ledger: sqlite3.Connection, damaged: BudgetRow) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        put_row(ledger, damaged)


def test_the_schema_refuses_thresholds_that_are_no_numbers(ledger: sqlite3.Connection) -> None:
    put_row(ledger, TOTAL)
    for column in ("thresholds", "crossed"):
        with pytest.raises(sqlite3.IntegrityError):
            ledger.execute(f"UPDATE budgets SET {column} = '80 x'")  # noqa: S608  # our own names
