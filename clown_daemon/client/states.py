"""What a follower of the daemon tells: how the connection stands, what the daemon is, what happened.

A program keeps its picture of the daemon by replacing it whole on `SnapshotLoaded` and applying each `EventReceived`
after it; nothing else ever changes the picture.
"""

from dataclasses import dataclass
from enum import StrEnum

from clown_daemon.protocol.events import Event, UnknownEvent
from clown_daemon.protocol.resources import Snapshot


class Phase(StrEnum):
    """How the connection stands."""

    STARTING = "starting"
    """A daemon is being started, since none answered."""
    CONNECTING = "connecting"
    SYNCING = "syncing"
    """Connected; the snapshot is being read."""
    LIVE = "live"
    STALE = "stale"
    """Connected, but nothing was heard for longer than a heartbeat allows."""
    BACKOFF = "backoff"
    """Lost; trying again at `retry_at`."""
    DOWN = "down"
    """Nothing listens at the address; trying again at `retry_at`."""
    STOPPED = "stopped"
    """The daemon said that it shuts down; trying again at `retry_at`."""
    FATAL = "fatal"
    """Refused for good: wrong token, wrong user, another protocol. Only `retry_now` tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChanged:
    """The connection stands differently now."""

    phase: Phase
    at_ms: int
    url: str
    reason: str | None = None
    """Why, in one sentence; None while all is well."""
    hint: str | None = None
    retry_at: float | None = None
    """When the next attempt is made, `time.monotonic()` seconds; None when none is planned."""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLoaded:
    """The daemon's whole state, fresh. It replaces everything known before."""

    snapshot: Snapshot
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceived:
    """One event, in the order of its `seq`, each exactly once."""

    event: Event | UnknownEvent
    at_ms: int
    replayed: bool = False
    """True when the loaded snapshot already contains it: it belongs into an event log, and changes nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFound:
    """The connection was away."""

    away_seconds: float
    missed: int | None
    """How many events will never be seen: 0 when the log was resumed, None when it cannot be known."""
    at_ms: int


Message = ConnectionChanged | SnapshotLoaded | EventReceived | GapFound
