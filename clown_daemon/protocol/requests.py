"""What a caller may ask for: bodies and query parameters. Strict: an unknown name is refused, the nearest one named.

`UNSET` means "not given"; it differs from None ("make it empty") where a field may be emptied.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

Position = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""The number of an event or a line; JSON carries no larger ones exactly."""


class CreateProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/profiles`. `repr` of it would show the key, so it is never logged."""

    agent_id: str
    alias: str
    provider_id: str
    endpoint_id: str | None = None
    model: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"CreateProfile(alias={self.alias!r})"


class UpdateProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /api/profiles/{alias}`: only what is given changes; null empties a field."""

    provider_id: str | UnsetType = UNSET
    endpoint_id: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    api_key: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "UpdateProfile(...)"


class RunProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/profiles/{alias}/run`."""

    args: tuple[str, ...] = ()
    working_dir: str | None = None
    """An absolute path; None is the profile's home."""


class ShutDown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/daemon/shutdown`; an empty one stops it."""

    if_idle: bool = False
    """Only when nobody needs it: no client but passive ones, no run, no command; else `busy` says what keeps it."""
    reason: Literal["stop", "upgrade"] = "stop"
    """What `DaemonShuttingDown` and the close of the streams tell."""


class NoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command that takes none: empty, or `{}`."""


class NoQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a call that takes none."""


class ProfilesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/profiles`."""

    agent: str | None = None


Period = Literal["today", "yesterday", "week", "month", "7d", "30d", "all"]

PERIOD_LABELS: dict[str, str] = {
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "This week",
    "month": "This month",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "all": "All time",
}


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage`."""

    period: Period = "today"
    profile: str | None = None
    model: str | None = None
    tz: str | None = None
    """An IANA time zone; None is the daemon's local zone."""


class ImportClaudeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `POST /api/usage/import-claude`."""

    claude_dir: str | None = None
    """A Claude configuration folder, or its `projects` folder; None looks where Claude Code itself does."""


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/events`."""

    since: Position = 0
    types: str | None = None
    """Names, globs and groups, separated by commas."""
    profile: str | None = None
    limit: int = 100


class MetricsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /metrics`."""

    passive: Literal[0, 1] | None = None
    """1: this request does not keep the daemon from its idle timeout."""


class OutputQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/profiles/{alias}/output`."""

    after: Position = 0
    """The number of the last line the caller has; lines count from 1."""
    limit: int = 1000


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `/ws`."""

    hello: int | None = None
    since: Position | None = None
    log: str | None = None
    events: str | None = None
    passive: int | None = None
    """1: this connection does not keep the daemon from its idle timeout."""
