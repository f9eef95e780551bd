"""What the models of the corpus cost: a table of its own, so that the daemon's is held against a second opinion.

Picodollars a token (3 US dollars per million tokens are 3,000,000), in the order input, output, cache read, write for
five minutes, write for one hour. A threshold counts the whole input, cache included, and moves every token of the
request. A model that is not here has no price.
"""

from typing import NamedTuple

from tests.support.corpus.amounts import Amounts

WEB_SEARCH_PICO = 10_000_000_000
"""10 US dollars per 1,000."""

SONNET_4_5_FLAT_FROM_MS = 1_777_507_200_000
"""2026-04-30T00:00:00Z: from then on Sonnet 4.5 has no long-context rates."""

UNKNOWN_MODEL = "acme-reasoner-9"
"""Nobody sells it."""

Prices = tuple[int, int, int, int, int]


class Rate(NamedTuple):
    """The rates of a model; `above` a whole input of that many tokens, the `long` ones hold."""

    base: Prices
    above: int | None = None
    long: Prices | None = None
    fast: Prices | None = None


_SONNET = (3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000)
_OPUS = (5_000_000, 25_000_000, 500_000, 6_250_000, 10_000_000)
_FAST_OPUS = (10_000_000, 50_000_000, 1_000_000, 12_500_000, 20_000_000)

_RATES = {
    "claude-sonnet-4-5": Rate(_SONNET),
    "claude-opus-4-5": Rate(_OPUS),
    "claude-opus-4-8": Rate(_OPUS, fast=_FAST_OPUS),
    "claude-haiku-4-5": Rate((1_000_000, 5_000_000, 100_000, 1_250_000, 2_000_000)),
    "claude-sonnet-5": Rate((2_000_000, 10_000_000, 200_000, 2_500_000, 4_000_000)),
    "gpt-5-codex": Rate((1_250_000, 10_000_000, 125_000, 0, 0)),
    "gpt-5.3-codex": Rate((1_750_000, 14_000_000, 175_000, 0, 0)),
    "gpt-5.5": Rate((5_000_000, 30_000_000, 500_000, 0, 0), 272_000, (10_000_000, 45_000_000, 1_000_000, 0, 0)),
    "gpt-6.1-sol": Rate(
        (2_000_000, 10_000_000, 100_000, 2_500_000, 0), 272_000, (4_000_000, 15_000_000, 200_000, 5_000_000, 0)
    ),
    "gemini-2.5-pro": Rate((1_250_000, 10_000_000, 125_000, 0, 0), 200_000, (2_500_000, 15_000_000, 250_000, 0, 0)),
}
_LONG_SONNET = Rate(_SONNET, 200_000, (6_000_000, 22_500_000, 600_000, 7_500_000, 12_000_000))


def cost_pico(model: str, amounts: Amounts, at_ms: int) -> int | None:
    """Answer what a response costs in picodollars, or None where nobody knows."""
    rate = _rate(model, at_ms)
    if rate is None or (amounts.fast and rate.fast is None):
        return None
    rates = rate.base
    if amounts.fast:
        assert rate.fast is not None
        rates = rate.fast
    elif rate.above is not None and rate.long is not None and amounts.whole_input > rate.above:
        rates = rate.long
    tokens = amounts[:5]
    return sum(count * price for count, price in zip(tokens, rates, strict=True)) + (
        amounts.web_searches * WEB_SEARCH_PICO
    )


def _rate(model: str, at_ms: int) -> Rate | None:
    if model == "claude-sonnet-4-5" and at_ms < SONNET_4_5_FLAT_FROM_MS:
        return _LONG_SONNET
    return _RATES.get(model)
