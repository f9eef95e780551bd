"""What a response costs, in whole picodollars (10**-12 US dollars): sums are exact, and 37.5 nanodollars exist.

Pure. Rules: once the whole input of a request, cache included, is over a threshold, *all* its tokens are at the higher
rates (so the vendors bill); prices hold from a day on (UTC), and some at hours of the day only; each service tier has
prices of its own. What no table knows has no cost, which is None and never 0: a model, a tier, a day before the first
known price, the web searches of a model whose price for them is unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import islice
from typing import Annotated, NamedTuple

import msgspec

from clown_daemon.store.ledger import Costs, Response
from clown_daemon.usage.model_names import Form, forms, sellers

LARGEST_RATE = 10**10
"""Picodollars a token: 10,000 US dollars per million tokens. More is a slip of the unit; sums stay within 64 bits."""
LARGEST_SEARCH = 10**12
"""Picodollars a web search: 1 US dollar."""
ANYBODY = ""
"""The seller of a price that holds wherever the model is bought."""

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_MOST_KNOWN = 10_000
"""Of how many models, sellers and tiers the prices stay in memory; then it begins anew. Logs may name anything."""

Rate = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_RATE)]
Minute = Annotated[int, msgspec.Meta(ge=0, lt=24 * 60)]


class Rates(NamedTuple):
    """Picodollars a token."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    @classmethod
    def of(cls, given: Iterable[int]) -> "Rates":
        """Complete two to five rates: cached tokens without one are input, an hour's writes are writes like others."""
        base, output, *cached = given
        read, write, write_1h = (*cached, None, None, None)[:3]
        write = base if write is None else write
        return cls(base, output, base if read is None else read, write, write if write_1h is None else write_1h)


class Price(msgspec.Struct, frozen=True, omit_defaults=True, rename={"valid_from": "from"}):
    """What a model costs in one service tier, from one day on, perhaps at some hours of the day only."""

    bands: tuple[Annotated[tuple[Rate, ...], msgspec.Meta(min_length=3, max_length=6)], ...]
    """`[above, input, output[, cache read[, 5 minute write[, 1 hour write]]]]` each: the rates of requests whose whole
    input is larger than `above` tokens. Ascending from 0."""
    valid_from: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """The UTC day; None: from ever."""
    hours: tuple[Minute, Minute] | None = None
    """From and until which minute of the UTC day; the second is no longer in it, and may be the smaller one."""
    web_search: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEARCH)] | None = None
    """Picodollars a search; None where it is not known."""


