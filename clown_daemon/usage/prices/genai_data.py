"""The data that genai-prices publishes, as far as prices are made of it. Pure.

Prices are US dollars per million tokens (`_mtok`) or per thousand of something (`_kcount`), exact decimals.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from clown_daemon.usage.prices.rates import PriceDataError


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"any_of": "or", "all_of": "and"}):
    """Whether a name is a model's: one of these, in any case of letters."""

    equals: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    regex: str | None = None
    any_of: tuple["Rule", ...] | None = None
    all_of: tuple["Rule", ...] | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise ValueError(f"{self.regex!r} is no regular expression: {error}") from None

    def meets(self, name: str) -> bool:
        """Whether a name in lower case is the model's."""
        if self.any_of is not None:
            return any(rule.meets(name) for rule in self.any_of)
        if self.all_of is not None:
            return all(rule.meets(name) for rule in self.all_of)
        return (
            (self.equals is not None and name == self.equals.lower())
            or (self.starts_with is not None and name.startswith(self.starts_with.lower()))
            or (self.ends_with is not None and name.endswith(self.ends_with.lower()))
            or (self.contains is not None and self.contains.lower() in name)
            or (self.regex is not None and re.search(self.regex, name) is not None)
        )

    def spelled(self) -> Iterator[str]:
        """Answer every name that is written in the rule; the beginning of one is a name that a date follows."""
        for rule in (*(self.any_of or ()), *(self.all_of or ())):
            yield from rule.spelled()
        if name := self.equals or self.ends_with or self.contains:
            yield name.lower().lstrip("/")
        if self.starts_with:
            name = self.starts_with.lower().rstrip("-@.:")
            if not re.search(r"-20\d\d$", name):
                yield name


class Step(msgspec.Struct, frozen=True):
    """The price of requests with more than `start` tokens of input."""

    start: int
    price: Decimal


class Steps(msgspec.Struct, frozen=True):
    """A price that depends on the size of a request."""

    base: Decimal
    tiers: tuple[Step, ...]


Prices = Mapping[str, Decimal | Steps | None]


class Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a price holds: from a day on, or at hours of the day."""

    start_date: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class Conditional(msgspec.Struct, frozen=True):
    """Prices that hold at some time."""

    prices: Prices
    constraint: Constraint | None = None


class Variant(msgspec.Struct, frozen=True):
    """Prices that replace the standard ones of requests of some kind."""

    when: Mapping[str, str]
    prices: Prices
    constraint: Constraint | None = None


class ModelData(msgspec.Struct, frozen=True):
    """A model."""

    id: str
    match: Rule
    prices: Prices | tuple[Conditional, ...]
    price_variants: tuple[Variant, ...] | None = None


class ProviderData(msgspec.Struct, frozen=True):
    """A seller and its models."""

    id: str
    models: tuple[ModelData, ...]


class _Wrapped(msgspec.Struct, frozen=True):
    """The newer format."""

    providers: tuple[ProviderData, ...]


def decode_providers(content: bytes) -> Sequence[ProviderData]:
    """Read published data of either format: a list of providers, or an object that has it.

    Raises:
        PriceDataError: it is something else.
    """
    try:
        found = msgspec.json.decode(content, type=tuple[ProviderData, ...] | _Wrapped)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PriceDataError(f"this is no data of genai-prices: {error}") from None
    return found.providers if isinstance(found, _Wrapped) else found
