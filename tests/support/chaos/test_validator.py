"""The validator catches what it is for: each property is broken by hand, in each way, and a good history passes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chaos.history import (
    AnyEntry,
    Commanded,
    Connected,
    Controlled,
    Greeted,
    History,
    SnapshotRead,
    Told,
    read_history,
)
from tests.support.chaos.made_up import (
    EVENTS,
    Client,
    command,
    committed,
    event,
    good_history,
    snapshot,
    spoilt,
    without,
)
from tests.support.chaos.validator import assert_valid, validate

Pick = Callable[[AnyEntry], bool]


def told(client: str, seq: int) -> Pick:
    return lambda entry: isinstance(entry, Told) and (entry.client, entry.seq) == (client, seq)


def hello(client: str, seq: int) -> Pick:
    return lambda entry: isinstance(entry, Greeted) and (entry.client, entry.seq) == (client, seq)


def control(client: str, kind: str) -> Pick:
    return lambda entry: isinstance(entry, Controlled) and (entry.client, entry.type) == (client, kind)


def commanded(method: str, status: int | None) -> Pick:
    return lambda entry: isinstance(entry, Commanded) and (entry.method, entry.status) == (method, status)


def snapshot_of(seq: int) -> Pick:
    return lambda entry: isinstance(entry, SnapshotRead) and entry.data["seq"] == seq


def swapped(history: History, one: Pick, other: Pick) -> History:
    first, second = (next(n for n, e in enumerate(history.entries) if pick(e)) for pick in (one, other))
    history.entries[first], history.entries[second] = history.entries[second], history.entries[first]
    return history


def moved_to_the_end(history: History, pick: Pick) -> History:
    entry = next(entry for entry in history.entries if pick(entry))
    history.entries.remove(entry)
    history.add(entry)
    return history


def again(history: History, pick: Pick, **change: Any) -> History:
    """Let something happen twice in a row."""
    place = next(place for place, entry in enumerate(history.entries) if pick(entry))
    history.entries.insert(place, history.entries[place])
    return spoilt(history, pick, **change) if change else history


def recommitted(*events: dict[str, Any]) -> History:
    history = good_history()
    history.committed = committed([*EVENTS, *events])
    return history


def with_data(history: History, pick: Pick, **change: Any) -> History:
    entry = next(entry for entry in history.entries if pick(entry))
    assert isinstance(entry, Controlled | SnapshotRead)
    return spoilt(history, pick, data={**entry.data, **change})


def test_a_good_history_passes() -> None:
    assert validate(good_history()) == {}


def test_an_empty_history_passes() -> None:
    assert validate(History()) == {}


def test_a_pruned_log_is_judged_by_what_it_still_has() -> None:
    history = good_history()
    history.committed = committed(floor=3)
    assert validate(history) == {}


SPOILT: list[tuple[str, str, Callable[[], History]]] = [
    ("ordered", "two events in the wrong order", lambda: swapped(good_history(), told("plain", 2), told("plain", 3))),
    ("ordered", "an event of another log", lambda: spoilt(good_history(), told("steady", 2), log="log-b")),
    ("unique", "an event twice on one connection", lambda: again(good_history(), told("plain", 3))),
    (
        "unique",
        "an event again on a connection that did not ask for it",
        lambda: spoilt(good_history(), told("plain", 6), seq=4),
    ),
    (
        "unique",
        "an event told to two clients in two ways",
        lambda: spoilt(good_history(), told("picky", 2), body='{"seq": 2, "other": true}'),
    ),
    ("unique", "a resume that gives again what it began after", lambda: again(good_history(), told("steady", 7))),
    ("reliable", "an event left out", lambda: without(good_history(), told("steady", 2))),
    ("reliable", "an event left out of a plain stream", lambda: without(good_history(), told("plain", 3))),
    ("reliable", "an event left out of a narrowed stream", lambda: without(good_history(), told("picky", 2))),
    ("reliable", "an event that was never committed", lambda: spoilt(good_history(), told("plain", 7), seq=8)),
    (
        "reliable",
        "an event that was committed otherwise",
        lambda: spoilt(good_history(), told("switched", 3), body='{"seq": 3, "other": true}'),
    ),
    (
        "reliable",
        "a client that resumes further on than it had come",
        lambda: spoilt(good_history(), lambda e: isinstance(e, Connected) and e.since == 3, since=4),
    ),
    ("resumable", "a resume after a hole", lambda: without(good_history(), told("steady", 4))),
    ("resumable", "a resume that goes on elsewhere", lambda: spoilt(good_history(), hello("steady", 3), seq=4)),
    (
        "resumable",
        "a resume refused for no reason",
        lambda: spoilt(good_history(), hello("steady", 3), resumed=False, reason="log"),
    ),
    ("resumable", "a resume in another log", lambda: spoilt(good_history(), hello("stranger", 7), resumed=True)),
    ("resumable", "a wrong reason", lambda: spoilt(good_history(), hello("refused", 7), reason="expired")),
    ("resumable", "no reason", lambda: spoilt(good_history(), hello("late", 7), reason=None)),
    (
        "resumable",
        "a refusal that does not begin at the head",
        lambda: spoilt(good_history(), hello("late", 7), head=8),
    ),
    (
        "bookmarkable",
        "a heartbeat that is ahead of its events",
        lambda: with_data(good_history(), control("steady", "Heartbeat"), seq=6),
    ),
    (
        "bookmarkable",
        "a heartbeat behind its events",
        lambda: with_data(good_history(), control("steady", "Heartbeat"), seq=4),
    ),
    (
        "bookmarkable",
        "a heartbeat that counts wrongly",
        lambda: with_data(good_history(), control("steady", "Heartbeat"), sent=3),
    ),
    (
        "bookmarkable",
        "an event of before the cut-over after it",
        lambda: moved_to_the_end(good_history(), told("picky", 3)),
    ),
    ("bookmarkable", "an event not asked for", lambda: spoilt(good_history(), told("picky", 5), type="ProfileStarted")),
    ("bookmarkable", "a greeting ahead of its events", lambda: spoilt(good_history(), hello("steady", 1), seq=2)),
    (
        "atomic with state",
        "a snapshot that events do not lead to",
        lambda: with_data(good_history(), snapshot_of(7), profiles=[{"alias": "v", "model": "m2", "run": None}]),
    ),
    (
        "atomic with state",
        "a snapshot that still has what was deleted",
        lambda: with_data(
            good_history(),
            snapshot_of(7),
            profiles=[{"alias": a, "model": "m1", "run": None} for a in ("v", "w")],
        ),
    ),
    ("atomic with state", "a snapshot of the future", lambda: with_data(good_history(), snapshot_of(7), seq=8)),
    (
        "atomic with state",
        "an answered command without its event",
        lambda: spoilt(good_history(), commanded("PATCH", 404), status=200, reply={"message": "changed model"}),
    ),
    (
        "atomic with state",
        "a refused command with its event",
        lambda: spoilt(good_history(), commanded("PATCH", 200), status=404, reply=None),
    ),
    ("atomic with state", "an event that nobody asked for", lambda: without(good_history(), commanded("DELETE", None))),
    ("atomic with state", "an event twice", lambda: recommitted(event(8, "ProfileCreated", "v"))),
    (
        "atomic with state",
        "a run that ended twice",
        lambda: recommitted(event(8, "ProfileStopped", "v", run_id="r1")),
    ),
    (
        "atomic with state",
        "an answered run without its event",
        lambda: spoilt(
            good_history(),
            lambda e: isinstance(e, Commanded) and e.path.endswith("stop"),
            reply={"run_id": "another"},
        ),
    ),
    (
        "atomic with state",
        "a snapshot, asked for after the answer, without the effect",
        lambda: spoilt(good_history(), snapshot_of(2), asked_at=99.0),
    ),
]


@pytest.mark.parametrize(("name", "case", "spoil"), SPOILT, ids=[f"{name}: {case}" for name, case, _ in SPOILT])
def test_a_spoilt_history_is_caught(name: str, case: str, spoil: Callable[[], History]) -> None:
    assert name in validate(spoil())


def test_a_stream_closed_for_a_shutdown_must_have_told_of_it() -> None:
    events = [event(1, "DaemonStarted"), event(2, "ProfileCreated"), event(3, "DaemonShuttingDown")]
    for code, broken in ((1001, True), (None, False)):
        history = History()
        history.committed = committed(events)
        Client(history, "steady").connect(1, head=2).told(2).lost(code)
        assert ("reliable" in validate(history)) is broken


def test_the_daemons_own_state_may_be_one_event_ahead() -> None:
    history = History()
    history.committed = committed([event(1, "DaemonStarted"), event(2, "ProfileCreated"), event(3, "DaemonUpdated")])
    snapshot(history, 1, at=1)
    snapshot(history, 2, {"alias": "w", "model": "m1", "run": None}, status="DaemonUpdated", at=2)
    assert validate(history) == {}
    snapshot(history, 3, {"alias": "w", "model": "m1", "run": None}, status="DaemonStarted", at=3)
    assert "atomic with state" in validate(history)


def test_a_command_of_which_nobody_knows_may_have_done_it_once() -> None:
    for count, broken in ((0, False), (1, False), (2, True)):
        history = History(complete=True)
        made = [event(seq, kind) for seq, kind in ((1, "ProfileCreated"), (2, "ProfileDeleted"), (3, "ProfileCreated"))]
        history.committed = committed(made[: max(0, count * 2 - 1)])
        command(history, "POST", "/api/profiles", None, at=1, alias="w")
        command(history, "DELETE", "/api/profiles/w", 200, at=2) if count == 2 else None
        assert bool(validate(history)) is broken


def test_the_failure_tells_words_and_entries_and_keeps_the_history(tmp_path: Path) -> None:
    history = without(good_history(), told("steady", 2))
    with pytest.raises(AssertionError, match=r"steady#1 was there from 1 to 3 and never got \[2\]") as failure:
        assert_valid(history, tmp_path, note="repeat it: make soak SEEDS=1 FIRST=7")
    assert "make soak SEEDS=1 FIRST=7" in str(failure.value)
    assert validate(read_history(tmp_path / "history.ndjson")).keys() == validate(history).keys()
