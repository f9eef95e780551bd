"""The reducer: a snapshot with the events after it equals the fresh snapshot, however they are cut into batches."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clown_daemon.client.states import EventReceived, GapFound, Message, Phase, SnapshotLoaded
from clown_daemon.protocol.events import (
    CATALOGUE,
    AgentUpdated,
    BudgetDeleted,
    BudgetUpdated,
    DaemonUpdated,
    Event,
    ProfileCreated,
    ProfileDeleted,
    ProfileStopped,
    ProfileUpdated,
    ProxyError,
    ProxyStarted,
    RegistrySyncStarted,
    Resource,
    UnknownEvent,
    UsageImported,
)
from clown_daemon.protocol.resources import Proxy, Registry, UsageImport
from clown_tui.state.model import Model, dismiss
from clown_tui.state.reducer import from_snapshot, reduce
from tests.support.dashboard_state import (
    HOUR_MS,
    NOW_MS,
    a_budget,
    a_daemon,
    a_profile,
    a_run,
    a_snapshot,
    a_usage,
    an_agent,
    an_event,
    connection,
    crossed,
    received,
    used,
)

NAMES = st.sampled_from(["work", "lab", "review"])
COUNTS = st.integers(0, 99)


def _changes() -> st.SearchStrategy[tuple[Any, Resource | None]]:
    return st.one_of(
        st.builds(
            lambda alias, model: (
                ProfileCreated(alias=alias, agent_id="claude", provider_id="anthropic", model=model),
                a_profile(alias, model=model),
            ),
            NAMES,
            st.sampled_from(["a", "b"]),
        ),
        st.builds(
            lambda alias, model: (ProfileUpdated(alias=alias, changes=("model",)), a_profile(alias, model=model)),
            NAMES,
            st.sampled_from(["a", "b"]),
        ),
        st.builds(lambda alias: (ProfileDeleted(alias=alias), None), NAMES),
        st.builds(
            lambda name, number: (used(name), a_usage(name, last_used=f"2026-01-01T00:00:{number:02d}Z")), NAMES, COUNTS
        ),
        st.builds(
            lambda name, version: (
                AgentUpdated(id=name, old_version=None, new_version=version),
                an_agent(name, version=version),
            ),
            NAMES,
            st.sampled_from(["1", "2"]),
        ),
        st.builds(
            lambda name, port: (
                ProxyStarted(profile=name, port=port, pid=1),
                Proxy(profile=name, enabled=True, port=port, pid=1, status="running"),
            ),
            NAMES,
            COUNTS,
        ),
        st.builds(
            lambda name, number: (
                UsageImported(source=name, records_imported=number),
                UsageImport(source=name, state="done", records_imported=number),
            ),
            NAMES,
            COUNTS,
        ),
        st.builds(
            lambda syncing: (
                RegistrySyncStarted(channel="main", force=False),
                Registry(channel="main", commit=None, last_sync=None, cached=False, syncing=syncing),
            ),
            st.booleans(),
        ),
        st.builds(
            lambda name, usd: (
                BudgetUpdated(id=name, profile=None, agent_id=None),
                a_budget(float(usd), id=name),
            ),
            NAMES,
            st.integers(1, 9),
        ),
        st.builds(lambda name: (BudgetDeleted(id=name, profile=None, agent_id=None), None), NAMES),
        st.builds(
            lambda name, threshold: (crossed(threshold, id=name), a_budget(id=name, crossed=(threshold,))),
            NAMES,
            st.sampled_from([80, 100]),
        ),
        st.builds(
            lambda number: (DaemonUpdated(problems=number), a_daemon(problems=("p",) * number)), st.integers(0, 2)
        ),
    )


class _Books:
    """The daemon's side: what a fresh snapshot holds after each change."""

    def __init__(self) -> None:
        self.seq = 0
        self.rows: dict[tuple[str, str], Resource] = {}

    def change(self, data: Any, resource: Resource | None) -> Event:
        self.seq += 1
        kind = next(kind for kind in CATALOGUE if kind.data is type(data))
        key = kind.resource.__name__, str(getattr(data, kind.key)) if kind.key else ""
        if resource is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = resource
        return an_event(data, resource, seq=self.seq)

    def snapshot(self) -> Any:
        def of(name: str) -> tuple[Any, ...]:
            return tuple(row for (kind, _), row in sorted(self.rows.items()) if kind == name)

        return a_snapshot(
            seq=self.seq,
            daemon=next(iter(of("Daemon")), a_daemon()),
            profiles=of("Profile"),
            agents=of("Agent"),
            proxies=of("Proxy"),
            usage=of("ProfileUsage"),
            imports=of("UsageImport"),
            budgets=of("Budget"),
            registry=next(iter(of("Registry")), None),
        )


def _bare(model: Model) -> Model:
    """Leave out what is not the daemon's state."""
    fresh = Model()
    return replace(model, pulse=fresh.pulse, notice=None, as_of_ms=None, connection=fresh.connection, rings=0)


@settings(max_examples=200, deadline=None)
@given(st.lists(_changes(), max_size=40), st.data())
def test_old_snapshot_and_events_equal_a_fresh_snapshot(changes: list[tuple[Any, Resource | None]], data: Any) -> None:
    books = _Books()
    middle = data.draw(st.integers(0, len(changes)))
    for change in changes[:middle]:
        books.change(*change)
    model = from_snapshot(Model(), books.snapshot(), NOW_MS)
    events = [books.change(*change) for change in changes[middle:]]
    messages: list[Message] = [EventReceived(event=event, at_ms=NOW_MS) for event in events]
    while messages:
        size = data.draw(st.integers(1, len(messages)))
        model = reduce(model, messages[:size])
        messages = messages[size:]
    assert _bare(model) == _bare(from_snapshot(Model(), books.snapshot(), NOW_MS))


