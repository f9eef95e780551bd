"""The only thing that makes a new model: `reduce(model, messages)`, pure.

A batch copies each mapping that it touches once, however many events it holds; a burst of 1,000 events costs one copy.
The law: a snapshot with the events after it reduced onto it equals the fresh snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from clown_daemon.client.states import ConnectionChanged, EventReceived, GapFound, Message, Phase, SnapshotLoaded
from clown_daemon.protocol.events import (
    AgentDetected,
    AgentUpdated,
    BudgetDeleted,
    BudgetThresholdCrossed,
    BudgetUpdated,
    DaemonShuttingDown,
    DaemonStarted,
    DaemonUpdated,
    Event,
    ProfileCreated,
    ProfileDeleted,
    ProfileStarted,
    ProfileStopped,
    ProfileUpdated,
    ProxyDeleted,
    ProxyError,
    ProxyMetered,
    ProxyStarted,
    ProxyStopped,
    ProxyUpdated,
    RegistrySyncCompleted,
    RegistrySyncFailed,
    RegistrySyncStarted,
    UnknownEvent,
    UsageImported,
    UsageImportProgressed,
    UsageUpdated,
    subject_of,
)
from clown_daemon.protocol.resources import Snapshot
from clown_daemon.protocol.stream import HEARTBEAT_SECONDS
from clown_tui.formatting import clean
from clown_tui.state.event_words import Level, level_of, subject, words
from clown_tui.state.model import Connection, Model, Notice, Pulse
from clown_tui.state.panes import Pane

PULSE_SECONDS = 10
"""How far back the event rate is remembered."""
RING_WITHIN_MS = 3_600_000
"""A threshold that was crossed longer ago, while nothing could be heard, rings no bell."""


def reduce(model: Model, messages: Sequence[Message]) -> Model:
    """Apply messages in their order.

    An event that the snapshot already contains (`replayed`, or a `seq` of this log that was passed) changes nothing
    but the time at which the daemon was last heard.
    """
    if not messages:
        return model
    draft = _Draft(model)
    for message in messages:
        draft.add(message)
    return draft.finish()


def from_snapshot(model: Model, snapshot: Snapshot, at_ms: int) -> Model:
    """Replace everything that is known of the daemon; the connection and the notice stay."""
    return replace(
        model,
        log=snapshot.log,
        seq=snapshot.seq,
        time_zone=snapshot.time_zone,
        as_of_ms=at_ms,
        valid_until_ms=snapshot.valid_until_ms,
        daemon=snapshot.daemon,
        agents={agent.id: agent for agent in snapshot.agents},
        providers={provider.id: provider for provider in snapshot.providers},
        profiles={profile.alias: profile for profile in snapshot.profiles},
        proxies={proxy.profile: proxy for proxy in snapshot.proxies},
        usage={usage.profile: usage for usage in snapshot.usage},
        imports={entry.source: entry for entry in snapshot.imports},
        budgets={budget.id: budget for budget in snapshot.budgets},
        registry=snapshot.registry,
    )


@dataclass(slots=True)
class _Draft:
    """A model in the making. `changed` holds the mappings that were copied, by their field's name."""

    base: Model
    changed: dict[str, Any] = field(default_factory=dict)
    seq: int = 0
    as_of_ms: int | None = None
    heard: dict[int, int] = field(default_factory=dict)
    last_ms: int | None = None
    rings: int = 0

    def __post_init__(self) -> None:
        self.seq, self.as_of_ms, self.rings = self.base.seq, self.base.as_of_ms, self.base.rings

    def add(self, message: Message) -> None:
        match message:
            case EventReceived():
                self._event(message)
            case SnapshotLoaded(snapshot=snapshot, at_ms=at_ms):
                self._rebase(from_snapshot(self.finish(), snapshot, at_ms))
            case ConnectionChanged():
                before = self.finish()
                self._rebase(replace(before, connection=_connect(before, message), as_of_ms=_as_of(before, message)))
            case GapFound():
                pass
            case _:
                assert_never(message)

    def finish(self) -> Model:
        pulse = self._pulse() if self.heard else self.base.pulse
        return replace(self.base, **self.changed, seq=self.seq, as_of_ms=self.as_of_ms, pulse=pulse, rings=self.rings)

    def _rebase(self, model: Model) -> None:
        self.base, self.changed, self.heard = model, {}, {}
        self.seq, self.as_of_ms = model.seq, model.as_of_ms

    def _pulse(self) -> Pulse:
        counts = dict(self.base.pulse.seconds)
        for second, number in self.heard.items():
            counts[second] = counts.get(second, 0) + number
        newest = max(counts)
        kept = ((second, counts[second]) for second in sorted(counts) if second > newest - PULSE_SECONDS)
        return Pulse(seconds=tuple(kept), last_ms=self.last_ms)

    def _event(self, received: EventReceived) -> None:
        event, at_ms = received.event, received.at_ms
        self.as_of_ms = self.last_ms = at_ms
        second = at_ms // 1000
        self.heard[second] = self.heard.get(second, 0) + 1
        # Also what the snapshot contains already: after a loss, the events of the time away are heard just once.
        if isinstance(event.data, BudgetThresholdCrossed) and at_ms - event.at_ms < RING_WITHIN_MS:
            self.rings += 1
        if received.replayed or (event.seq <= self.seq and event.log == self.base.log):
            return
        self.seq = event.seq
        if not isinstance(event, UnknownEvent):
            self._apply(event)

    def _apply(self, event: Event) -> None:
        """Put or remove the resource. One case per event: the type checker insists."""
        data = event.data
        match data:
            case UsageUpdated():
                self._put("usage", data.profile, event.resource)
                return
            case ProfileCreated() | ProfileUpdated() | ProfileDeleted() | ProfileStarted() | ProfileStopped():
                self._put("profiles", data.alias, event.resource)
            case AgentDetected() | AgentUpdated():
                self._put("agents", data.id, event.resource)
            case ProxyStarted() | ProxyStopped() | ProxyError() | ProxyUpdated() | ProxyMetered() | ProxyDeleted():
                self._put("proxies", data.profile, event.resource)
            case UsageImported() | UsageImportProgressed():
                self._put("imports", data.source, event.resource)
            case BudgetUpdated() | BudgetDeleted() | BudgetThresholdCrossed():
                self._put("budgets", data.id, event.resource)
            case RegistrySyncStarted() | RegistrySyncCompleted() | RegistrySyncFailed():
                self.changed["registry"] = event.resource
            case DaemonStarted() | DaemonShuttingDown() | DaemonUpdated():
                self.changed["daemon"] = event.resource
            case _:
                assert_never(data)
        if level_of(event) is Level.ERROR:
            self.changed["notice"] = _notice(event)

    def _put(self, name: str, key: str, resource: object) -> None:
        mapping: dict[str, object] | None = self.changed.get(name)
        if mapping is None:
            whole: Mapping[str, object] = getattr(self.base, name)
            mapping = self.changed[name] = dict(whole)
        if resource is None:
            mapping.pop(key, None)
        else:
            mapping[key] = resource


