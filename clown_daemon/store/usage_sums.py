"""The fourteen sums that every rollup of the ledger keeps, as values and as SQL.

Pure. All are exact integers that can be added and subtracted; they become US dollars last, when they leave the daemon.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clown_daemon.protocol.resources import Cost, Tokens

PICO_PER_USD = 10**12


class Sums(NamedTuple):
    """Sums over responses, in the order of the columns of every rollup."""

    responses: int = 0
    unpriced_responses: int = 0
    """Those without a known price; the picodollars leave them out."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    """A part of the output."""
    web_searches: int = 0
    input_pico: int = 0
    output_pico: int = 0
    cache_write_pico: int = 0
    cache_read_pico: int = 0
    total_pico: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens, in whatever class."""
        return sum(self[2:7])

    @property
    def tokens(self) -> Tokens:
        """The tokens as they stand on the wire: both kinds of cache writes are one number."""
        return Tokens(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_creation_input_tokens=self.cache_write_5m_tokens + self.cache_write_1h_tokens,
            cache_read_input_tokens=self.cache_read_tokens,
        )

    @property
    def priced(self) -> bool:
        """Whether the cost is known: there are no responses, or one of them has a price."""
        return not self.responses or self.unpriced_responses < self.responses

    @property
    def cost(self) -> Cost:
        """The cost as it stands on the wire: all None when there were responses and none of them has a price."""
        return self.cost_if(known=self.priced)

    def cost_if(self, *, known: bool) -> Cost:
        """The cost as it stands on the wire, or all None."""
        if not known:
            return Cost(
                input_cost=None, output_cost=None, cache_creation_cost=None, cache_read_cost=None, total_cost=None
            )
        return Cost(
            input_cost=self.input_pico / PICO_PER_USD,
            output_cost=self.output_pico / PICO_PER_USD,
            cache_creation_cost=self.cache_write_pico / PICO_PER_USD,
            cache_read_cost=self.cache_read_pico / PICO_PER_USD,
            total_cost=self.total_pico / PICO_PER_USD,
        )


NOTHING = Sums()

COLUMNS = ", ".join(Sums._fields)
"""The columns of a rollup."""
ADDED_UP = ", ".join(f"sum({name})" for name in Sums._fields)
"""The sums over rows of a rollup; NULLs where there are none and nothing is grouped."""
OF_RECORDS = "count(*), sum(total_pico IS NULL), " + ", ".join(
    f"ifnull(sum({name}), 0)" if name.endswith("_pico") else f"sum({name})" for name in Sums._fields[2:]
)
"""The sums over rows of the ledger."""


def add_up(rows: Iterable[Sequence[int]]) -> Sums:
    """Add sums column by column."""
    columns = list(zip(*rows, strict=True))
    return Sums(*map(sum, columns)) if columns else NOTHING


def negative(sums: Sequence[int]) -> Sums:
    """What undoes these sums."""
    return Sums(*(-amount for amount in sums))
