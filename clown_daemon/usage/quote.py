"""What a model costs on a day, laid out for people: a line for each service tier, hour of the day and size. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from clown_daemon.usage.prices.tables import TIERS
from clown_daemon.usage.pricing import PriceList, Rates, first_instant_ms, utc_day


class Line(NamedTuple):
    """The rates of one kind of request."""

    tier: str
    above: int
    """For requests with more tokens of input than this."""
    hours: tuple[int, int] | None
    """From and until which minute of the UTC day; None: the rest of it."""
    rates: Rates
    web_search: int | None
    """Picodollars a search."""
    since: str | None
    """The UTC day from which they hold; None: from ever."""
    price_table: str


def quote(prices: PriceList, model: str, provider: str | None, day: str) -> tuple[Line, ...]:
    """Answer everything that is known of a model's price on a UTC day; nothing where no price is known."""
    return tuple(line for tier in TIERS for line in _of_tier(prices, model, provider, day, tier))


def _of_tier(prices: PriceList, model: str, provider: str | None, day: str, tier: str) -> Iterator[Line]:
    at_ms = first_instant_ms(day)
    for offer in prices.offers(model, provider, tier):
        if offer.from_ms > at_ms:
            continue
        since = utc_day(offer.from_ms) if offer.from_ms >= first_instant_ms("1970-01-01") else None
        for above, rates in ((0, offer.rates), *reversed(offer.dearer)):
            yield Line(tier, above, offer.hours, rates, offer.web_search, since, offer.label)
        if offer.hours is None:
            return


def usd_per_million(pico: int) -> str:
    """Write picodollars a token as US dollars per million tokens, exactly: `0.3`, `22.5`."""
    return _plain(Decimal(pico).scaleb(-6))


def usd_per_thousand(pico: int) -> str:
    """Write picodollars a search as US dollars per 1,000 searches, exactly."""
    return _plain(Decimal(pico).scaleb(-9))


def clock(hours: tuple[int, int]) -> str:
    """Write hours of a day: `01:00-04:00`."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


def _plain(usd: Decimal) -> str:
    return f"{usd.normalize():f}"
