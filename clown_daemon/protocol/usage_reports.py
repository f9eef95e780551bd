"""What is told of the ledger apart from totals: time lines, sessions, and rows for a spreadsheet."""

import msgspec

from clown_daemon.protocol.requests import Bucket, Dimension
from clown_daemon.protocol.resources import Cost, Instant, Tokens, UsageBucket


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one profile, agent, provider, model or project used, step by step."""

    name: str
    buckets: tuple[UsageBucket, ...]
    """Oldest first; steps without usage are left out."""


class UsageSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/usage/series`."""

    period: str
    bucket: Bucket
    by: Dimension
    time_zone: str
    start_ms: int
    """When the period began; of all time: the day of the first response."""
    end_ms: int
    lines: tuple[UsageLine, ...]
    """Sorted by name. A day of the zone has 23 or 25 hours where clocks change; hours are the zone's full hours."""


class SessionUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one session of an agent used within a period."""

    session: str
    """Its name, as the agent gave it."""
    agent_id: str
    parent_session: str | None
    """The session that it was forked from."""
    profiles: tuple[str, ...]
    """This and the next two are of all of its time, sorted."""
    models: tuple[str, ...]
    projects: tuple[str, ...]
    """Working directories."""
    tokens: Tokens
    cost: Cost
    responses: int
    unpriced_responses: int
    first_used: Instant
    """Of all of its time, as is `last_used`."""
    last_used: Instant


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/usage/sessions`."""

    period: str
    sessions: tuple[SessionUsage, ...]
    next: str | None
    """Pass it as `after` to go on; null on the last page."""


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one model of one profile, agent and provider was used for on one day."""

    date: str
    """The day in the time zone, `2026-11-23`."""
    profile: str
    agent_id: str
    provider: str
    model: str
    responses: int
    unpriced_responses: int
    input_tokens: int
    output_tokens: int
    """With reasoning."""
    cache_creation_5m_input_tokens: int
    cache_creation_1h_input_tokens: int
    cache_read_input_tokens: int
    reasoning_output_tokens: int
    web_searches: int
    cost: Cost


class UsageExport(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/usage/export` as JSON."""

    period: str
    time_zone: str
    rows: tuple[ExportRow, ...]
    """Sorted by date, profile, agent, provider and model."""
