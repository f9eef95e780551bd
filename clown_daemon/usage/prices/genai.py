"""The data of genai-prices, turned into the models of a price table. Pure.

A model's `match` is a rule over names, not a list of them. The names that rules spell out go to the first model whose
rule they meet, as the library itself looks models up; that a rule would take other names too (`contains`) counts for
nothing here: it takes `eu.amazon.nova-lite` for the cheaper `amazon.nova-lite`.

Its own semantics are kept: of dated prices the last that holds is right, and the first where none does; a variant
(service tier, batch) overrides single prices of the standard ones, from its own day on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from clown_daemon.usage.model_names import SELLERS, seller
from clown_daemon.usage.prices.genai_data import Constraint, ModelData, Prices, ProviderData, Step, Steps
from clown_daemon.usage.prices.rates import PriceDataError, band, completed, picodollars
from clown_daemon.usage.pricing import LARGEST_SEARCH, ModelPrices, Price

TIERS: Mapping[tuple[str, str], str] = {
    ("speed", "fast"): "fast",
    ("service_tier", "fast"): "fast",
    ("service_tier", "priority"): "priority",
    ("service_tier", "flex"): "flex",
    ("processing", "batch"): "batch",
}
"""Which variants are which tier; the others (`service_tier: default`, routes of a router) are told by no log."""
CLASSES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
"""The order of the five rates."""
OTHERWISE_BILLED = (
    *("requests_kcount", "output_reasoning_mtok", "output_citation_mtok"),
    *("output_image_mtok", "output_audio_mtok", "output_video_mtok"),
)
"""A model with one of these costs something that a response does not tell."""
FREE = ":free"
"""Of these models alone no price means that they cost nothing."""
LONG_CONTEXT_ENDED: Mapping[tuple[str, str], str] = {("anthropic", "claude-sonnet-4-5"): "2026-04-30"}
"""The days from which models have one price for every size, where the data says so in a comment alone."""

_TIME = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)(?::00)?(?:Z|\+00:00)?$")
_LONGEST_NAME = 120


class _Dated(NamedTuple):
    """Prices, and when they hold."""

    start: str | None
    hours: tuple[int, int] | None
    prices: Prices


def entries(providers: Iterable[ProviderData], left_out: list[str]) -> Iterator[tuple[str, ModelPrices]]:
    """Answer the sellers that we know, and their models.

    Args:
        providers: the published data.
        left_out: gets a line for each model whose price cannot be told exactly.
    """
    for whose, models in _models_by_seller(providers).items():
        for model, names in zip(models, _names_by_model(models), strict=True):
            if not names:
                continue
            try:
                prices = _prices_by_tier(whose, model)
            except PriceDataError as error:
                left_out.append(f"{whose} {model.id}: {error}")
                continue
            if "standard" in prices:
                yield whose, ModelPrices(names=names, prices=prices)


def _models_by_seller(providers: Iterable[ProviderData]) -> dict[str, list[ModelData]]:
    found: dict[str, list[ModelData]] = {}
    for provider in providers:
        whose = seller(provider.id)
        if whose not in SELLERS:
            continue
        for model in provider.models:
            # Google's own models and Claude, which Vertex AI sells, are one provider there.
            vertex = whose == "google" and model.id.startswith("claude")
            found.setdefault("vertex" if vertex else whose, []).append(model)
    return found


def _names_by_model(models: Sequence[ModelData]) -> list[tuple[str, ...]]:
    ids = [model.id.lower() for model in models]
    found: list[list[str]] = [[] for _ in models]
    for name in dict.fromkeys([*ids, *(name for model in models for name in model.match.spelled())]):
        owner = next((number for number, model in enumerate(models) if model.match.meets(name)), None)
        if owner is not None and len(name) <= _LONGEST_NAME:
            found[owner].append(name)
    # A model's own name is the first, where its own rule has it.
    return [tuple(sorted(names, key=lambda name: (name != own, name))) for own, names in zip(ids, found, strict=True)]


def _prices_by_tier(whose: str, model: ModelData) -> dict[str, tuple[Price, ...]]:
    found: dict[str, tuple[Price, ...]] = {}
    for tier in ("standard", *dict.fromkeys(TIERS.values())):
        prices = _prices(model, tier)
        if end := LONG_CONTEXT_ENDED.get((whose, model.id)):
            prices = tuple(_ended(prices, end))
        if prices:
            found[tier] = prices
    return found


def _ended(prices: Sequence[Price], day: str) -> Iterator[Price]:
    yield from (price for price in prices if (price.valid_from or "") < day)
    for price in prices:
        yield msgspec.structs.replace(price, bands=price.bands[:1], valid_from=max(price.valid_from or "", day))


def _prices(model: ModelData, tier: str) -> tuple[Price, ...]:
    """Answer the prices of one tier, so that the last that holds is right; nothing for what is not billed by tokens."""
    first, *others = _standard(model)
    if any(dated.prices.get(name) is not None for dated in (first, *others) for name in OTHERWISE_BILLED):
        raise PriceDataError("it is not billed by its tokens of text alone")
    # The first price holds where none of the others does.
    standard = (first._replace(start=None, hours=None), *others)
    found = standard if tier == "standard" else tuple(_overridden(standard, model, tier))
    return tuple(price for dated in _alive(found) if (price := _price(dated, model.id)) is not None)


def _standard(model: ModelData) -> tuple[_Dated, ...]:
    if not isinstance(model.prices, tuple):
        return (_Dated(None, None, model.prices),)
    if not model.prices:
        raise PriceDataError("a list of no prices")
    return tuple(_Dated(*_when(one.constraint), one.prices) for one in model.prices)


def _overridden(standard: Sequence[_Dated], model: ModelData, tier: str) -> Iterator[_Dated]:
    variants = [
        _Dated(*_when(variant.constraint), variant.prices)
        for variant in model.price_variants or ()
        if [TIERS.get(pair) for pair in variant.when.items()] == [tier]
    ]
    if any(variant.hours for variant in variants):
        raise PriceDataError("a variant by the hour of the day")
    for day in sorted({variant.start or "" for variant in variants}):
        overrides: dict[str, Decimal | Steps | None] = {}
        for variant in variants:
            if (variant.start or "") <= day:
                # The first variant that holds has the word on each of its prices.
                overrides = {**variant.prices, **overrides}
        for dated in standard:
            yield _Dated(max(dated.start or "", day) or None, dated.hours, {**dated.prices, **overrides})


def _when(constraint: Constraint | None) -> tuple[str | None, tuple[int, int] | None]:
    if constraint is None:
        return None, None
    if constraint.start_date is not None:
        return constraint.start_date, None
    if constraint.start_time is not None and constraint.end_time is not None:
        return None, (_minute(constraint.start_time), _minute(constraint.end_time))
    raise PriceDataError("a price under an unknown condition")


def _minute(time: str) -> int:
    found = _TIME.match(time)
    if found is None:
        raise PriceDataError(f"{time!r} is no whole minute of a UTC day")
    return int(found[1]) * 60 + int(found[2])


def _alive(found: Sequence[_Dated]) -> Iterator[_Dated]:
    """Leave out what a later one always outweighs."""
    for number, dated in enumerate(found):
        later = found[number + 1 :]
        if not any(one.hours is None and (one.start or "") <= (dated.start or "") for one in later):
            yield dated


def _price(dated: _Dated, model_id: str) -> Price | None:
    prices = dated.prices
    if not prices and model_id.endswith(FREE):
        prices = dict.fromkeys(CLASSES[:2], Decimal(0))
    if prices.get("input_mtok") is None or prices.get("output_mtok") is None:
        return None
    starts = {0} | {step.start for name in CLASSES for step in _steps(prices.get(name))}
    search = prices.get("web_searches_kcount")
    return Price(
        bands=tuple(
            band(start, completed(model_id, [_rate(prices.get(name), start) for name in CLASSES]))
            for start in sorted(starts)
        ),
        valid_from=dated.start,
        hours=dated.hours,
        web_search=picodollars(search, 1000, LARGEST_SEARCH) if isinstance(search, Decimal) else None,
    )


def _steps(price: Decimal | Steps | None) -> tuple[Step, ...]:
    return price.tiers if isinstance(price, Steps) else ()


def _rate(price: Decimal | Steps | None, start: int) -> int | None:
    if isinstance(price, Steps):
        reached = [step for step in price.tiers if step.start <= start]
        price = max(reached, key=lambda step: step.start).price if reached else price.base
    return None if price is None else picodollars(price, 10**6)
