"""What one row of the ledger says: a billed response, what it cost, and which of two witnesses of it is right.

Pure. One response is one row, however often and wherever it is told: `Response.key` is equal for every repetition, and
`merge` is commutative but for the owner (agent, session, project, profile): there the first importer wins.
"""

from typing import Literal, NamedTuple

from clown_daemon.protocol.resources import UNATTRIBUTED

PROXY = "proxy"
"""The source of what a proxy metered: the answer itself, not what an agent makes of it."""

ServiceTier = Literal["standard", "fast", "priority", "flex", "batch"]
"""How a request was served; each has prices of its own."""

SOURCES_OF_SUMS = frozenset({"droid"})
"""Sources that tell what many responses had together, and not how large one was: nothing says that one of them passed a
long-context threshold."""


class Response(NamedTuple):
    """One billed response, as a log or a proxy tells it. Tokens are in five classes that do not overlap."""

    source: str
    """Who told it: a log format (`claude`, `codex`, ...)."""
    agent_id: str
    key: str
    """Equal for every repetition of one response, whoever tells it. Made of the provider's own ids where there are any
    (`anthropic|msg_1|req_1`, `openai|resp_1`), so that a proxy that saw the same response makes the same key."""
    provider: str
    """Who billed it: `anthropic`, `openai`, ..."""
    model: str
    session: str
    project: str | None
    """The working directory."""
    at_ms: int
    input_tokens: int
    """Without what was read from or written to a cache."""
    output_tokens: int
    """With reasoning."""
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int = 0
    """The part of the output that nobody was shown."""
    web_searches: int = 0
    tier: ServiceTier = "standard"
    sidechain: bool = False
    """Part of a side conversation: a sub-agent, or a replay of the parent's messages."""
    complete: bool = True
    """False while the log had only the beginning of a streamed response."""
    response_id: str | None = None
    """The provider's id of it."""
    twin: str | None = None
    """Equal in a response and in what may be a replay of it under another key, of one agent; None where nothing is
    replayed. Every witness of a key tells the same, or None. `usage_replays` decides which of the copies counts."""
    parent_session: str | None = None
    """The session that this one was forked from and whose responses it may replay."""

    @property
    def cache_write_tokens(self) -> int:
        """Both kinds of cache writes."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def whole_input_tokens(self) -> int:
        """All input, cached or not: what long-context thresholds are measured by; 0 where that is not known."""
        if self.source in SOURCES_OF_SUMS:
            return 0
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens


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
    first time the response was seen. What only one of them knows is kept, and a proxy knows whose profile it serves.
    """
    right, other = (seen, kept) if _is_right(seen.response, kept.response) else (kept, seen)
    response = right.response._replace(
        agent_id=kept.response.agent_id,
        session=kept.response.session or seen.response.session,
        project=kept.response.project or seen.response.project,
        parent_session=kept.response.parent_session or seen.response.parent_session,
        at_ms=min(kept.response.at_ms, seen.response.at_ms),
        sidechain=kept.response.sidechain and seen.response.sidechain,
        response_id=right.response.response_id or other.response.response_id,
        twin=right.response.twin or other.response.twin,
    )
    unclaimed = kept.profile == UNATTRIBUTED and seen.response.source == PROXY
    return Entry(response, right.costs, seen.profile if unclaimed else kept.profile)


def _is_right(one: Response, other: Response) -> bool:
    ranks = _rank(one), _rank(other)
    if ranks[0] != ranks[1]:
        return ranks[0] > ranks[1]
    return (one.model, one.provider, one.source) < (other.model, other.provider, other.source)


def _rank(response: Response) -> tuple[int | bool | str, ...]:
    """Larger is right; past the first three only so that the order of reading never matters."""
    return (
        response.output_tokens,
        response.complete,
        response.source == PROXY,
        response.cache_read_tokens,
        response.cache_write_1h_tokens,
        response.cache_write_5m_tokens,
        response.input_tokens,
        response.reasoning_tokens,
        response.web_searches,
        response.tier,
    )
