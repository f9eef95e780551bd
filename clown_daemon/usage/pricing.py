"""What a response costs, in whole picodollars (10**-12 US dollars): sums are exact, and 37.5 nanodollars exist.

Pure. Rules: once the whole input of a request, cache included, passes a threshold, *all* its tokens are at the higher
rates (so the vendors bill); prices have days from which they hold (UTC); a model that no table knows has no cost, which
is None and never 0; neither has a fast response of a model whose fast rates are unknown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from clown_daemon.store.ledger import Costs, Response

WEB_SEARCH_PICO = 10_000_000_000
"""10 US dollars per 1,000 searches, where the table does not say otherwise."""


class Rates(NamedTuple):
    """Picodollars a token."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


class Tier(NamedTuple):
    """Rates of requests whose whole input is larger than `above` tokens."""

    above: int
    rates: Rates


class Price(msgspec.Struct, frozen=True, rename={"valid_from": "from", "web_search_pico": "web_search"}):
    """What a model costs from one day on."""

    valid_from: str | None
    """The UTC day, `YYYY-MM-DD`; None: from ever."""
    tiers: tuple[Tier, ...]
    """Ascending from 0."""
    fast: tuple[Tier, ...] | None = None
    """The same for responses in fast mode; None where there is no such mode."""
    web_search_pico: int = WEB_SEARCH_PICO
    """Picodollars a search."""


class ModelPrices(msgspec.Struct, frozen=True):
    """One model of a table."""

    id: str
    names: tuple[str, ...]
    """Every name it goes by, lower case."""
    prices: tuple[Price, ...]
    """Oldest first; the last that holds is right."""
    provider: str = ""


class Table(msgspec.Struct, frozen=True):
    """A price table as it is shipped: where it came from, and the models."""

    source: str
    version: str
    date: str
    models: tuple[ModelPrices, ...]

    @property
    def label(self) -> str:
        """Written beside every cost: `genai-prices 0.2.3 (2026-11-23)`."""
        return f"{self.source} {self.version}" + (f" ({self.date})" if self.date else "")


class PriceList:
    """Answers costs from tables; the first table that knows a model decides (the user's own comes first)."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables: tuple[tuple[str, Mapping[str, ModelPrices]], ...] = tuple(
            (table.label, {name: model for model in table.models for name in model.names}) for table in tables
        )
        self._found: dict[str, tuple[str, ModelPrices] | None] = {}

    def find(self, model: str) -> tuple[str, ModelPrices] | None:
        """Answer the table's label and the model's entry, or None when no table knows it."""
        if model not in self._found:
            self._found[model] = self._search(model)
        return self._found[model]

    def cost(self, response: Response) -> Costs | None:
        """Price one response; None when its model, or its fast mode, has no known price."""
        found = self.find(response.model)
        if found is None:
            return None
        label, model = found
        price = _valid_price(model.prices, response.at_ms)
        tiers = price.fast if response.tier == "fast" else price.tiers
        if not tiers:
            return None
        return _cost(response, _rates(tiers, response.whole_input_tokens), price.web_search_pico, label)

    def _search(self, model: str) -> tuple[str, ModelPrices] | None:
        names = tuple(candidate_names(model))
        for label, by_name in self._tables:
            for name in names:
                if name in by_name:
                    return label, by_name[name]
        return None


_SUFFIX = re.compile(r"\[[^\]]*\]$")
_DATE = re.compile(r"(?:[-@]\d{8}|-\d{4}-\d{2}-\d{2}|@default|-latest)$")
_RELEASE = re.compile(r"-v\d+(?::\d+)?$")
_VENDOR = re.compile(r"^(?:[a-z]+\.)?(?:anthropic|openai|google)\.")


def candidate_names(model: str) -> Iterator[str]:
    """Answer the names to look a model up by, most exact first, each once.

    As written; without a window suffix (`[1m]`); without the path of a router (`openrouter/anthropic/`) or a cloud
    (`us.anthropic.`, `-v1:0`); without its date (`-20250929`, `@20250929`, `-2025-08-07`, `-latest`).
    """
    name = model.strip().lower()
    seen: set[str] = set()
    for shortened in (
        name,
        name := _SUFFIX.sub("", name),
        name := name.rpartition("/")[2],
        name := _RELEASE.sub("", _VENDOR.sub("", name)),
        _DATE.sub("", name),
    ):
        if shortened and shortened not in seen:
            seen.add(shortened)
            yield shortened


def _valid_price(prices: tuple[Price, ...], at_ms: int) -> Price:
    day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
    valid = prices[0]
    for price in prices:
        if price.valid_from is None or price.valid_from <= day:
            valid = price
    return valid


def _rates(tiers: tuple[Tier, ...], whole_input_tokens: int) -> Rates:
    rates = tiers[0].rates
    for tier in tiers:
        if whole_input_tokens > tier.above:
            rates = tier.rates
    return rates


def _cost(response: Response, rates: Rates, web_search_pico: int, label: str) -> Costs:
    input_pico = response.input_tokens * rates.input
    output_pico = response.output_tokens * rates.output
    write_pico = (
        response.cache_write_5m_tokens * rates.cache_write_5m + response.cache_write_1h_tokens * rates.cache_write_1h
    )
    read_pico = response.cache_read_tokens * rates.cache_read
    total = input_pico + output_pico + write_pico + read_pico + response.web_searches * web_search_pico
    return Costs(input_pico, output_pico, write_pico, read_pico, total, label)
