"""From published prices to the exact integers of a table. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from clown_daemon.usage.pricing import LARGEST_RATE, Rates

PICO_PER_USD = 10**12


class PriceDataError(ValueError):
    """Published data, or one price in it, that cannot be used; the sentence says why."""


def picodollars(usd: object, units: int, largest: int = LARGEST_RATE) -> int:
    """Turn US dollars per so many units into picodollars a unit.

    Raises:
        PriceDataError: it is no number, no whole number of picodollars, negative, or beyond anything that is sold.
    """
    if isinstance(usd, bool) or not isinstance(usd, int | float | Decimal | str):
        raise PriceDataError(f"{usd!r} is no price")
    try:
        pico = Decimal(str(usd)) * PICO_PER_USD / units
    except InvalidOperation:
        raise PriceDataError(f"{usd!r} is no price") from None
    if not pico.is_finite() or not 0 <= pico <= largest:
        raise PriceDataError(f"{usd} US dollars per {units:,} is no sane price")
    if pico != int(pico):
        raise PriceDataError(f"{usd} US dollars per {units:,} is no whole number of picodollars")
    return int(pico)


def band(above: int, rates: Iterable[int]) -> tuple[int, ...]:
    """Answer a band as tables have it: `above`, and the rates without the last ones that go without saying."""
    kept = list(rates)
    while len(kept) > 2 and Rates.of(kept[:-1]) == Rates.of(kept):
        kept.pop()
    return (above, *kept)


def completed(model: str, given: Sequence[int | None]) -> Rates:
    """Complete five rates, of which the last three may be missing: cached tokens without a price are like others.

    Claude's cache write for an hour costs twice the input, wherever it is sold; resellers often do not list it.

    Raises:
        PriceDataError: input or output has no price.
    """
    base, output, read, write, write_1h = given
    if base is None or output is None:
        raise PriceDataError("a price without input or output")
    if write_1h is None and write is not None and "claude" in model.lower():
        write_1h = 2 * base
    write = base if write is None else write
    return Rates(base, output, base if read is None else read, write, write if write_1h is None else write_1h)
