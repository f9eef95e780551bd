"""LiteLLM's table of prices, for the models that the first source lacks. Pure; read at release time only.

A key is a model as LiteLLM's users write it, mostly with the seller before it. Prices are US dollars a token, in fields
such as `cache_read_input_token_cost_above_200k_tokens_priority`; they have no dates, so they hold from ever.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clown_daemon.usage.model_names import MAKERS, SELLERS, seller
from clown_daemon.usage.prices.rates import PriceDataError, band, completed, picodollars
from clown_daemon.usage.pricing import LARGEST_SEARCH, ModelPrices, Price

Json = Mapping[str, Any]

ORIGIN = "litellm"
MODES = frozenset({"chat", "responses"})
SUFFIXES: Mapping[str, str] = {"standard": "", "priority": "_priority", "flex": "_flex", "batch": "_batches"}
CLASSES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
)
"""The order of the five rates."""
OTHERWISE_BILLED = (
    *("input_cost_per_request", "input_cost_per_character", "cost_per_second", "off_peak_pricing"),
    *(
        "output_cost_per_audio_token",
        "output_cost_per_image_token",
        "output_cost_per_image",
        "output_cost_per_video_token",
    ),
)
"""A model with one of these costs something that a response does not tell, or at hours that a table cannot tell."""
FAMILIES: Mapping[str, str] = {
    "claude": "anthropic",
    "gpt": "openai",
    "gemini": "google",
    "gemma": "google",
    "grok": "xai",
    "kimi": "moonshot",
    "deepseek": "deepseek",
    "glm": "zai",
    "minimax": "minimax",
    "qwen": "qwen",
    "llama": "meta",
    "mistral": "mistral",
}
"""Who makes the models whose names begin so. What a maker sells of another's is left out: it would count as its own."""
REGIONAL = frozenset({"bedrock", "azure"})
"""Whose names begin with a region here (`us-east-1/`) as nobody else writes them."""

_VERTEX = "vertex_ai-"
_FAMILY = re.compile(r"(?:zai-)?([a-z]+)")
_ABOVE = re.compile(r"^(?:in|out)put_cost_per_token_above_(\d+)k_tokens(.*)$")


def entries(content: Mapping[str, Json], left_out: list[str]) -> Iterator[tuple[str, ModelPrices]]:
    """Answer an entry for each name; names with more than one price are left out.

    Args:
        content: the whole table, its numbers read as `Decimal`.
        left_out: gets a line for each model whose price cannot be told exactly.
    """
    found: dict[tuple[str, str], list[Mapping[str, tuple[Price, ...]]]] = {}
    for key, entry in _text_models(content):
        try:
            prices = _prices(key, entry)
        except PriceDataError as error:
            left_out.append(f"{ORIGIN} {key}: {error}")
            continue
        if prices:
            found.setdefault(_seller_and_name(key, entry), []).append(prices)
    for (whose, name), (first, *others) in found.items():
        if any(other != first for other in others):
            left_out.append(f"{ORIGIN} {whose} {name}: it has more than one price")
        else:
            yield whose, ModelPrices(names=(name,), prices=first, origin=ORIGIN)


def _text_models(content: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for key, entry in content.items():
        if entry.get("mode") not in MODES or _seller(entry) is None:
            continue
        whose, name = _seller_and_name(key, entry)
        if not _of_another(whose, name) and not (whose in REGIONAL and "/" in name):
            yield key, entry


def _seller(entry: Json) -> str | None:
    written = str(entry.get("litellm_provider"))
    found = "vertex" if written.startswith(_VERTEX) else seller(written)
    return found if found in SELLERS else None


def _seller_and_name(key: str, entry: Json) -> tuple[str, str]:
    whose = _seller(entry)
    assert whose is not None
    first, slash, rest = key.lower().partition("/")
    # Some keys begin with the seller, others with the model's maker.
    return whose, rest if slash and seller(first) == whose else key.lower()


def _of_another(whose: str, name: str) -> bool:
    family = _FAMILY.match(name)
    return whose in MAKERS and family is not None and FAMILIES.get(family[1], whose) != whose


def _prices(key: str, entry: Json) -> dict[str, tuple[Price, ...]]:
    if any(entry.get(name) is not None for name in OTHERWISE_BILLED):
        raise PriceDataError("it is not billed by its tokens alone, or not all day")
    if not any(entry.get(name) for name in CLASSES[:2]) and not entry.get("tiered_pricing"):
        # Nothing, or 0: nobody says whether it is free or its price unknown.
        return {}
    found: dict[str, tuple[Price, ...]] = {}
    for tier, suffix in SUFFIXES.items():
        if tier == "standard" or entry.get(CLASSES[0] + suffix) is not None:
            found[tier] = (Price(bands=_bands(key, entry, suffix), web_search=_web_search(entry)),)
    return found


def _bands(key: str, entry: Json, suffix: str) -> tuple[tuple[int, ...], ...]:
    if (ranges := entry.get("tiered_pricing")) and not suffix:
        return tuple(_band(key, int(one["range"][0]), one, 0, suffix) for one in ranges)
    above = {int(found[1]) for name in entry if (found := _ABOVE.match(name)) and found[2] == suffix}
    return tuple(_band(key, thousands * 1000, entry, thousands, suffix) for thousands in sorted({0, *above}))


def _band(key: str, above: int, entry: Json, thousands: int, suffix: str) -> tuple[int, ...]:
    reasoning = entry.get("output_cost_per_reasoning_token")
    if reasoning is not None and reasoning != entry.get("output_cost_per_token"):
        raise PriceDataError("reasoning has a price of its own")
    given = [_cost(entry, name, thousands, suffix) for name in CLASSES]
    return band(above, completed(key, [None if usd is None else picodollars(usd, 1) for usd in given]))


def _cost(entry: Json, name: str, thousands: int, suffix: str) -> object:
    """The most particular price there is: of this size and tier, of this tier, of this size, of the model."""
    size = f"_above_{thousands}k_tokens" if thousands else ""
    written = (name + size + suffix, name + suffix, name + size, name)
    return next((entry[field] for field in written if entry.get(field) is not None), None)


def _web_search(entry: Json) -> int | None:
    costs = set((entry.get("search_context_cost_per_query") or {}).values())
    # Of sizes with prices of their own, a response does not tell which it was.
    return picodollars(costs.pop(), 1, LARGEST_SEARCH) if len(costs) == 1 else None
