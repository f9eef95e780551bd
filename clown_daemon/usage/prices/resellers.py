"""Models that a router or a cloud sells at their maker's price: listed once, at the maker. Pure.

Their lists often leave out what the maker's has: the price of a cache write for an hour, of a cache read, of a tier.
Where all that they say is the maker's price, the maker's whole list is right for them, too.
"""

from collections.abc import Iterable, Iterator, Sequence

from clown_daemon.usage.model_names import CLOSED, MAKERS, forms
from clown_daemon.usage.prices.tables import by_seller
from clown_daemon.usage.pricing import ModelPrices, Price, PriceList, Rates, Table

Listed = tuple[str, ModelPrices]
"""A seller, and one of its models."""


def split_by_price(models: Sequence[Listed]) -> tuple[list[Listed], list[Listed]]:
    """Part models that have a price of their own from those that are sold at their maker's.

    Returns:
        The first as they are; the second with the maker's prices.
    """
    of_makers = by_seller((seller, model) for seller, model in models if seller in MAKERS)
    makers = PriceList((Table(date="", sources=(), models=of_makers),))
    own: list[Listed] = []
    makers_price: list[Listed] = []
    for seller, model in models:
        found = None if seller in MAKERS or seller in CLOSED else _maker_of(makers, seller, model)
        if found is None or not _says_no_more(model.prices["standard"], found.prices["standard"]):
            own.append((seller, model))
        else:
            makers_price.append((seller, ModelPrices(model.names, found.prices, found.origin)))
    return own, makers_price


def shadowed(own: Iterable[Listed], at_makers_price: Iterable[Listed]) -> Iterator[Listed]:
    """Answer those at their maker's price that, were they not listed, would be taken for another of their seller's."""
    names = {(seller, name) for seller, model in own for name in model.names}
    for seller, model in at_makers_price:
        if any((seller, form.name) in names and form.suits(seller) for name in model.names for form in forms(name)):
            yield seller, model


def _maker_of(makers: PriceList, seller: str, model: ModelPrices) -> ModelPrices | None:
    found = {match.model.id: match.model for name in model.names for match in makers.find(name, seller)}
    known = all(makers.find(name, seller) for name in model.names)
    return next(iter(found.values())) if known and len(found) == 1 else None


def _says_no_more(listed: Sequence[Price], of_maker: Sequence[Price]) -> bool:
    """Whether a list without dates says nothing but the maker's newest price, as far as it says anything."""
    if len(listed) != 1 or listed[0].hours or any(price.hours for price in of_maker):
        return False
    bands, makers_bands = listed[0].bands, of_maker[-1].bands
    return len(bands) == len(makers_bands) and all(
        above == makers_above and tuple(rates) == Rates.of(makers_rates)[: len(rates)]
        for (above, *rates), (makers_above, *makers_rates) in zip(bands, makers_bands, strict=True)
    )
