"""What one row of the ledger says: a billed response, what it cost, and which of two witnesses of it is right.

Pure. One response is one row, however often and wherever a log repeats it: `Response.key` is equal for every
repetition, and `merge` is commutative but for the owner (session, project): there the first importer wins.
"""

from typing import NamedTuple


class Response(NamedTuple):
    """One billed response as a log tells it. Tokens are in five classes that do not overlap."""

    source: str
    """Which format it was read from: `claude`."""
    agent_id: str
    message_id: str
    request_id: str | None
    """None behind gateways that send no `request-id` header."""
    model: str
    session: str
    project: str | None
    """The working directory."""
    at_ms: int
    input_tokens: int
    """Without what was read from or written to a cache."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    web_searches: int = 0
    fast: bool = False
    sidechain: bool = False
    """Part of a side conversation: a sub-agent, or a replay of the parent's messages."""
    complete: bool = True
    """False while the log had only the beginning of a streamed response."""

    @property
    def cache_write_tokens(self) -> int:
        """Both kinds of cache writes."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def whole_input_tokens(self) -> int:
        """All input, cached or not: what long-context thresholds are measured by."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def key(self) -> str:
        """Equal for every repetition of one response.

        Without a request id the three input counts stand in for it: the lines of one streamed response share them,
        while a relay that gives every response the same message id does not repeat them.
        """
        if self.request_id is not None:
            return f"{self.source}|request|{self.message_id}|{self.request_id}"
        counts = f"{self.input_tokens}|{self.cache_write_tokens}|{self.cache_read_tokens}"
        return f"{self.source}|counts|{self.message_id}|{counts}"

    def replays(self, other: "Response") -> bool:
        """Whether this side line repeats a response of the main conversation under a new request id.

        The input counts must agree as well as the message id: behind a relay with one constant message id, the
        responses of a sub-agent would otherwise be taken for copies of their parent's.
        """
        return (
            self.sidechain
            and not other.sidechain
            and self.message_id == other.message_id
            and self.input_tokens == other.input_tokens
            and self.cache_write_tokens == other.cache_write_tokens
            and self.cache_read_tokens == other.cache_read_tokens
        )


class Costs(NamedTuple):
    """What a response costs, in whole picodollars (10**-12 US dollars), and by which price table."""

    input_pico: int
    output_pico: int
    cache_write_pico: int
    cache_read_pico: int
    total_pico: int
    """The sum of the four and of what is billed by the call: web searches."""
    price_table: str


class Entry(NamedTuple):
    """A row of the ledger."""

    response: Response
    costs: Costs | None
    """None where the model has no known price."""
    profile: str


def merge(kept: Entry, seen: Entry) -> Entry:
    """Join two witnesses of one response: `kept` was there first and owns it.

    The larger output is right, since a log also holds the beginnings of a streamed response; the day is that of the
    first time the response was seen.
    """
    ranks = _rank(seen.response), _rank(kept.response)
    right = (
        seen if ranks[0] > ranks[1] or (ranks[0] == ranks[1] and seen.response.model < kept.response.model) else kept
    )
    response = right.response._replace(
        session=kept.response.session,
        project=kept.response.project,
        at_ms=min(kept.response.at_ms, seen.response.at_ms),
        sidechain=kept.response.sidechain and seen.response.sidechain,
    )
    return Entry(response, right.costs, kept.profile)


def _rank(response: Response) -> tuple[int, bool, int, int, int, int, int, bool]:
    """Larger is right; past the first two only so that the order of reading never matters."""
    return (
        response.output_tokens,
        response.complete,
        response.cache_read_tokens,
        response.cache_write_1h_tokens,
        response.cache_write_5m_tokens,
        response.input_tokens,
        response.web_searches,
        response.fast,
    )
