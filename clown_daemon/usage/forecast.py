"""How fast a part of the usage goes, and where it leads: the rules of `clown_daemon.burn` on the ledger's sums."""

import sqlite3
from collections.abc import Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import NamedTuple

from clown_daemon.burn import BURN_MINUTES, HOUR_MS, MINUTE_MS, burn_per_hour, projection, usual_per_hour
from clown_daemon.clock import end_of_day_ms
from clown_daemon.store.periods import HOURS_SHOWN, Span, calendar
from clown_daemon.store.usage_spans import Only, read_sums, sums_by_minute
from clown_daemon.store.usage_sums import PICO_PER_USD, Sums, add_up


class Rate(NamedTuple):
    """An amount an hour."""

    pico: int
    tokens: int


class Forecast(NamedTuple):
    """What callers are told. A price that is not known is None."""

    burn_usd_per_hour: float | None
    burn_tokens_per_hour: int
    projected_usd: float | None
    projected_tokens: int


def forecast(
    connection: sqlite3.Connection, only: Only, spent: Sums, usual: Rate, *, now_ms: int, end_ms: int
) -> Forecast:
    """Measure the burn rate and project a period.

    Args:
        connection: in a transaction.
        only: which usage.
        spent: of it in the period so far.
        usual: how fast it goes after the next hour.
        now_ms: epoch milliseconds.
        end_ms: when the period ends.
    """
    running_ms = now_ms // MINUTE_MS * MINUTE_MS
    span = Span(running_ms - (BURN_MINUTES - 1) * MINUTE_MS, running_ms + MINUTE_MS)
    minutes = sums_by_minute(connection, span, only)
    burn = Rate(*(burn_per_hour(steps, now_ms) for steps in _both(minutes)))
    left_ms = end_ms - now_ms
    leads_to = Rate(
        *(
            projection(so_far, burn=fast, usual=slow, left_ms=left_ms)
            for so_far, fast, slow in zip((spent.total_pico, spent.total_tokens), burn, usual, strict=True)
        )
    )
    return Forecast(
        burn_usd_per_hour=burn.pico / PICO_PER_USD if add_up(sums for _, sums in minutes).priced else None,
        burn_tokens_per_hour=burn.tokens,
        projected_usd=leads_to.pico / PICO_PER_USD if spent.priced else None,
        projected_tokens=leads_to.tokens,
    )


def usual_of_a_day(connection: sqlite3.Connection, only: Only, now_ms: int, zone: tzinfo) -> Rate:
    """Measure the usual rate of the last 24 hours."""
    first_ms = (now_ms // HOUR_MS - HOURS_SHOWN + 1) * HOUR_MS
    return _usual(connection, only, [first_ms, end_of_day_ms(now_ms, zone)], now_ms)


def usual_of_a_week(connection: sqlite3.Connection, only: Only, now_ms: int, zone: tzinfo) -> Rate:
    """Measure the usual rate of the last 7 days of the user's calendar."""
    borders = calendar(now_ms, zone)
    return _usual(connection, only, [*borders.days, borders.end_ms], now_ms)


def usual_of_window(spent: Sums, start_ms: int, now_ms: int) -> Rate:
    """Answer the rate of a five-hour window so far, over an hour at least."""
    since_ms = max(HOUR_MS, now_ms - start_ms)
    return Rate(spent.total_pico * HOUR_MS // since_ms, spent.total_tokens * HOUR_MS // since_ms)


def _usual(connection: sqlite3.Connection, only: Only, borders: Sequence[int], now_ms: int) -> Rate:
    steps = [
        (start_ms, read_sums(connection, start_ms, end_ms, profile=only.profile, agent_id=only.agent_id))
        for start_ms, end_ms in pairwise(borders)
    ]
    used = [step for step in steps if step[1].responses]
    return Rate(*(usual_per_hour(measured, now_ms) for measured in _both(used)))


def _both(steps: Sequence[tuple[int, Sums]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The same steps in picodollars, and in tokens."""
    pico = [(start_ms, sums.total_pico) for start_ms, sums in steps]
    return pico, [(start_ms, sums.total_tokens) for start_ms, sums in steps]