def test_replayed_events_change_nothing_but_the_time_of_hearing() -> None:
    model = from_snapshot(Model(), a_snapshot(seq=9, profiles=(a_profile(),)), NOW_MS)
    after = reduce(model, [received(ProfileDeleted(alias="work"), None, seq=8, at_ms=NOW_MS + 5, replayed=True)])
    assert "work" in after.profiles
    assert after.as_of_ms == NOW_MS + 5
    assert after.seq == 9


def test_an_event_that_was_passed_is_not_applied_twice() -> None:
    model = from_snapshot(Model(), a_snapshot(seq=9, profiles=(a_profile(),)), NOW_MS)
    assert "work" in reduce(model, [received(ProfileDeleted(alias="work"), None, seq=9)]).profiles


def test_a_batch_leaves_the_model_before_it_alone_and_shares_what_it_did_not_touch() -> None:
    before = from_snapshot(Model(), a_snapshot(profiles=(a_profile(),)), NOW_MS)
    after = reduce(before, [received(used(), a_usage(), seq=1)])
    assert "work" not in before.usage
    assert after.profiles is before.profiles
    assert after.usage["work"] == a_usage()


def test_events_of_a_newer_daemon_only_move_the_position() -> None:
    model = from_snapshot(Model(), a_snapshot(), NOW_MS)
    event = UnknownEvent(type="PetAdopted", timestamp="", data={"id": "x"}, seq=1, log="log-1", at_ms=NOW_MS)
    after = reduce(model, [EventReceived(event=event, at_ms=NOW_MS)])
    assert _bare(after) == _bare(replace(model, seq=1))


def test_a_snapshot_within_a_batch_replaces_everything_before_it() -> None:
    batch: list[Message] = [
        received(used(), a_usage(), seq=1),
        GapFound(away_seconds=1, missed=0, at_ms=NOW_MS),
        SnapshotLoaded(snapshot=a_snapshot(seq=5), at_ms=NOW_MS),
        received(used("lab"), a_usage("lab"), seq=6),
    ]
    model = reduce(Model(), batch)
    assert set(model.usage) == {"lab"}
    assert model.seq == 6


def test_losing_the_connection_keeps_the_data_and_remembers_when() -> None:
    model = from_snapshot(Model(), a_snapshot(profiles=(a_profile(),)), NOW_MS)
    model = reduce(model, [connection(Phase.LIVE)])
    lost = reduce(model, [connection(Phase.BACKOFF, at_ms=NOW_MS + 9000, reason="gone", attempt=1)])
    later = reduce(lost, [connection(Phase.CONNECTING, at_ms=NOW_MS + 12000, attempt=1)])
    assert later.profiles == model.profiles
    assert later.as_of_ms == later.connection.lost_ms == NOW_MS + 9000
    assert later.connection.reason == "gone", "an attempt that takes its time does not hide why"
    assert reduce(later, [connection(Phase.LIVE, at_ms=NOW_MS + 13000)]).connection.lost_ms is None


def test_an_error_stays_as_a_notice_until_dismissed() -> None:
    model = reduce(Model(), [received(ProxyError(profile="lab", error="port \x1b[31mtaken"), None)])
    assert model.notice is not None
    assert model.notice.text == "ProxyError lab port taken"
    assert dismiss(model).notice is None


def test_a_run_that_was_stopped_on_request_is_no_error() -> None:
    stopped = ProfileStopped(alias="work", exit_code=-15, runtime_secs=3, run_id="r")
    assert reduce(Model(), [received(stopped, a_profile(run=a_run("exited", exit_code=-15)))]).notice is None


def test_nothing_new_is_the_same_model() -> None:
    model = Model()
    assert reduce(model, []) is model


def test_a_burst_counts_towards_the_rate() -> None:
    model = reduce(Model(), [received(used(), a_usage(), seq=seq) for seq in range(1, 101)])
    assert model.pulse.seconds == ((NOW_MS // 1000, 100),)


def test_the_bell_is_due_once_for_each_threshold_that_is_crossed() -> None:
    events = [received(crossed(threshold), a_budget(), seq=seq) for seq, threshold in ((1, 80), (2, 100))]
    assert reduce(Model(), events).rings == 2
    assert reduce(reduce(Model(), events[:1]), events[1:]).rings == 2


def test_what_was_crossed_while_nothing_could_be_heard_rings_unless_it_is_old() -> None:
    model = from_snapshot(Model(), a_snapshot(seq=9), NOW_MS)
    missed = received(crossed(80), a_budget(), seq=8, replayed=True)
    assert reduce(model, [missed]).rings == 1
    assert reduce(model, [replace(missed, at_ms=NOW_MS + HOUR_MS)]).rings == 0


def test_a_budget_that_is_spent_is_an_error_and_one_near_its_end_is_not() -> None:
    warned = reduce(Model(), [received(crossed(80), a_budget())])
    assert warned.notice is None
    spent = reduce(Model(), [received(crossed(100), a_budget())])
    assert spent.notice is not None
    assert spent.notice.text == "BudgetThresholdCrossed total 100% of $10/day: $10.03 spent"
