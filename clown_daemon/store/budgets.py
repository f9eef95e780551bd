"""Budgets in SQL: their limits, and which thresholds were crossed in which period.

What was crossed stands in the budget's own row, beside the local day or month that it belongs to: a new period begins
by being another one, and nothing has to happen at midnight.
"""

import sqlite3
from collections.abc import Iterable
from datetime import tzinfo
from typing import NamedTuple

from clown_daemon.clock import end_of_day_ms, end_of_month_ms, local_date, start_of_day_ms, start_of_month_ms
from clown_daemon.protocol.resources import Budget, BudgetPeriod
from clown_daemon.store.periods import Span
from clown_daemon.store.usage_spans import read_sums
from clown_daemon.store.usage_sums import PICO_PER_USD, Sums


class Term(NamedTuple):
    """One period of a budget, as of an instant in it."""

    name: str
    """The local day or month, `2026-11-25` or `2026-11`: it stays the same when the user travels."""
    start_ms: int
    end_ms: int
    today_ends_ms: int

    @property
    def so_far(self) -> Span:
        """What counts: up to the end of today, as everywhere."""
        return Span(self.start_ms, self.today_ends_ms)


def term_of(period: BudgetPeriod, now_ms: int, zone: tzinfo) -> Term:
    """Answer the period that an instant is in."""
    day, today_ends_ms = local_date(now_ms, zone), end_of_day_ms(now_ms, zone)
    if period == "day":
        return Term(day.isoformat(), start_of_day_ms(now_ms, zone), today_ends_ms, today_ends_ms)
    return Term(day.isoformat()[:7], start_of_month_ms(now_ms, zone), end_of_month_ms(now_ms, zone), today_ends_ms)


class BudgetRow(NamedTuple):
    """What a row of the table says of a budget."""

    id: str
    profile: str | None
    agent_id: str | None
    period: BudgetPeriod
    limit_pico: int | None
    limit_tokens: int | None
    """One of the two is set."""
    thresholds: tuple[int, ...]
    """Per cent, ascending."""
    crossed: tuple[int, ...] = ()
    crossed_in: str = ""
    """The name of the term that `crossed` belongs to."""
    hard: bool = False
    """Whether proxies refuse requests once it is spent."""

    @property
    def amount(self) -> int:
        """The limit in its unit."""
        return self.limit_pico or self.limit_tokens or 0

    def spent(self, sums: Sums) -> int:
        """What sums amount to in the budget's unit."""
        return sums.total_tokens if self.limit_pico is None else sums.total_pico

    def crossed_during(self, term: Term) -> tuple[int, ...]:
        """The thresholds that were crossed in a term."""
        return self.crossed if self.crossed_in == term.name else ()

    def reached(self, spent: int) -> tuple[int, ...]:
        """The thresholds that an amount reaches, in exact integers."""
        return tuple(one for one in self.thresholds if spent * 100 >= one * self.amount)

    def crossing(self, thresholds: Iterable[int], term: Term) -> "BudgetRow":
        """The same with these thresholds crossed in a term, and none but these."""
        return self._replace(crossed=tuple(sorted(thresholds)), crossed_in=term.name)

    def resource(self, term: Term) -> Budget:
        """The budget as it stands on the wire."""
        return Budget(
            id=self.id,
            profile=self.profile,
            agent_id=self.agent_id,
            period=self.period,
            limit_usd=None if self.limit_pico is None else self.limit_pico / PICO_PER_USD,
            limit_tokens=self.limit_tokens,
            thresholds=self.thresholds,
            start_ms=term.start_ms,
            crossed=self.crossed_during(term),
            hard=self.hard,
        )


def read_rows(connection: sqlite3.Connection) -> tuple[BudgetRow, ...]:
    """All budgets, sorted by id."""
    return tuple(_budget(row) for row in connection.execute("SELECT * FROM budgets ORDER BY id"))


def find_row(connection: sqlite3.Connection, budget_id: str) -> BudgetRow | None:
    """One budget, or None."""
    row = connection.execute("SELECT * FROM budgets WHERE id = ?", (budget_id,)).fetchone()
    return None if row is None else _budget(row)


def put_row(connection: sqlite3.Connection, budget: BudgetRow) -> None:
    """Write a budget, new or not."""
    percents = (_joined(budget.thresholds), _joined(budget.crossed))
    values = (*budget[:6], *percents, budget.crossed_in, budget.hard)
    connection.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def read_spent_hard(
    connection: sqlite3.Connection, profile: str, agent_id: str, now_ms: int, zone: tzinfo
) -> BudgetRow | None:
    """A hard budget that counts what a profile spends and is spent now; the first by id, None where none is."""
    for budget in read_rows(connection):
        if not budget.hard or budget.profile not in {None, profile} or budget.agent_id not in {None, agent_id}:
            continue
        if budget.spent(read_spent(connection, budget, term_of(budget.period, now_ms, zone))) >= budget.amount:
            return budget
    return None


def delete_row(connection: sqlite3.Connection, budget_id: str) -> None:
    """Remove a budget."""
    connection.execute("DELETE FROM budgets WHERE id = ?", (budget_id,))


def delete_rows_of(connection: sqlite3.Connection, profile: str) -> tuple[BudgetRow, ...]:
    """Remove the budgets of a profile; answer what they were."""
    removed = tuple(budget for budget in read_rows(connection) if budget.profile == profile)
    connection.execute("DELETE FROM budgets WHERE profile = ?", (profile,))
    return removed


def read_budgets(connection: sqlite3.Connection, now_ms: int, zone: tzinfo) -> tuple[Budget, ...]:
    """All budgets as the snapshot holds them, sorted by id."""
    return tuple(budget.resource(term_of(budget.period, now_ms, zone)) for budget in read_rows(connection))


def read_spent(connection: sqlite3.Connection, budget: BudgetRow, term: Term) -> Sums:
    """What was used of a budget in a term."""
    return read_sums(connection, *term.so_far, profile=budget.profile, agent_id=budget.agent_id)


def _joined(percents: Iterable[int]) -> str:
    return " ".join(map(str, percents))


def _budget(row: sqlite3.Row) -> BudgetRow:
    percents = {name: tuple(map(int, row[name].split())) for name in ("thresholds", "crossed")}
    return BudgetRow(**{**dict(row), **percents, "hard": bool(row["hard"])})
