"""Which thresholds of budgets a transaction crosses; told in that transaction, so once, whatever dies in between.

Spending that happens now is an alert, `BudgetThresholdCrossed`. A back-fill only marks what it passes, which is told as
`BudgetUpdated`: nobody wants to be rung up about last week, and what comes after it alerts as ever. What was spent in
the last 15 minutes happens now, also when it is read as a back-fill: nobody followed while the daemon was restarted.
"""

from collections.abc import Collection
from datetime import tzinfo

from clown_daemon.burn import BURN_MINUTES, MINUTE_MS
from clown_daemon.protocol.events import BudgetThresholdCrossed, BudgetUpdated
from clown_daemon.store.budgets import BudgetRow, Term, put_row, read_rows, read_spent, term_of
from clown_daemon.store.database import Transaction
from clown_daemon.store.periods import Span
from clown_daemon.store.usage_spans import Only, sums_by_minute
from clown_daemon.store.usage_sums import PICO_PER_USD, add_up


def record_crossings(transaction: Transaction, profiles: Collection[str], zone: tzinfo, *, imported: bool) -> None:
    """Mark and tell what is crossed now.

    Args:
        transaction: the one that added usage, after it did.
        profiles: whose usage it added to.
        zone: the user's; days and months are cut in it.
        imported: whether that was a back-fill.
    """
    for budget in read_rows(transaction.connection):
        term = term_of(budget.period, transaction.now_ms, zone)
        crossed = budget.crossed_during(term)
        if budget.profile not in {None, *profiles} or len(crossed) == len(budget.thresholds):
            continue
        spent = budget.spent(read_spent(transaction.connection, budget, term))
        reached = [one for one in budget.reached(spent) if one not in crossed]
        if not reached:
            continue
        long_ago = spent - _spent_lately(transaction, budget, term) if imported else 0
        old = [one for one in reached if one in budget.reached(long_ago)]
        if old:
            budget = _mark(transaction, budget, old, term)  # noqa: PLW2901  # the same one, as it stands now
            record_updated(transaction, budget, term)
        for threshold in reached[len(old) :]:
            budget = _mark(transaction, budget, [threshold], term)  # noqa: PLW2901  # see above
            transaction.record(_crossing(budget, threshold, spent), budget.resource(term))


def _spent_lately(transaction: Transaction, budget: BudgetRow, term: Term) -> int:
    span = Span(max(term.start_ms, transaction.now_ms - BURN_MINUTES * MINUTE_MS), term.today_ends_ms)
    only = Only(profile=budget.profile, agent_id=budget.agent_id)
    return budget.spent(add_up(sums for _, sums in sums_by_minute(transaction.connection, span, only)))


def _mark(transaction: Transaction, budget: BudgetRow, thresholds: Collection[int], term: Term) -> BudgetRow:
    after = budget.crossing((*budget.crossed_during(term), *thresholds), term)
    put_row(transaction.connection, after)
    return after


def record_updated(transaction: Transaction, budget: BudgetRow, term: Term) -> None:
    """Tell how a budget stands now."""
    data = BudgetUpdated(id=budget.id, profile=budget.profile, agent_id=budget.agent_id)
    transaction.record(data, budget.resource(term))


def _crossing(budget: BudgetRow, threshold: int, spent: int) -> BudgetThresholdCrossed:
    in_usd = budget.limit_pico is not None
    return BudgetThresholdCrossed(
        id=budget.id,
        profile=budget.profile,
        agent_id=budget.agent_id,
        period=budget.period,
        threshold_percent=threshold,
        limit_usd=budget.amount / PICO_PER_USD if in_usd else None,
        spent_usd=spent / PICO_PER_USD if in_usd else None,
        limit_tokens=None if in_usd else budget.amount,
        spent_tokens=None if in_usd else spent,
    )
