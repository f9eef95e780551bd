"""How many tokens one response has, in the classes that are billed apart; and how to draw believable ones."""

from random import Random
from typing import NamedTuple


class Amounts(NamedTuple):
    """Tokens of one response. The first five classes do not overlap; reasoning is a part of the output."""

    input: int
    """Without cache."""
    output: int
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    web_searches: int = 0
    fast: bool = False

    @property
    def cache_write(self) -> int:
        return self.cache_write_5m + self.cache_write_1h

    @property
    def whole_input(self) -> int:
        """What a long-context threshold is compared with."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


def anthropic(random: Random) -> Amounts:
    """Almost all input comes from the cache; both kinds of cache writes occur."""
    return Amounts(
        input=random.randrange(1, 40),
        output=random.randrange(20, 4_000),
        cache_read=random.randrange(8_000, 120_000),
        cache_write_5m=random.randrange(0, 3_000),
        cache_write_1h=random.randrange(0, 6_000) if random.random() < 0.4 else 0,
    )


def reasoning(random: Random) -> Amounts:
    """OpenAI's and Google's way: no cache writes, and a part of the output is reasoning."""
    thought = random.randrange(0, 900)
    return Amounts(
        input=random.randrange(300, 6_000),
        output=thought + random.randrange(10, 1_500),
        cache_read=random.randrange(2_000, 90_000),
        reasoning=thought,
    )


def long_context(amounts: Amounts, whole_input: int) -> Amounts:
    """The same with so much read from the cache that the whole input is as large as asked."""
    return amounts._replace(cache_read=whole_input - amounts.input - amounts.cache_write)
