"""The six properties of the stream, held against a recorded history.

Each property is a function of the history that answers its violations, in words and with the entries at fault; none
means that it holds. Where the promise is about what was committed, the log at the end is the truth.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from clown_daemon.protocol.events import EVENT_NAMES
from tests.support.chaos.atomic import atomic_with_state
from tests.support.chaos.history import CommittedLog, Connected, Controlled, Greeted, History, Told
from tests.support.chaos.streams import Stream, streams_of, successions
from tests.support.chaos.violations import Violation, report, same_json

EVERYTHING = frozenset(EVENT_NAMES)


def ordered(history: History) -> list[Violation]:
    """The number grows with every event of a connection, and all of them are of one log."""
    found: list[Violation] = []
    for stream in streams_of(history):
        told = stream.told
        found += [
            Violation(f"{stream.name} was told {after.seq} after {before.seq}", (before, after))
            for before, after in pairwise(told)
            if after.seq <= before.seq
        ]
        found += [
            Violation(f"{stream.name} was told event {event.seq} of log {event.log}, not {stream.log}", (event,))
            for event in told
            if event.log != stream.log
        ]
    return found


def unique(history: History) -> list[Violation]:
    """No client is told an event twice unless it asked for it again, and everybody is told the same."""
    found: list[Violation] = []
    bodies: dict[tuple[str, int], Told] = {}
    heard: dict[tuple[str, str, int], Told] = {}
    for stream in streams_of(history):
        asked = stream.asked
        for event in stream.told:
            first = bodies.setdefault((event.log, event.seq), event)
            if not same_json(first.body, event.body):
                found.append(Violation(f"event {event.seq} of log {event.log} was told in two ways", (first, event)))
            again = heard.get((event.client, event.log, event.seq))
            # Who resumes before an event, which it had, asks for it again; else each connection goes on.
            wished = again is not None and again.connection != event.connection and _asked_before(stream, event.seq)
            if again is not None and not wished:
                found.append(Violation(f"{event.client} was told {event.seq} twice", (asked, again, event)))
            heard[event.client, event.log, event.seq] = event
    return found


def _asked_before(stream: Stream, seq: int) -> bool:
    return stream.asked.since is not None and stream.asked.since < seq


def reliable(history: History) -> list[Violation]:
    """Every committed event reaches every client that was there for it or resumed over it; nothing else does."""
    committed = history.committed
    if committed is None:
        return []
    streams = [stream for stream in streams_of(history) if stream.log == committed.log]
    found: list[Violation] = []
    for stream in streams:
        found += _phantoms(stream, committed)
        start, reached = stream.start, _reached(stream, committed)
        if start is None or reached is None:
            continue
        had = set(stream.numbers)
        lost = [seq for seq in stream.owed(committed, start, reached) if seq not in had]
        if lost:
            found.append(
                Violation(f"{stream.name} was there from {start} to {reached} and never got {lost}", (stream.asked,))
            )
    for before, after in successions(streams):
        position = before.reached if before.reached is not None else before.start
        since = after.asked.since
        if since is not None and after.asked.log == before.log and position is not None and since > position:
            found.append(Violation(f"{after.name} resumed at {since}, but had only come to {position}", (after.asked,)))
    return found


def _reached(stream: Stream, committed: CommittedLog) -> int | None:
    """How far it must have come: a stream that was closed for a shutdown had everything up to its event."""
    reached, start = stream.reached, stream.start
    if stream.said_goodbye and start is not None:
        for seq in range(max(start, committed.floor) + 1, committed.head + 1):
            if committed.types[seq] == "DaemonStarted":
                break  # it was connected while the daemon closed already
            if committed.types[seq] == "DaemonShuttingDown":
                return max(seq, reached or 0)
    return reached


def _phantoms(stream: Stream, committed: CommittedLog) -> list[Violation]:
    found: list[Violation] = []
    for event in stream.told:
        body = committed.bodies.get(event.seq)
        if event.seq <= committed.floor:
            continue
        if body is None:
            found.append(Violation(f"{stream.name} was told {event.seq}, which the log does not have", (event,)))
        elif not same_json(body, event.body):
            found.append(Violation(f"{stream.name} was told {event.seq}, but the log has {body}", (event,)))
    return found


def resumable(history: History) -> list[Violation]:
    """A resume is granted and goes on right after its number, or is refused with the reason that is true."""
    found: list[Violation] = []
    for stream in streams_of(history):
        asked, hello = stream.asked, stream.hello
        if asked.since is None or hello is None:
            continue
        problem = _wrong_answer(asked, hello)
        if problem:
            found.append(Violation(f"{stream.name} asked for {asked.since} of {asked.log}: {problem}", (asked, hello)))
        elif hello.resumed:
            found += _resumed_exactly(stream, asked.since, history.committed)
    return found


def _wrong_answer(asked: Connected, hello: Greeted) -> str | None:
    """What is wrong with the answer to a resume."""
    assert asked.since is not None
    reason = None
    if asked.log != hello.log:
        reason = "log"
    elif asked.since > hello.head:
        reason = "future"
    elif asked.since < hello.floor:
        reason = "expired"
    if hello.resumed != (reason is None) or hello.reason != reason:
        return f"resumed={hello.resumed}, reason={hello.reason}, where the reason is {reason}"
    if hello.resumed and hello.seq != asked.since:
        return f"it went on after {hello.seq}"
    if not hello.resumed and hello.seq != hello.head:
        return f"it was refused and began at {hello.seq}, not at the head {hello.head}"
    return None


def _resumed_exactly(stream: Stream, since: int, committed: CommittedLog | None) -> list[Violation]:
    """The events after a resume are exactly the next ones that were asked for."""
    numbers = stream.numbers
    if not numbers:
        return []
    if committed is not None and committed.log == stream.log:
        expected = stream.owed(committed, since, numbers[-1])
        expected = [seq for seq in expected if seq > committed.floor]
        numbers = [seq for seq in numbers if seq > committed.floor]
    elif len(stream.wishes()) == 1 and stream.wishes()[0][1] == EVERYTHING:
        expected = list(range(since + 1, since + 1 + len(numbers)))
    else:
        return []
    if numbers == expected:
        return []
    strange = sorted(set(numbers) ^ set(expected)) or numbers
    return [Violation(f"{stream.name} resumed after {since}, and {strange} is missing or too much", (stream.asked,))]


def bookmarkable(history: History) -> list[Violation]:
    """A number that `Hello`, `Subscribed` or `Heartbeat` names parts the stream: all before it came before it."""
    found: list[Violation] = []
    for stream in streams_of(history):
        for seq, place in stream.bookmarks():
            mark = stream.entries[place]
            late = [entry for entry in stream.entries[place:] if isinstance(entry, Told) and entry.seq <= seq]
            if late:
                words = f"{stream.name} was told {late[0].seq} after the bookmark {seq}"
                found.append(Violation(words, (mark, late[0])))
            early = [entry for entry in stream.entries[:place] if isinstance(entry, Told) and entry.seq > seq]
            if early:
                words = f"{stream.name} had {early[0].seq} before the bookmark {seq}"
                found.append(Violation(words, (early[0], mark)))
            found += _complete(stream, seq, place, history.committed)
        found += _unwanted(stream)
    return found


def _complete(stream: Stream, seq: int, place: int, committed: CommittedLog | None) -> list[Violation]:
    mark = stream.entries[place]
    before = [entry.seq for entry in stream.entries[:place] if isinstance(entry, Told)]
    found: list[Violation] = []
    if isinstance(mark, Controlled) and mark.type == "Heartbeat" and mark.data["sent"] != len(before):
        found.append(Violation(f"{stream.name} was told of {mark.data['sent']} events and had {len(before)}", (mark,)))
    start = stream.start
    if committed is None or stream.log != committed.log or start is None or isinstance(mark, Greeted):
        return found
    lost = sorted(set(stream.owed(committed, start, seq)) - set(before))
    if lost:
        found.append(Violation(f"{stream.name} was told that everything up to {seq} came, but not {lost}", (mark,)))
    return found


def _unwanted(stream: Stream) -> list[Violation]:
    wishes = stream.wishes()
    found: list[Violation] = []
    for event in stream.told:
        names = next((names for since, names in reversed(wishes) if since < event.seq), frozenset[str]())
        if event.type not in names:
            found.append(Violation(f"{stream.name} was told {event.type} {event.seq}, not asked for", (event,)))
    return found


PROPERTIES: dict[str, Callable[[History], list[Violation]]] = {
    "ordered": ordered,
    "unique": unique,
    "atomic with state": atomic_with_state,
    "reliable": reliable,
    "resumable": resumable,
    "bookmarkable": bookmarkable,
}


def validate(history: History) -> dict[str, list[Violation]]:
    """Hold every property against a history and answer those that are broken, with how."""
    answers = {name: holds(history) for name, holds in PROPERTIES.items()}
    return {name: violations for name, violations in answers.items() if violations}


def assert_valid(history: History, folder: Path, *, note: str = "") -> None:
    """Fail with words when a property is broken; the whole history is left in the folder.

    Raises:
        AssertionError: naming each broken property, with the entries at fault and `note`.
    """
    found = validate(history)
    if found:
        file = history.write(folder / "history.ndjson")
        raise AssertionError(f"{report(found)}\nthe whole history: {file}\n{note}")