_PANES: dict[str, Pane] = {
    "Profile": Pane.PROFILES,
    "ProxyEr": Pane.PROXIES,
    "Registr": Pane.REGISTRY,
    "BudgetT": Pane.COST,
}


def _notice(event: Event) -> Notice:
    text = " ".join(part for part in (event.type, subject(event), words(event)) if part)
    key = clean(subject_of(event.data)) or None
    return Notice(text=text, at_ms=event.at_ms, pane=_PANES.get(event.type[:7]), key=key)


# -- the connection ---------------------------------------------------------------------------------------------------


def _connect(model: Model, message: ConnectionChanged) -> Connection:
    before = model.connection
    now_live = message.phase is Phase.LIVE
    was_live = before.phase is Phase.LIVE
    lost = None if now_live else message.at_ms if was_live else before.lost_ms
    live_since = None if not now_live else before.live_since if was_live else message.at_ms
    # An attempt among many says nothing new: why there is no connection stays on the screen while it takes its time.
    trying_again = message.phase is Phase.CONNECTING and message.attempt > 0
    told: Connection | ConnectionChanged = before if trying_again else message
    return Connection(
        phase=message.phase,
        url=message.url,
        reason=told.reason,
        hint=told.hint,
        retry_at=message.retry_at,
        attempt=message.attempt,
        since_ms=before.since_ms if message.phase is before.phase else message.at_ms,
        live_since=live_since,
        lost_ms=lost,
    )


def _as_of(model: Model, message: ConnectionChanged) -> int | None:
    """Answer when the daemon was last heard. While live, heartbeats came: silence begins one heartbeat before STALE."""
    if not model.known:
        return None
    if message.phase is Phase.LIVE:
        return message.at_ms
    if model.connection.phase is not Phase.LIVE:
        return model.as_of_ms
    silence_ms = 2 * HEARTBEAT_SECONDS * 1000 if message.phase is Phase.STALE else 0
    return max(model.as_of_ms or 0, message.at_ms - silence_ms)
