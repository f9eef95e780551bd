"""State and stream are one: snapshots agree with the events between them, and both with what commands were answered."""

from collections import Counter
from collections.abc import Hashable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import msgspec

from tests.support.chaos.history import Commanded, CommittedLog, History, SnapshotRead
from tests.support.chaos.pictures import differences, picture_of, put
from tests.support.chaos.violations import Violation

Effect = Hashable
"""What a command does, told so that its event says the same."""

NEVER_DONE = frozenset({503})
"""Refused before it began, besides every 4xx; of another 5xx nobody knows."""


def atomic_with_state(history: History) -> list[Violation]:
    """Old snapshot plus events is the new snapshot; a command that was answered is in both, one refused in neither."""
    committed = history.committed
    if committed is None:
        return []
    events = {seq: msgspec.json.decode(body) for seq, body in committed.bodies.items()}
    snapshots = [entry for entry in history.of(SnapshotRead) if entry.data["log"] == committed.log]
    found = list(_law(snapshots, events, committed))
    commands = history.of(Commanded)
    one_log = all(entry.data["log"] == committed.log for entry in history.of(SnapshotRead))
    if committed.floor == 0 and one_log:  # of a log that began anew or was pruned, effects cannot be counted
        found += _effects(commands, snapshots, events, complete=history.complete)
        found += _runs(commands, events)
    return found


def _law(snapshots: list[SnapshotRead], events: dict[int, Any], committed: CommittedLog) -> Iterator[Violation]:
    ordered = sorted(snapshots, key=lambda entry: (entry.data["seq"], entry.at))
    for entry in ordered:
        if entry.data["seq"] > committed.head:
            yield Violation(f"a snapshot is of {entry.data['seq']}; the log ends at {committed.head}", (entry,))
            return
    for before, after in pairwise(ordered):
        first, last = before.data["seq"], after.data["seq"]
        if first < committed.floor:
            continue
        picture = picture_of(before.data)
        for seq in range(first + 1, last + 1):
            put(picture, events[seq])
        fresh = picture_of(after.data)
        _forgive_daemon(picture, fresh, events, last)
        same_day = before.data["valid_until_ms"] == after.data["valid_until_ms"]
        differing = differences(picture, fresh, same_day=same_day)
        if differing:
            words = f"snapshot {first} plus events is not snapshot {last}: {'; '.join(differing)}"
            yield Violation(words, (before, after))


def _forgive_daemon(picture: dict[Any, Any], fresh: dict[Any, Any], events: dict[int, Any], seq: int) -> None:
    """What the daemon says of itself may be one event ahead of the snapshot, and never behind it."""
    ahead = (events[number] for number in range(seq + 1, max(events, default=0) + 1))
    following = next((event for event in ahead if event["type"].startswith("Daemon")), None)
    if following is not None and fresh.get(("daemon", "")) == following["resource"]:
        picture["daemon", ""] = following["resource"]


def effect_of_command(command: Commanded) -> Effect | None:
    """What a command would do; None for one whose effect cannot be told from others'."""
    parts = [unquote(part) for part in command.path.partition("?")[0].strip("/").split("/")]
    body = command.body or {}
    match command.method, parts:
        case "POST", ["api", "profiles"]:
            return "ProfileCreated", body.get("alias")
        case "PATCH", ["api", "profiles", alias] if set(body) == {"model"} and body["model"]:
            return "ProfileUpdated", alias, body["model"]
        case "DELETE", ["api", "profiles", alias]:
            return "ProfileDeleted", alias
        case "POST", ["api", "profiles", alias, "run"]:
            return "ProfileStarted", alias
        case _:
            return None


def effects_of_event(event: dict[str, Any]) -> Iterator[Effect]:
    """What an event says was done."""
    alias = event["data"].get("alias")
    match event["type"]:
        case "ProfileUpdated" if "model" in event["data"]["changes"]:
            yield event["type"], alias, event["resource"]["model"]
        case "ProfileCreated" | "ProfileDeleted" | "ProfileStarted":
            yield event["type"], alias


def _done(command: Commanded) -> bool | None:
    """Whether a command did what it says; None when nobody knows."""
    if command.status is None or (command.status >= 500 and command.status not in NEVER_DONE):
        return None
    # A change to what is there already is answered well and changes nothing.
    unchanged = command.method == "PATCH" and "already" in str((command.reply or {}).get("message"))
    return command.status < 400 and not unchanged


def _effects(
    commands: list[Commanded], snapshots: list[SnapshotRead], events: dict[int, Any], *, complete: bool
) -> Iterator[Violation]:
    recorded: dict[Effect, list[int]] = {}
    for seq, event in events.items():
        for effect in effects_of_event(event):
            recorded.setdefault(effect, []).append(seq)
    given: dict[Effect, list[Commanded]] = {}
    for command in commands:
        effect = effect_of_command(command)
        if effect is not None:
            given.setdefault(effect, []).append(command)
    for effect in {*recorded, *given}:
        mine, numbers = given.get(effect, []), recorded.get(effect, [])
        verdicts = Counter(_done(command) for command in mine)
        if len(numbers) < verdicts[True]:
            yield Violation(f"{effect}: answered {verdicts[True]} times, recorded as {numbers}", mine)
        if complete and len(numbers) > verdicts[True] + verdicts[None]:
            words = f"{effect}: recorded as {numbers}; {verdicts[True]} were answered, of {verdicts[None]} nobody knows"
            yield Violation(words, mine)
        for snapshot in snapshots:
            before = sum(_done(command) is True and command.at < snapshot.asked_at for command in mine)
            if sum(seq <= snapshot.data["seq"] for seq in numbers) < before:
                yield Violation(f"{effect}: answered, and not in a later snapshot", (*mine, snapshot))


def _runs(commands: list[Commanded], events: dict[int, Any]) -> Iterator[Violation]:
    """Each run starts and ends at most once; one whose start or stop was answered did so exactly once."""
    counts = Counter(
        (event["type"], event["data"]["run_id"])
        for event in events.values()
        if event["type"] in {"ProfileStarted", "ProfileStopped"}
    )
    for (kind, run_id), count in counts.items():
        if count > 1:
            yield Violation(f"{kind} of run {run_id} is recorded {count} times")
    kinds = {"run": "ProfileStarted", "stop": "ProfileStopped"}
    for command in commands:
        kind = kinds.get(command.path.rpartition("/")[2]) if command.path.startswith("/api/profiles/") else None
        if kind and command.reply is not None and _done(command) and not counts[kind, command.reply["run_id"]]:
            yield Violation(f"{kind} of run {command.reply['run_id']} was answered and is not recorded", (command,))
