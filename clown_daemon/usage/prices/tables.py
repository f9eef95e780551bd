"""Price tables as a whole: what a sound one is, how it is written, and in what two of them differ. Pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, get_args

import msgspec

from clown_daemon.store.ledger import ServiceTier
from clown_daemon.usage.model_names import forms
from clown_daemon.usage.prices.rates import PriceDataError
from clown_daemon.usage.pricing import ModelPrices, Price, PriceList, Source, Table

TIERS: tuple[str, ...] = get_args(ServiceTier)
UNIT = (
    "picodollars a token; a band is [above, input, output, cache read, 5 minute write, 1 hour write]; what is left out"
    " costs what input costs, or a write of an hour what one of 5 minutes costs"
)


def decode_table(content: bytes) -> Table:
    """Read a table and check all of it.

    Raises:
        PriceDataError: it is no table, or not a sound one.
    """
    try:
        table = msgspec.json.decode(content, type=Table)
    except msgspec.DecodeError as error:
        raise PriceDataError(f"it is no price table: {error}") from None
    check_table(table)
    return table


def encode_table(table: Table) -> bytes:
    """Write a table with a line for each model, so that two releases can be compared."""
    head = {"date": table.date, "sources": msgspec.to_builtins(table.sources), "unit": UNIT}
    sellers = (
        json.dumps(seller).encode() + b": [\n" + b",\n".join(map(msgspec.json.encode, models)) + b"\n]"
        for seller, models in table.models.items()
    )
    return (
        json.dumps(head, indent=1).removesuffix("\n}").encode()
        + b',\n "models": {\n'
        + b",\n".join(sellers)
        + b"\n}}\n"
    )


def check_table(table: Table) -> None:
    """Check what the types of a table do not say.

    Raises:
        PriceDataError: a day that does not exist, an unknown tier, bands out of order, or two models with one name.
    """
    _check_day(table.date)
    for seller, models in table.models.items():
        taken: set[str] = set()
        for model in models:
            _check_model(f"{seller} {model.id}", model, taken)


def _check_model(where: str, model: ModelPrices, taken: set[str]) -> None:
    for name in model.names:
        if name in taken or name != name.lower():
            raise PriceDataError(f"{where}: the name {name} is not its own, or not in lower case")
        taken.add(name)
    for tier, prices in model.prices.items():
        if tier not in TIERS:
            raise PriceDataError(f"{where}: {tier} is no service tier")
        for price in prices:
            _check_price(where, price)


def _check_price(where: str, price: Price) -> None:
    if price.valid_from is not None:
        _check_day(price.valid_from)
    above = [start for start, *_ in price.bands]
    if not above or above[0] != 0 or above != sorted(set(above)):
        raise PriceDataError(f"{where}: its thresholds do not ascend from 0")


def _check_day(day: str) -> None:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise PriceDataError(f"{day!r} is no day") from None


def with_names_that_count(seller: str, models: Sequence[ModelPrices]) -> tuple[ModelPrices, ...]:
    """Leave out names of one seller's models that are found by a shorter form anyway; never a model's own."""
    owner = {name: model for model in models for name in model.names}
    kept = dict(owner)
    for name in sorted(owner, key=lambda name: (-len(name), name)):
        if name != owner[name].id and _found(seller, name, kept) is owner[name]:
            del kept[name]
    return tuple(
        msgspec.structs.replace(
            model, names=tuple(name for name in model.names if name in kept or _found(seller, name, kept) is not model)
        )
        for model in models
    )


def _found(seller: str, name: str, names: dict[str, ModelPrices]) -> ModelPrices | None:
    _, *shorter = forms(name)
    return next((names[form.name] for form in shorter if form.name in names and form.suits(seller)), None)


class Changes(NamedTuple):
    """In which models, written `seller model`, prices differ from the ones before."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    """No longer listed; what an older table says of them stays right."""
    repriced: tuple[str, ...]


def changes(old: Sequence[Table], new: Table) -> Changes:
    """Compare a table with those that served before it, of which the first makes room for it."""
    before = PriceList(old)
    added: list[str] = []
    repriced: list[str] = []
    for seller, models in new.models.items():
        for model in models:
            found = before.find(model.id, seller)
            if not found:
                added.append(f"{seller} {model.id}")
            elif found[0].model.prices != model.prices:
                repriced.append(f"{seller} {model.id}")
    listed = {(seller, name) for seller, models in new.models.items() for model in models for name in model.names}
    removed = [
        f"{seller} {model.id}"
        for seller, models in old[0].models.items()
        for model in models
        if model.origin is None and (seller, model.id) not in listed
    ]
    return Changes(tuple(added), tuple(removed), tuple(repriced))


def table_of(day: str, sources: Sequence[Source], models: Iterable[tuple[str, ModelPrices]]) -> Table:
    """Put a table together of sellers and their models, everything in the order of names.

    Raises:
        PriceDataError: it is not sound.
    """
    table = Table(
        date=day,
        sources=tuple(sources),
        models={
            seller: with_names_that_count(seller, sorted(found, key=lambda model: model.id))
            for seller, found in sorted(by_seller(models).items())
        },
    )
    check_table(table)
    return table


def by_seller(models: Iterable[tuple[str, ModelPrices]]) -> dict[str, tuple[ModelPrices, ...]]:
    """Put the models of each seller together."""
    found: dict[str, list[ModelPrices]] = {}
    for seller, model in models:
        found.setdefault(seller, []).append(model)
    return {seller: tuple(of_seller) for seller, of_seller in found.items()}
