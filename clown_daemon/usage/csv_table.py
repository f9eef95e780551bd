"""Rows of an export as CSV: RFC 4180, UTF-8, the first line names the columns.

Pure. Costs are exact decimals, since a spreadsheet adds them up; a cost that nobody knows is an empty cell. A text that
a spreadsheet would take for a formula gets an apostrophe in front: names of models come from logs that anybody may have
written.
"""

import csv
import io
from collections.abc import Iterable

from clown_daemon.store.usage_sums import PICO_PER_USD
from clown_daemon.store.usage_timeline import DayRow

COLUMNS = (
    "date",
    "profile",
    "agent_id",
    "provider",
    "model",
    "responses",
    "unpriced_responses",
    "input_tokens",
    "output_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_read_input_tokens",
    "reasoning_output_tokens",
    "web_searches",
    "input_cost_usd",
    "output_cost_usd",
    "cache_creation_cost_usd",
    "cache_read_cost_usd",
    "total_cost_usd",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def header() -> bytes:
    """The line that names the columns."""
    return _written([COLUMNS])


def lines(rows: Iterable[DayRow]) -> bytes:
    """A line for each row."""
    return _written(_cells(row) for row in rows)


def exact_usd(pico: int) -> str:
    """Picodollars as a decimal number of US dollars, without zeros that say nothing."""
    whole, rest = divmod(pico, PICO_PER_USD)
    return f"{whole}.{rest:012}".rstrip("0").rstrip(".")


def _cells(row: DayRow) -> tuple[object, ...]:
    sums = row.sums
    names = (_text(name) for name in (row.profile, row.agent_id, row.provider, row.model))
    costs = (exact_usd(pico) if sums.priced else "" for pico in sums[9:])
    return (row.day, *names, *sums[:9], *costs)


def _text(name: str) -> str:
    return f"'{name}" if name.startswith(_FORMULA) else name


def _written(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
