"""The files that prices come from: the table that is shipped, and the user's own `prices.toml`, which wins.

The user's file, in US dollars per million tokens:

    [models."my-model"]
    input = 3
    output = 15
    cache_read = 0.30       # these three default to the price of input
    cache_write_5m = 3.75
    cache_write_1h = 6
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path

import msgspec

from clown_daemon.protocol.names import nearest_name
from clown_daemon.usage.pricing import ModelPrices, Price, PriceList, Rates, Table, Tier

PICO_PER_USD_PER_MILLION = 10**6
LARGEST_USD_PER_MILLION = 10_000
"""Above it is a slip of the unit; it also keeps every sum within 64 bits."""
FIELDS = Rates._fields


class PricesError(ValueError):
    """The user's file cannot be used; the sentence says why."""


def shipped_table() -> Table:
    """Read the table that is part of the package."""
    content = resources.files("clown_daemon.usage.prices").joinpath("table.json").read_bytes()
    return msgspec.json.decode(content, type=Table)


def load_prices(user_file: Path) -> tuple[PriceList, tuple[str, ...]]:
    """Read both tables; a user file that cannot be used becomes one sentence, and the shipped table serves alone."""
    shipped = shipped_table()
    try:
        return PriceList((read_user_table(user_file.read_text("utf-8")), shipped)), ()
    except FileNotFoundError:
        return PriceList((shipped,)), ()
    except (PricesError, OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return PriceList((shipped,)), (f"your prices in {user_file} are not used: {reason}",)


def read_user_table(text: str) -> Table:
    """Read the content of `prices.toml`.

    Raises:
        PricesError: it is no TOML, an unknown name, or no price.
    """
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PricesError(str(error)) from None
    _check_names("", content, ("models",))
    models = content.get("models", {})
    if not isinstance(models, dict):
        raise PricesError("models is not a table")
    return Table(
        source="user", version="prices.toml", date="", models=tuple(_model(name, body) for name, body in models.items())
    )


def _model(name: str, body: object) -> ModelPrices:
    if not isinstance(body, dict):
        raise PricesError(f"models.{name} is not a table")
    _check_names(f"models.{name}.", body, FIELDS)
    missing = [field for field in ("input", "output") if field not in body]
    if missing:
        raise PricesError(f"models.{name} lacks {' and '.join(missing)}")
    given = {field: _pico(f"models.{name}.{field}", body.get(field, body["input"])) for field in FIELDS}
    tiers = (Tier(0, Rates(**given)),)
    return ModelPrices(id=name, names=(name.lower(),), prices=(Price(valid_from=None, tiers=tiers, fast=tiers),))


def _pico(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PricesError(f"{where} is no number of US dollars per million tokens")
    usd = Decimal(value)
    if usd.is_nan() or not 0 <= usd <= LARGEST_USD_PER_MILLION:
        raise PricesError(f"{where} is not between 0 and {LARGEST_USD_PER_MILLION}")
    pico = usd * PICO_PER_USD_PER_MILLION
    if pico != int(pico):
        raise PricesError(f"{where} has more than six decimals")
    return int(pico)


def _check_names(where: str, body: Mapping[str, object], known: tuple[str, ...]) -> None:
    for name in body:
        if name not in known:
            near = nearest_name(name, known)
            raise PricesError(f"unknown name {where}{name}" + (f", did you mean {near}?" if near else ""))
