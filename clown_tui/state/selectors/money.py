"""Sums of usage: what was spent today, how fast, and where this leads.

Money is added up in whole nano-dollars. An unknown price is never a zero: an `Amount` carries how many responses its
sum leaves out, and says `?` when nothing in it has a price, `~` when something has not.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from clown_daemon.burn import HOUR_MS, MINUTE_MS, burn_per_hour, lately, usual_per_hour
from clown_daemon.burn import projection as projection_of
from clown_daemon.clock import end_of_day_ms, start_of_day_ms
from clown_daemon.protocol.resources import BudgetPeriod, Cost, PeriodUsage, ProfileUsage, Tokens, UsageBucket
from clown_tui.formatting import dollars, nanos
from clown_tui.state.model import Model, day_start_ms


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact sum of money, and what it leaves out."""

    nanos: int = 0
    missing: int = 0
    """Responses (or steps of a time line) without a known price."""

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.nanos + other.nanos, self.missing + other.missing)

    def text(self, digits: int = 2) -> str:
        """Write it: `$3.42`, `~$3.42` when something in it has no price, `?` when nothing has."""
        if self.missing and not self.nanos:
            return "?"
        return f"{'~' if self.missing else ''}{dollars(self.nanos, digits)}"


def total(amounts: Iterable[Amount]) -> Amount:
    """Add amounts up; nothing is `$0.00`."""
    found, missing = 0, 0
    for amount in amounts:
        found += amount.nanos
        missing += amount.missing
    return Amount(found, missing)


def amount_of(cost: Cost, unpriced_responses: int = 0) -> Amount:
    """Read a cost of the wire; one without any price counts as at least one missing."""
    if cost.total_cost is None:
        return Amount(0, max(1, unpriced_responses))
    return Amount(nanos(cost.total_cost), unpriced_responses)


def bucket_amount(bucket: UsageBucket) -> Amount:
    """Read the money of one step of a time line."""
    return Amount(0, 1) if bucket.cost_usd is None else Amount(nanos(bucket.cost_usd))


def add_tokens(parts: Iterable[Tokens]) -> Tokens:
    """Add token counts up by class."""
    values = [0, 0, 0, 0]
    for part in parts:
        values[0] += part.input_tokens
        values[1] += part.output_tokens
        values[2] += part.cache_creation_input_tokens
        values[3] += part.cache_read_input_tokens
    return Tokens(
        input_tokens=values[0],
        output_tokens=values[1],
        cache_creation_input_tokens=values[2],
        cache_read_input_tokens=values[3],
    )


# -- periods ----------------------------------------------------------------------------------------------------------


def today_of(usage: ProfileUsage, day_ms: int) -> PeriodUsage:
    """Answer the usage of the day that began at `day_ms`: nothing, if the totals are still those of a day before."""
    return usage.today if usage.today.start_ms >= day_ms else PeriodUsage(start_ms=day_ms)


def today_amount(model: Model, now_ms: int) -> Amount:
    """Answer what this machine spent today."""
    day = day_start_ms(model, now_ms)
    periods = (today_of(usage, day) for usage in model.usage.values())
    return total(amount_of(period.cost, period.unpriced_responses) for period in periods)


def month_of(usage: ProfileUsage, month_ms: int) -> PeriodUsage:
    """Answer the usage of the month that began at `month_ms`: nothing, if the totals are still those of one before."""
    return usage.month if usage.month.start_ms >= month_ms else PeriodUsage(start_ms=month_ms)


def day_end_ms(model: Model, now_ms: int) -> int:
    """Answer when the day of `now_ms` ends in the daemon's zone; right also on days of 23 and 25 hours."""
    return end_of_day_ms(now_ms, model.zone)


# -- how fast, and where that leads -----------------------------------------------------------------------------------


Measure = Callable[[UsageBucket], int]
"""What is added up of a step of a time line."""


