"""Budgets as the daemon's callers see them: list, set, delete; and how each stands.

There is one budget for each scope (a profile, an agent, everything), period and unit, so setting one is an upsert and
its id says what it is. Crossing a threshold is `crossings`; here a threshold that is passed already when a budget is
set is only marked: whoever sets it sees it in the reply.
"""

import sqlite3
from datetime import tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError
from clown_daemon.protocol.events import BudgetDeleted
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Message
from clown_daemon.protocol.requests import LEAST_LIMIT_USD, MAX_LIMIT_USD, SetBudget
from clown_daemon.protocol.resources import BudgetReport
from clown_daemon.store.budgets import (
    BudgetRow,
    delete_row,
    find_row,
    put_row,
    read_rows,
    read_spent,
    read_spent_hard,
    term_of,
)
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.usage_spans import Only
from clown_daemon.store.usage_sums import PICO_PER_USD
from clown_daemon.usage.crossings import record_updated
from clown_daemon.usage.forecast import forecast, usual_of_a_day, usual_of_a_week
from clown_daemon.usage.known import refuse_unknown_agent, refuse_unknown_profile

T = TypeVar("T")


class BudgetService:
    """All commands and queries of budgets."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self) -> tuple[BudgetReport, ...]:
        """All budgets with what was spent, sorted by id."""
        now_ms, zone = self._clock.now_ms(), self._clock.zone

        def read(connection: sqlite3.Connection) -> tuple[BudgetReport, ...]:
            return tuple(report_of(connection, budget, now_ms, zone) for budget in read_rows(connection))

        return await self._database.read(read)

    async def set(self, request: SetBudget) -> BudgetReport:
        """Make a budget or change it; nothing is published when nothing changes.

        Raises:
            DomainError: a field cannot be used, or there is no such profile or agent.
        """
        wanted = budget_of(request)
        zone = self._clock.zone

        def change(transaction: Transaction) -> BudgetReport:
            _refuse_unknown(transaction.connection, wanted)
            budget = _set(transaction, wanted, zone)
            return report_of(transaction.connection, budget, transaction.now_ms, zone)

        return await self._database.write(change)

    async def refusal(self, profile: str, agent_id: str) -> str | None:
        """Answer why nothing may be spent by a profile now, in a sentence for who runs its agent; None when it may."""
        now_ms, zone = self._clock.now_ms(), self._clock.zone
        spent = await self._database.read(
            lambda connection: read_spent_hard(connection, profile, agent_id, now_ms, zone)
        )
        return None if spent is None else refusal_of(spent)

    async def delete(self, budget_id: str) -> Message:
        """Delete a budget.

        Raises:
            DomainError: there is none of this id.
        """

        def change(transaction: Transaction) -> None:
            budget = find_row(transaction.connection, budget_id)
            if budget is None:
                raise _unknown_budget(transaction.connection, budget_id)
            delete_row(transaction.connection, budget_id)
            data = BudgetDeleted(id=budget.id, profile=budget.profile, agent_id=budget.agent_id)
            transaction.record(data, None)

        await self._database.write(change)
        return Message(message=f"deleted the budget {budget_id}")


# -- rules ------------------------------------------------------------------------------------------------------------


def budget_of(request: SetBudget) -> BudgetRow:
    """Answer the budget that a request describes, with nothing crossed.

    Raises:
        DomainError: it names two scopes, or not exactly one limit, or a limit that cannot be.
    """
    profile, agent_id = _given(request.profile), _given(request.agent_id)
    limit_usd, limit_tokens = _given(request.limit_usd), _given(request.limit_tokens)
    if profile is not None and agent_id is not None:
        raise _invalid("agent_id: a budget is for a profile or for an agent, not for both", hint="set two budgets")
    if (limit_usd is None) is (limit_tokens is None):
        raise _invalid("limit_usd: a budget has one limit, in dollars or in tokens", hint='such as {"limit_usd": 10}')
    scope = f"profile:{profile}" if profile is not None else f"agent:{agent_id}" if agent_id is not None else "total"
    return BudgetRow(
        id=f"{scope}:{request.period}:{'usd' if limit_tokens is None else 'tokens'}",
        profile=profile,
        agent_id=agent_id,
        period=request.period,
        limit_pico=None if limit_usd is None else picodollars(limit_usd),
        limit_tokens=limit_tokens,
        thresholds=tuple(sorted(set(request.thresholds))),
        hard=request.hard,
    )


def refusal_of(budget: BudgetRow) -> str:
    """Say that a hard budget is spent."""
    of = f" of {budget.profile or budget.agent_id}" if budget.profile or budget.agent_id else ""
    limit = f"{budget.amount:,} tokens" if budget.limit_pico is None else f"${budget.amount / PICO_PER_USD:,.2f}"
    term = "today" if budget.period == "day" else "this month"
    return f"Clown: the hard budget{of} for {term} is spent ({limit}). Raise it, or wait for the next {budget.period}."


def _given(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def picodollars(usd: Decimal) -> int:
    """Turn dollars as a person wrote them into whole picodollars.

    Raises:
        DomainError: it is no amount, or less than a cent, or more than a million.
    """
    if not usd.is_finite() or not Decimal(str(LEAST_LIMIT_USD)) <= usd <= MAX_LIMIT_USD:
        raise _invalid(f"limit_usd: a limit is between {LEAST_LIMIT_USD} and {MAX_LIMIT_USD:,} US dollars")
    with localcontext(prec=50):
        return int((usd * PICO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def _invalid(message: str, hint: str | None = None) -> DomainError:
    return DomainError(ProblemCode.INVALID_FIELD, message, hint=hint)


def _refuse_unknown(connection: sqlite3.Connection, budget: BudgetRow) -> None:
    if budget.profile is not None:
        refuse_unknown_profile(connection, budget.profile)
    if budget.agent_id is not None:
        refuse_unknown_agent(connection, budget.agent_id)


def _unknown_budget(connection: sqlite3.Connection, budget_id: str) -> DomainError:
    near = nearest_name(budget_id, [budget.id for budget in read_rows(connection)])
    hint = f"did you mean {near!r}?" if near else "GET /api/budgets lists the budgets"
    return DomainError(ProblemCode.UNKNOWN_BUDGET, f"there is no budget {budget_id!r}", hint=hint)


# -- in a transaction -------------------------------------------------------------------------------------------------


def _set(transaction: Transaction, wanted: BudgetRow, zone: tzinfo) -> BudgetRow:
    """Write a budget and tell it, unless it is like that already; answer how it stands."""
    before = find_row(transaction.connection, wanted.id)
    if before is not None and before._replace(crossed=(), crossed_in="") == wanted:
        return before
    term = term_of(wanted.period, transaction.now_ms, zone)
    crossed = set(wanted.reached(wanted.spent(read_spent(transaction.connection, wanted, term))))
    if before is not None and before.amount == wanted.amount:
        # A correction may have lowered what was spent: what was told of this limit once is not told again.
        crossed.update(one for one in before.crossed_during(term) if one in wanted.thresholds)
    after = wanted.crossing(crossed, term)
    put_row(transaction.connection, after)
    record_updated(transaction, after, term)
    return after


def report_of(connection: sqlite3.Connection, budget: BudgetRow, now_ms: int, zone: tzinfo) -> BudgetReport:
    """Answer how a budget stands, and where it leads."""
    term = term_of(budget.period, now_ms, zone)
    sums = read_spent(connection, budget, term)
    only = Only(profile=budget.profile, agent_id=budget.agent_id)
    usual = usual_of_a_day if budget.period == "day" else usual_of_a_week
    ahead = forecast(connection, only, sums, usual(connection, only, now_ms, zone), now_ms=now_ms, end_ms=term.end_ms)
    known = budget.resource(term)
    unpriced = budget.limit_pico is not None and not sums.priced
    return BudgetReport(
        **msgspec.structs.asdict(known),
        end_ms=term.end_ms,
        spent_usd=sums.cost.total_cost,
        spent_tokens=sums.total_tokens,
        responses=sums.responses,
        unpriced_responses=sums.unpriced_responses,
        percent=None if unpriced else 100 * budget.spent(sums) / budget.amount,
        **ahead._asdict(),
    )