class ModelPrices(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model of one seller."""

    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """Every name it goes by there, lower case; the first is its own."""
    prices: Mapping[str, tuple[Price, ...]]
    """By service tier; oldest first, and the last one that holds is right."""
    origin: str | None = None
    """Which source of the table knows it; None: the first."""

    @property
    def id(self) -> str:
        return self.names[0]


class Source(msgspec.Struct, frozen=True):
    """Where prices were taken from."""

    name: str
    version: str
    license: str = ""


class Table(msgspec.Struct, frozen=True):
    """A price table: where it came from, and the models."""

    date: str
    sources: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]
    models: Mapping[str, tuple[ModelPrices, ...]]
    """By seller."""

    def label(self, model: ModelPrices) -> str:
        """What is written beside every cost: `genai-prices 0.2.3 (2026-11-23)`."""
        source = next((one for one in self.sources if one.name == model.origin), self.sources[0])
        return f"{source.name} {source.version}" + (f" ({self.date})" if self.date else "")


class Match(NamedTuple):
    """A model that a table has under one of the forms of a written name."""

    table: Table
    seller: str
    model: ModelPrices
    name: str
    dropped: tuple[str, ...]
    """What the written name has and the found one has not."""

    @property
    def label(self) -> str:
        return self.table.label(self.model)


class Offer(NamedTuple):
    """A price in the order in which prices are asked whether they hold."""

    from_ms: int
    hours: tuple[int, int] | None
    rates: Rates
    dearer: tuple[tuple[int, Rates], ...]
    """Over how many tokens of input which rates are right instead; the largest first."""
    web_search: int | None
    label: str

    def holds(self, at_ms: int) -> bool:
        """Whether it was the price at this instant."""
        if at_ms < self.from_ms:
            return False
        if self.hours is None:
            return True
        begin, end = self.hours
        minute = at_ms % _DAY_MS // _MINUTE_MS
        return begin <= minute < end if begin <= end else minute >= begin or minute < end


class PriceList:
    """Answers costs from tables; of two that know a price, the earlier table is right (the user's own comes first).

    A table that knows a model, but not this tier or day, leaves them to the tables after it.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables = tuple(tables)
        self._tables = tuple((table, _by_seller(table)) for table in self.tables)
        self._offers: dict[tuple[str, str | None, str], tuple[Offer, ...]] = {}

    def find(self, model: str, provider: str | None = None) -> tuple[Match, ...]:
        """Answer what the tables have of a model, the table that decides first; empty when no table knows it.

        Args:
            model: its name as it is written.
            provider: whom it is bought from, where that is known.
        """
        written = tuple(forms(model))
        found: tuple[Match, ...] = ()
        for alike in sellers(model, provider):
            found = tuple(self._matches(written, alike))
            if any(match.seller != ANYBODY for match in found):
                break
        return found

    def offers(self, model: str, provider: str | None, tier: str) -> tuple[Offer, ...]:
        """Answer the prices of a model in one service tier: the first that holds is right."""
        key = (model, provider, tier)
        known = self._offers.get(key)
        if known is None:
            if len(self._offers) >= _MOST_KNOWN:
                self._offers.clear()
            known = self._offers[key] = tuple(_in_order(self.find(model, provider), tier))
        return known

    def cost(self, response: Response) -> Costs | None:
        """Price one response; None where its price is not known."""
        at_ms = response.at_ms
        for offer in self.offers(response.model, response.provider, response.tier):
            if offer.holds(at_ms):
                return _cost(response, offer)
        return None

    def _matches(self, written: tuple[Form, ...], alike: tuple[str, ...]) -> Iterator[Match]:
        for table, by_seller in self._tables:
            indexes = tuple((one, by_seller[one]) for one in (*alike, ANYBODY) if one in by_seller)
            matches = (
                Match(table, one, index[form.name], form.name, form.dropped)
                for form in written
                for one, index in indexes
                if form.name in index and form.suits(one)
            )
            yield from islice(matches, 1)


def first_instant_ms(day: str | None) -> int:
    """Answer the first millisecond of a UTC day; of None, one before everything.

    Raises:
        ValueError: there is no such day.
    """
    return -(2**63) if day is None else (date.fromisoformat(day).toordinal() - _EPOCH) * _DAY_MS


def utc_day(at_ms: int) -> str:
    """Answer the UTC day of an instant, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _by_seller(table: Table) -> Mapping[str, Mapping[str, ModelPrices]]:
    return {
        seller: {name: model for model in models for name in model.names} for seller, models in table.models.items()
    }


def _in_order(matches: tuple[Match, ...], tier: str) -> Iterator[Offer]:
    held = [(match, price) for match in matches for price in reversed(match.model.prices.get(tier, ()))]
    for number, (match, price) in enumerate(held):
        # A table that does not know what a search costs leaves that, too, to the next.
        search = next((later.web_search for _, later in held[number:] if later.web_search is not None), None)
        first, *dearer = price.bands
        yield Offer(
            from_ms=first_instant_ms(price.valid_from),
            hours=price.hours,
            rates=Rates.of(first[1:]),
            dearer=tuple((above, Rates.of(rates)) for above, *rates in reversed(dearer)),
            web_search=search,
            label=match.label,
        )
        if price.valid_from is None and price.hours is None:
            return


def _cost(response: Response, offer: Offer) -> Costs | None:
    rates = offer.rates
    if offer.dearer:
        whole = response.whole_input_tokens
        rates = next((dearer for above, dearer in offer.dearer if whole > above), rates)
    input_rate, output_rate, read_rate, write_rate, write_1h_rate = rates
    input_pico = response.input_tokens * input_rate
    output_pico = response.output_tokens * output_rate
    write_pico = response.cache_write_5m_tokens * write_rate + response.cache_write_1h_tokens * write_1h_rate
    read_pico = response.cache_read_tokens * read_rate
    total = input_pico + output_pico + write_pico + read_pico
    if response.web_searches:
        if offer.web_search is None:
            return None
        total += response.web_searches * offer.web_search
    return Costs(input_pico, output_pico, write_pico, read_pico, total, offer.label)