def bucket_nanos(bucket: UsageBucket) -> int:
    """Answer the nano-dollars of a step: none where the price is unknown."""
    return bucket_amount(bucket).nanos


def bucket_tokens(bucket: UsageBucket) -> int:
    """Answer the tokens of a step."""
    return bucket.tokens


def burn_rate(model: Model, now_ms: int) -> Amount:
    """Answer dollars an hour, measured over the last 15 minutes."""
    minutes = [bucket for usage in model.usage.values() for bucket in usage.minutes]
    missing = lately(((bucket.start_ms, 1) for bucket in minutes if bucket.cost_usd is None), now_ms)
    return Amount(_burn(minutes, bucket_nanos, now_ms), missing)


def _burn(minutes: Iterable[UsageBucket], measure: Measure, now_ms: int) -> int:
    return burn_per_hour(((bucket.start_ms, measure(bucket)) for bucket in minutes), now_ms)


def projected(
    spent: int, usages: Collection[ProfileUsage], *, period: BudgetPeriod, measure: Measure, now_ms: int, end_ms: int
) -> int:
    """Answer what will have been spent by the end of a period.

    Args:
        spent: in the period so far, in what `measure` measures.
        usages: whose time lines say how it goes on.
        period: the usual rate is that of the last day, or for a month that of the last week.
        measure: what counts: `bucket_nanos` or `bucket_tokens`.
        now_ms: epoch milliseconds.
        end_ms: when the period ends.
    """
    lines = [usage.hours if period == "day" else usage.days for usage in usages]
    usual = usual_per_hour(((bucket.start_ms, measure(bucket)) for line in lines for bucket in line), now_ms)
    burn = _burn((bucket for usage in usages for bucket in usage.minutes), measure, now_ms)
    return projection_of(spent, burn=burn, usual=usual, left_ms=end_ms - now_ms)


def projection(model: Model, now_ms: int) -> Amount:
    """Answer what today will have cost by its end."""
    spent, end_ms = today_amount(model, now_ms), day_end_ms(model, now_ms)
    usages = model.usage.values()
    found = projected(spent.nanos, usages, period="day", measure=bucket_nanos, now_ms=now_ms, end_ms=end_ms)
    return Amount(found, spent.missing + burn_rate(model, now_ms).missing)


# -- time lines -------------------------------------------------------------------------------------------------------


def minute_tokens(usage: ProfileUsage, now_ms: int, minutes: int = 5) -> tuple[int, ...]:
    """Answer the tokens of each of the last minutes, oldest first; the last one is still running."""
    slots = [0] * minutes
    this_minute = now_ms // MINUTE_MS
    for bucket in usage.minutes:
        age = this_minute - bucket.start_ms // MINUTE_MS
        if 0 <= age < minutes:
            slots[minutes - 1 - age] += bucket.tokens
    return tuple(slots)


def hour_amounts(model: Model, now_ms: int, hours: int = 24) -> tuple[Amount, ...]:
    """Answer what each of the last hours cost, oldest first; the last one is still running."""
    slots = [Amount()] * hours
    for usage in model.usage.values():
        for bucket in usage.hours:
            age = (now_ms - bucket.start_ms) // HOUR_MS
            if 0 <= age < hours:
                slots[hours - 1 - age] += bucket_amount(bucket)
    return tuple(slots)


def day_amounts(model: Model, now_ms: int, days: int = 7) -> tuple[Amount, ...]:
    """Answer what each of the last days cost, oldest first; the last one is still running."""
    ends = [day_end_ms(model, now_ms)]
    starts: list[int] = []
    for _ in range(days):
        starts.insert(0, start_of_day_ms(ends[0] - 1, model.zone))
        ends.insert(0, starts[0])
    slots = [Amount()] * days
    for usage in model.usage.values():
        for bucket in usage.days:
            for index, start in enumerate(starts):
                if start <= bucket.start_ms < ends[index + 1]:
                    slots[index] += bucket_amount(bucket)
    return tuple(slots)
