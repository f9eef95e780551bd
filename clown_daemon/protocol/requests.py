"""What a caller may ask for: bodies and query parameters. Strict: an unknown name is refused, the nearest one named.

`UNSET` means "not given"; it differs from None ("make it empty") where a field may be emptied. Bounds of numbers are
checked while decoding; the rules of texts stand here for the documents and are checked, with a sentence that says what
is wrong, by the features (`clown_daemon.profiles.rules`).
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clown_daemon.protocol.resources import MAX_NUMBER, MAX_TEXT_LENGTH, BudgetPeriod, ProxySettings

MAX_ALIAS_LENGTH = 64
MAX_KEY_LENGTH = 8192
MAX_OUTPUT_LINES = 10_000
MAX_PAGE = 1000
MAX_THRESHOLDS = 8
MAX_WINDOWS = 100
LEAST_LIMIT_USD = 0.01
MAX_LIMIT_USD = 1_000_000
"""A million dollars in picodollars is still an integer of 64 bits."""

ALIAS_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$"
_NO_NUL = r"^[^\x00]*$"
_KEY = r"^\s*[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\s*$"
"""No control characters, apart from blanks around it, which pasting brings along."""
_NO_OPTION = r"^[^\S\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]*$"
"""Not read as an option once the blanks around it are gone."""


def _text(**rules: object) -> Meta:
    return Meta(extra_json_schema=rules)


Alias = Annotated[str, _text(minLength=1, maxLength=MAX_ALIAS_LENGTH, pattern=ALIAS_PATTERN)]
Model = Annotated[str, _text(minLength=1, maxLength=MAX_TEXT_LENGTH, pattern=_NO_OPTION)]
ApiKey = Annotated[str, _text(minLength=1, maxLength=MAX_KEY_LENGTH, pattern=_KEY, writeOnly=True)]
Folder = Annotated[str, _text(minLength=1, format="folder")]
"""The absolute path of a folder that exists."""
Position = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
"""The number of an event or a line."""
Flag = Annotated[int, Meta(ge=0, le=1)]
EventList = Annotated[str, _text(minLength=1, format="event-names")]
"""Names, globs and groups, separated by commas."""


class CreateProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/profiles`."""

    agent_id: str
    alias: Alias
    """Letters, digits, `.`, `_` and `-`; two aliases differ in more than case; `unattributed` is taken."""
    provider_id: str
    endpoint_id: str | None = None
    """One of the provider's endpoints; null chooses the best one for the agent."""
    model: Model | None = None
    """Null is the agent's own default."""
    api_key: ApiKey | None = None
    """Kept in the keyring, never answered; null is the agent's own login."""

    def __repr__(self) -> str:  # the generated one would show the key
        return f"CreateProfile(alias={self.alias!r})"


class UpdateProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /api/profiles/{alias}`: only what is given changes; null empties a field."""

    provider_id: str | UnsetType = UNSET
    """Another provider takes neither the endpoint nor the key along."""
    endpoint_id: str | UnsetType | None = UNSET
    model: Model | UnsetType | None = UNSET
    api_key: ApiKey | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "UpdateProfile(...)"


class RunProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/profiles/{alias}/run`."""

    args: tuple[Annotated[str, _text(pattern=_NO_NUL)], ...] = ()
    """The agent's arguments."""
    working_dir: Folder | None = None
    """An absolute path; null is the profile's home."""


