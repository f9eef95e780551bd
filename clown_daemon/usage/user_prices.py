"""The user's own `prices.toml`, in US dollars per million tokens, and per 1,000 web searches.

    [models."my-model"]
    input = 3
    output = 15
    cache_read = 0.30        # left out, it is the price of input
    cache_write_5m = 3.75    # the same
    cache_write_1h = 6       # left out, it is the price of the write for 5 minutes
    web_search = 10
    from = 2026-01-01        # holds from this day on (UTC)
    provider = "openrouter"  # holds only where the model is bought there
    long_context = [{ above = 200_000, input = 6, output = 22.5 }]

    [models."my-model".fast] # and priority, flex, batch
    input = 6
    output = 30

`[[models."my-model"]]`, more than once, is a model whose price changed. Pure.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from clown_daemon.protocol.names import nearest_name
from clown_daemon.usage.model_names import seller
from clown_daemon.usage.pricing import ANYBODY, LARGEST_RATE, LARGEST_SEARCH, ModelPrices, Price, Rates, Source, Table

PICO_PER_USD = 10**12
RATES = Rates._fields
TIERS = ("fast", "priority", "flex", "batch")
LONG_CONTEXT = (*RATES, "above")
TIER = (*RATES, "web_search", "long_context")
MODEL = (*TIER, *TIERS, "from", "provider")

_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


class PricesError(ValueError):
    """The user's file cannot be used; the sentence says why."""


def read_user_table(text: str) -> Table:
    """Read the content of `prices.toml`.

    Raises:
        PricesError: it is no TOML, has an unknown name, or something that is no price.
    """
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PricesError(str(error)) from None
    _check_names("", content, ("models",))
    found: dict[tuple[str, str], list[tuple[str, Mapping[str, Price]]]] = {}
    for name, body in _table("models", content.get("models", {})).items():
        for where, period in _periods(f"models.{name}", body):
            _check_names(where, period, MODEL)
            bought_at = seller(_text(f"{where}.provider", period["provider"])) if "provider" in period else None
            found.setdefault((bought_at or ANYBODY, name.strip().lower()), []).append((where, _tiers(where, period)))
    models: dict[str, tuple[ModelPrices, ...]] = {}
    for (whose, name), periods in found.items():
        models[whose] = (*models.get(whose, ()), ModelPrices(names=(name,), prices=_by_tier(periods)))
    return Table(date="", sources=(Source("user", "prices.toml"),), models=models)


def _periods(where: str, body: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not isinstance(body, list):
        yield where, _table(where, body)
        return
    for number, period in enumerate(body, 1):
        yield f"{where}[{number}]", _table(f"{where}[{number}]", period)


def _by_tier(periods: Sequence[tuple[str, Mapping[str, Price]]]) -> dict[str, tuple[Price, ...]]:
    """Put the periods of one model in order, each tier's by itself."""
    days: set[str | None] = set()
    for where, tiers in periods:
        day = tiers["standard"].valid_from
        if day in days:
            since = "no day" if day is None else f"the day {day}"
            raise PricesError(f"{where} is the second price of this model with {since} to hold from")
        days.add(day)
    in_order = sorted((tiers for _, tiers in periods), key=lambda tiers: tiers["standard"].valid_from or "")
    return {
        tier: tuple(tiers[tier] for tiers in in_order if tier in tiers)
        for tier in ("standard", *TIERS)
        if any(tier in tiers for tiers in in_order)
    }


def _tiers(where: str, body: Mapping[str, object]) -> dict[str, Price]:
    day = _day(f"{where}.from", body["from"]) if "from" in body else None
    found = {"standard": _price(where, body, day, None)}
    for tier in TIERS:
        if tier in body:
            inner = _table(f"{where}.{tier}", body[tier])
            _check_names(f"{where}.{tier}", inner, TIER)
            found[tier] = _price(f"{where}.{tier}", inner, day, found["standard"].web_search)
    return found


def _price(where: str, body: Mapping[str, object], day: str | None, web_search: int | None) -> Price:
    bands = [(0, *_rates(where, body))]
    for number, band in enumerate(_list(f"{where}.long_context", body.get("long_context", [])), 1):
        here = f"{where}.long_context[{number}]"
        inner = _table(here, band)
        _check_names(here, inner, LONG_CONTEXT)
        above = inner.get("above")
        if isinstance(above, bool) or not isinstance(above, int) or above <= bands[-1][0]:
            raise PricesError(f"{here}.above is no number of tokens, each larger than the one before")
        bands.append((above, *_rates(here, inner)))
    if "web_search" in body:
        web_search = _pico(f"{where}.web_search", body["web_search"], 1000, LARGEST_SEARCH, "1,000 searches")
    return Price(bands=tuple(bands), valid_from=day, web_search=web_search)


def _rates(where: str, body: Mapping[str, object]) -> Rates:
    missing = [name for name in RATES[:2] if name not in body]
    if missing:
        raise PricesError(f"{where} lacks {' and '.join(missing)}")
    given = dict(body)
    for name, otherwise in (("cache_read", "input"), ("cache_write_5m", "input"), ("cache_write_1h", "cache_write_5m")):
        given.setdefault(name, given[otherwise])
    return Rates(*(_pico(f"{where}.{name}", given[name], 10**6, LARGEST_RATE, "million tokens") for name in RATES))


def _pico(where: str, value: object, units: int, largest: int, of_what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PricesError(f"{where} is no number of US dollars per {of_what}")
    pico = Decimal(value) * PICO_PER_USD / units
    if pico.is_nan() or not 0 <= pico <= largest:
        raise PricesError(f"{where} is not between 0 and {largest * units // PICO_PER_USD}")
    if pico != int(pico):
        raise PricesError(f"{where} has more decimals than are counted")
    return int(pico)


def _day(where: str, value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str) or not _DAY.match(value):
        raise PricesError(f"{where} is no day such as 2026-01-31")
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise PricesError(f"{where}: there is no day {value}") from None


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise PricesError(f"{where} is no text")
    return value


def _table(where: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PricesError(f"{where} is not a table")
    return value


def _list(where: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise PricesError(f"{where} is not a list of tables")
    return value


def _check_names(where: str, body: Mapping[str, object], known: Sequence[str]) -> None:
    for name in body:
        if name not in known:
            near = nearest_name(name, known)
            full = f"{where}.{name}" if where else name
            raise PricesError(f"unknown name {full}" + (f", did you mean {near}?" if near else ""))
