"""What a meter finds out about one answer. Tokens are in the ledger's five classes, which do not overlap."""

from typing import Protocol

import msgspec

from clown_daemon.store.ledger import ServiceTier


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Billed tokens of one response."""

    input_tokens: int = 0
    """Without what was read from or written to a cache."""
    output_tokens: int = 0
    """With reasoning."""
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    """The part of the output that nobody was shown."""
    web_searches: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an answer so far."""

    counts: Counts | None = None
    """None while nothing was billed, or nothing of it could be read."""
    response_id: str | None = None
    model: str | None = None
    """The model that answered."""
    tier: ServiceTier = "standard"
    complete: bool = False
    """Whether the provider said that this is all."""
    cost_usd: float | None = None
    """What the provider itself says that it costs; a router does."""


class Reader(Protocol):
    """Reads one wire format's answers."""

    marker: bytes
    """Every event that bills holds this."""

    @property
    def measured(self) -> Measured:
        """What is known by now."""

    def read_event(self, data: bytes) -> None:
        """Take the data of one server-sent event; what is no JSON is passed over.

        Raises:
            ValueError: it should bill and cannot be read.
        """

    def read_body(self, body: bytes) -> None:
        """Take a whole answer that is no stream.

        Raises:
            ValueError: it cannot be read.
        """


def tier_of(told: str | None) -> ServiceTier:
    """Read how a request was served; what is not known by name has the standard prices."""
    match told:
        case "priority" | "flex" | "batch" | "fast":
            return told
        case _:
            return "standard"