class ChangeProxy(ProxySettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PUT /api/proxy/{alias}/settings`: all of the settings; what is left out is the default."""


class PrepareRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/runs`."""

    alias: Alias
    args: tuple[Annotated[str, _text(pattern=_NO_NUL)], ...] = ()
    """The agent's arguments."""
    working_dir: Folder | None = None
    """An absolute path; null is the profile's home."""


class RunBegan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PUT /api/runs/{id}/started`."""

    pid: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    """Of the agent, which leads a process group of its own."""


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PUT /api/runs/{id}/finished`."""

    exit_code: Annotated[int, Meta(ge=-255, le=255)] | None = None
    """The exit status, or minus the number of the signal that ended it; null when it never started."""
    error: Annotated[str, _text(maxLength=MAX_TEXT_LENGTH)] | None = None
    """Why it never started, in one sentence."""


class ProxyLogsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/proxy/{alias}/logs`."""

    lines: Annotated[int, Meta(ge=1, le=MAX_OUTPUT_LINES)] = 100


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
    """Only the profiles of this agent."""


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


Bucket = Literal["hour", "day"]
Dimension = Literal["profile", "agent", "provider", "model", "project"]
SessionOrder = Literal["last_used", "cost"]
SESSION_PLACE = r"^[0-9]{1,18}\.[0-9]{1,18}$"


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What part of the ledger a call is about; each that is given narrows it down."""

    period: Period = "today"
    profile: str | None = None
    """An alias, or `unattributed`."""
    agent: str | None = None
    """The id of an agent."""
    provider: str | None = None
    """Who billed it."""
    model: str | None = None
    """Its name; the same with a date counts too."""
    project: str | None = None
    """A working directory, exactly; an empty one is where nobody knows it."""
    tz: Annotated[str, _text(format="iana-time-zone")] | None = None
    """An IANA time zone, in which days are cut; the daemon's local one unless given."""


class UsageQuery(UsageFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage`."""

    by: Literal["project"] | None = None
    """`project`: the projects are told apart, too; there may be many."""


class UsageSeriesQuery(UsageFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage/series`."""

    bucket: Bucket = "day"
    """The length of a step; hours and days are those of the time zone."""
    by: Dimension = "profile"
    """What there is one line for."""


class UsageSessionsQuery(UsageFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage/sessions`."""

    sort: SessionOrder = "last_used"
    """The last used or the dearest come first."""
    after: Annotated[str, _text(pattern=SESSION_PLACE)] | None = None
    """The `next` of the page before."""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class UsageExportQuery(UsageFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage/export`."""

    format: Literal["csv", "json"] = "csv"


class ImportClaudeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `POST /api/usage/import-claude`."""

    claude_dir: Folder | None = None
    """A Claude configuration folder, or its `projects` folder; where Claude Code itself looks unless given."""


USAGE_SOURCES = ("claude", "codex", "opencode", "gemini", "qwen", "copilot", "amp", "droid")
"""Whose logs can be read."""


class ImportUsage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/usage/import`."""

    source: Annotated[str, _text(enum=USAGE_SOURCES)]
    path: Folder | None = None
    """The agent's folder, that of its logs in it, or one log; where the agent itself keeps them unless given."""


class CancelImports(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/usage/import/cancel`."""

    source: Annotated[str, _text(enum=USAGE_SOURCES)] | None = None
    """Null is every import."""


Threshold = Annotated[int, Meta(ge=1, le=1000)]


class SetBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /api/budgets`: one of the two limits, and what it is for."""

    profile: str | UnsetType = UNSET
    """An alias, or `unattributed`. With neither this nor an agent, everything on this machine counts."""
    agent_id: str | UnsetType = UNSET
    period: BudgetPeriod
    """The user's local day or month."""
    limit_usd: Annotated[Decimal, _text(minimum=LEAST_LIMIT_USD, maximum=MAX_LIMIT_USD)] | UnsetType = UNSET
    """A number, or a text such as `"12.50"`; kept to 12 decimals."""
    limit_tokens: Annotated[int, Meta(ge=1, le=MAX_NUMBER)] | UnsetType = UNSET
    """All four classes of tokens added up."""
    thresholds: Annotated[tuple[Threshold, ...], Meta(max_length=MAX_THRESHOLDS)] = (80, 100)
    """Per cent of the limit at which to tell; none at all makes a budget that is only shown."""
    hard: bool = False
    """Whether proxies refuse requests that it counts once it is spent, until the period ends or it is raised."""


RULES: dict[str, dict[str, object]] = {
    SetBudget.__name__: {
        "oneOf": [{"required": ["limit_usd"]}, {"required": ["limit_tokens"]}],
        "not": {"required": ["profile", "agent_id"]},
    },
}
"""Rules of a body that are no field's alone, as JSON Schema, by its type."""


class WindowsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/usage/windows`."""

    profile: str | None = None
    """An alias, or `unattributed`."""
    limit: Annotated[int, Meta(ge=1, le=MAX_WINDOWS)] = 10


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/events`."""

    since: Position = 0
    """The number of the last event the caller has."""
    types: EventList | None = None
    """Names, globs (`Usage*`) and groups (`@errors`), separated by commas."""
    profile: str | None = None
    """Only events that speak of this profile."""
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 100


class MetricsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /metrics`."""

    passive: Literal[0, 1] | None = None
    """1: this request does not keep the daemon from its idle timeout."""


class OutputQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `GET /api/profiles/{alias}/output`."""

    after: Position = 0
    """The number of the last line the caller has; lines count from 1."""
    limit: Annotated[int, Meta(ge=1, le=MAX_OUTPUT_LINES)] = 1000


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of `/ws`."""

    hello: Flag | None = None
    """1: control frames too, `Hello` first."""
    since: Position | None = None
    """The number of the last event the client has: every later one comes first. With `log`."""
    log: str | None = None
    """The log that `since` counts in."""
    events: EventList | None = None
    """Only these: names, globs (`Usage*`) and groups (`@errors`), separated by commas."""
    passive: Flag | None = None
    """1: this connection does not keep the daemon from its idle timeout."""
