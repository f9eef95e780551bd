"""The dashboard's state: one frozen value, true at `seq` of `log`, replaced whole by `reducer.reduce`.

Resources stand in mappings by their key (alias, id, source) and are the very structs of the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clown_daemon.client.states import Phase
from clown_daemon.clock import start_of_day_ms
from clown_daemon.protocol.resources import (
    Agent,
    Budget,
    Daemon,
    Profile,
    ProfileUsage,
    Provider,
    Proxy,
    Registry,
    UsageImport,
)
from clown_tui.state.panes import Pane


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the connection to the daemon stands."""

    phase: Phase = Phase.CONNECTING
    url: str = ""
    reason: str | None = None
    hint: str | None = None
    retry_at: float | None = None
    """`time.monotonic()` seconds of the next attempt; None when none is planned."""
    attempt: int = 0
    since_ms: int = 0
    """When this phase began."""
    live_since: int | None = None
    """When the data became current, epoch milliseconds; None while it is not."""
    lost_ms: int | None = None
    """When the data stopped being current; None while it is current, and before it ever was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An error for the status line: it stays until dismissed, or until a newer one comes."""

    text: str
    at_ms: int
    pane: Pane | None = None
    key: str | None = None
    """The row at fault, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How many events came in each of the last seconds: `(epoch second, events)`, oldest first, empty ones left out."""

    seconds: tuple[tuple[int, int], ...] = ()
    last_ms: int | None = None
    """When the newest event came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Everything the dashboard knows of the daemon."""

    own_version: str = ""
    """The version of this program; empty compares with no daemon's."""
    connection: Connection = Connection()
    log: str = ""
    """The log that numbers the events; empty before the first snapshot."""
    seq: int = 0
    time_zone: str = "UTC"
    as_of_ms: int | None = None
    """When the daemon was last heard; None before it ever was."""
    valid_until_ms: int | None = None
    """The end of the day that the periods of `usage` belong to."""
    daemon: Daemon | None = None
    agents: Mapping[str, Agent] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    usage: Mapping[str, ProfileUsage] = field(default_factory=dict)
    imports: Mapping[str, UsageImport] = field(default_factory=dict)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    registry: Registry | None = None
    notice: Notice | None = None
    pulse: Pulse = Pulse()
    rings: int = 0
    """How often the terminal's bell is due since the start: once for each threshold of a budget that was crossed."""

    @property
    def known(self) -> bool:
        """True once a snapshot was read: empty then means empty, not unknown."""
        return bool(self.log)

    @property
    def skewed(self) -> bool:
        """True when the daemon is of another version than this program."""
        return bool(self.daemon and self.own_version and self.daemon.version != self.own_version)

    @property
    def live(self) -> bool:
        """True while what is shown is what is."""
        return self.connection.phase is Phase.LIVE

    @property
    def zone(self) -> ZoneInfo:
        """The daemon's time zone: days are cut in it."""
        return zone_of(self.time_zone)


def dismiss(model: Model) -> Model:
    """Take the error off the status line."""
    return model if model.notice is None else replace(model, notice=None)


@lru_cache(maxsize=16)
def zone_of(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def day_start_ms(model: Model, now_ms: int) -> int:
    """Answer the instant at which the day of `now_ms` began in the daemon's zone."""
    return start_of_day_ms(now_ms, model.zone)
