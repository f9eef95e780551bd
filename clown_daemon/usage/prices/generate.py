"""Write `table.json` from the data of the library genai-prices (MIT). For maintainers; the daemon never imports this.

    pip install genai-prices && python -m clown_daemon.usage.prices.generate

The library is not needed at run time: importing it costs 0.3 seconds and 27 MB, and one of its price calculations
0.16 ms. Prices in the table are whole picodollars a token, so that sums are exact.
"""

import datetime as dt
import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

PROVIDERS = ("anthropic", "openai", "google")
"""In order of precedence: the first to claim a name keeps it."""
PICO_PER_USD = 10**12
CLASSES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
"""The order of the five rates in the table."""


def main() -> None:
    """Print the table to `table.json` beside this file."""
    library: Any = importlib.import_module("genai_prices.data")
    taken: set[str] = set()
    models = [entry for provider in _providers(library) for entry in _entries(provider, taken)]
    table = {
        "source": "genai-prices",
        "license": "MIT, Copyright (c) Pydantic Services Inc. and contributors",
        "version": importlib.metadata.version("genai-prices"),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "unit": "picodollars a token, in the order input, output, cache read, 5 minute write, 1 hour write",
        "models": models,
    }
    target = Path(__file__).with_name("table.json")
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in models)
    head = json.dumps({**table, "models": []}, indent=1).removesuffix("[]\n}")
    target.write_text(f"{head}[\n{lines}\n]}}\n", encoding="utf-8")
    sys.stdout.write(f"{len(models)} models in {target}\n")


def _providers(library: Any) -> Iterator[Any]:
    by_id = {provider.id: provider for provider in library.providers}
    for name in PROVIDERS:
        yield by_id[name]


def _entries(provider: Any, taken: set[str]) -> Iterator[dict[str, object]]:
    claimed = {model.id: {model.id.lower(), *_names(model.match)} for model in provider.models}
    ids = {model.id.lower() for model in provider.models}
    for model in provider.models:
        # A model's own id is never another one's nickname.
        names = {name for name in claimed[model.id] if name == model.id.lower() or name not in ids} - taken
        rates = [entry for price in _dated(model) if (entry := _rates(model, *price))]
        if not names or not rates:
            continue
        taken |= names
        yield {"id": model.id, "provider": provider.id, "names": sorted(names), "prices": rates}


def _names(clause: Any) -> Iterator[str]:
    """Every name that a matching rule spells out; a prefix counts as the name that a date follows."""
    for part in getattr(clause, "or_", None) or getattr(clause, "and_", None) or ():
        yield from _names(part)
    if equals := getattr(clause, "equals", None):
        yield equals.lower()
    if prefix := getattr(clause, "starts_with", None):
        name = prefix.lower().rstrip("-@.:")
        if not re.search(r"-20\d\d$", name):
            yield name


def _dated(model: Any) -> Iterator[tuple[str | None, Any]]:
    """The standard prices with the UTC day from which each holds, oldest first; the first holds from ever."""
    if not isinstance(model.prices, list):
        yield None, model.prices
        return
    for number, conditional in enumerate(model.prices):
        start = getattr(conditional.constraint, "start_date", None)
        if number and start is None:
            raise ValueError(f"{model.id}: prices by the hour of the day are not supported")
        yield (start.isoformat() if start else None), conditional.prices


def _rates(model: Any, start: str | None, price: Any) -> dict[str, object] | None:
    standard = _tiers(price.__dict__)
    if standard is None:
        return None
    entry: dict[str, object] = {"from": start, "tiers": standard}
    for variant in model.price_variants or ():
        if variant.when == {"speed": "fast"}:
            entry["fast"] = _tiers({**price.__dict__, **variant.prices.__dict__})
    searches = price.__dict__.get("web_searches_kcount")
    if searches:
        entry["web_search"] = _pico(searches, 1000)
    return entry


def _tiers(prices: dict[str, Any]) -> list[list[object]] | None:
    """Answer `[[above, [five rates]], ...]`, ascending from 0; None for a model that is not billed by the token."""
    if prices.get("input_mtok") is None or prices.get("output_mtok") is None:
        return None
    starts = {0} | {tier.start for name in CLASSES for tier in getattr(prices.get(name), "tiers", ())}
    return [[start, [_pico(rate, 10**6) for rate in _five(prices, start)]] for start in sorted(starts)]


def _five(prices: dict[str, Any], start: int) -> list[Decimal]:
    found = [_at(prices.get(name), start) for name in CLASSES]
    base, output, read, write, write_hour = found
    if base is None or output is None:
        raise ValueError("a price without input or output")
    # Where cached input has no price of its own it is input like any other.
    if write_hour is None:
        write_hour = 2 * base if write is not None else base
    return [base, output, base if read is None else read, base if write is None else write, write_hour]


def _at(price: Any, start: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    value: Decimal = price.base
    for tier in price.tiers:
        if start >= tier.start:
            value = tier.price
    return value


def _pico(usd: Decimal, units: int) -> int:
    pico = usd * PICO_PER_USD / units
    if pico != int(pico):
        raise ValueError(f"{usd} USD per {units} is no whole number of picodollars")
    return int(pico)


if __name__ == "__main__":
    main()
