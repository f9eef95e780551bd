"""Histories made by hand, to see what the validator says of them: a good one, and ways to spoil it."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from clown_daemon.protocol.events import EVENT_NAMES
from tests.support.chaos.history import (
    AnyEntry,
    Commanded,
    CommittedLog,
    Connected,
    Controlled,
    Disconnected,
    Greeted,
    History,
    SnapshotRead,
    Told,
)

LOG = "log-a"
PROFILES = frozenset({"ProfileCreated", "ProfileUpdated", "ProfileDeleted"})

E = TypeVar("E", bound=AnyEntry)


def event(seq: int, kind: str, alias: str = "w", model: str | None = "m1", **data: Any) -> dict[str, Any]:
    """An event as the log has it."""
    resource = None if kind == "ProfileDeleted" else {"alias": alias, "model": model, "run": data.get("run_id")}
    fields: dict[str, Any] = {"alias": alias, **data}
    if kind == "ProfileUpdated":
        fields["changes"] = ["model"]
    if kind.startswith("Daemon"):
        fields, resource = {}, {"status": kind}
    return {"type": kind, "data": fields, "seq": seq, "log": LOG, "resource": resource}


EVENTS = [
    event(1, "DaemonStarted"),
    event(2, "ProfileCreated"),
    event(3, "ProfileUpdated", model="m2"),
    event(4, "ProfileStarted", model="m2", run_id="r1"),
    event(5, "ProfileStopped", model="m2", run_id="r1"),
    event(6, "ProfileDeleted"),
    event(7, "ProfileCreated", alias="v"),
]
HEAD = len(EVENTS)


def committed(events: list[dict[str, Any]] | None = None, *, floor: int = 0) -> CommittedLog:
    """The log at the end."""
    kept = [each for each in (EVENTS if events is None else events) if each["seq"] > floor]
    return CommittedLog(
        log=LOG,
        floor=floor,
        head=HEAD if events is None else len(events),
        bodies={each["seq"]: json.dumps(each) for each in kept},
        types={each["seq"]: each["type"] for each in kept},
    )


class Client:
    """Writes what one client sees."""

    def __init__(self, history: History, name: str) -> None:
        self._history = history
        self._name = name
        self._connection = 0

    def connect(
        self,
        seq: int | None,
        *,
        since: int | None = None,
        log: str = LOG,
        events: frozenset[str] = frozenset(EVENT_NAMES),
        **hello: Any,
    ) -> "Client":
        """Open a stream; without a number it is plain and not greeted."""
        self._connection += 1
        asked = Connected(
            client=self._name,
            connection=self._connection,
            extended=seq is not None,
            since=since,
            log=None if since is None else log,
            events=tuple(events),
        )
        self._history.add(asked)
        if seq is not None:
            self.hello(seq, **{"resumed": since is not None, **hello})
        return self

    def hello(self, seq: int, **hello: Any) -> "Client":
        facts = {"log": LOG, "head": HEAD, **hello}
        self._history.add(Greeted(client=self._name, connection=self._connection, seq=seq, **facts))
        return self

    def told(self, *numbers: int) -> "Client":
        for seq in numbers:
            body = EVENTS[seq - 1]
            entry = Told(
                client=self._name,
                connection=self._connection,
                seq=seq,
                log=LOG,
                type=body["type"],
                body=json.dumps(body),
            )
            self._history.add(entry)
        return self

    def control(self, kind: str, **data: Any) -> "Client":
        entry = Controlled(client=self._name, connection=self._connection, type=kind, data=data)
        self._history.add(entry)
        return self

    def lost(self, code: int | None = None) -> "Client":
        self._history.add(Disconnected(client=self._name, connection=self._connection, code=code))
        return self


def snapshot(history: History, seq: int, *profiles: dict[str, Any], status: str = "DaemonStarted", at: float) -> None:
    """A snapshot that was asked for and answered at a time."""
    data = {
        "log": LOG,
        "seq": seq,
        "valid_until_ms": 1,
        "profiles": list(profiles),
        "daemon": {"status": status},
    }
    history.add(SnapshotRead(client="reader", asked_at=at, at=at + 0.5, data=data))


def command(
    history: History, method: str, path: str, status: int | None, *, at: float, reply: Any = None, **body: Any
) -> None:
    """A command that was given and answered at a time."""
    history.add(
        Commanded(
            client="boss",
            asked_at=at,
            at=at + 0.5,
            method=method,
            path=path,
            body=body or None,
            status=status,
            reply=reply,
        )
    )


def good_history() -> History:
    """Clients of every kind, snapshots and commands, and nothing wrong."""
    history = History(complete=True)
    history.committed = committed()
    command(history, "POST", "/api/profiles", 201, at=10, alias="w", model="m1")
    command(history, "POST", "/api/profiles", 409, at=11, alias="w", model="m9")
    snapshot(history, 2, {"alias": "w", "model": "m1", "run": None}, at=12)
    command(history, "PATCH", "/api/profiles/w", 200, at=13, model="m2", reply={"message": "changed model of w"})
    command(history, "PATCH", "/api/profiles/w", 200, at=14, model="m2", reply={"message": "w is like that already"})
    command(history, "PATCH", "/api/profiles/w", 404, at=15, model="m3")
    command(history, "POST", "/api/profiles/w/run", 202, at=16, reply={"run_id": "r1"})
    command(history, "POST", "/api/profiles/w/stop", 200, at=17, reply={"run_id": "r1"})
    command(history, "DELETE", "/api/profiles/w", None, at=18)
    command(history, "POST", "/api/profiles", None, at=19, alias="v", model="m1")
    snapshot(history, 7, {"alias": "v", "model": "m1", "run": None}, at=20)
    Client(history, "plain").connect(None).told(2, 3, 4).lost().connect(None).told(6, 7)
    switched = Client(history, "switched").connect(None).told(3, 4).hello(4)
    switched.control("Subscribed", seq=4, events=["ProfileDeleted"]).told(6).control("Heartbeat", seq=7, sent=3)
    steady = Client(history, "steady").connect(1).told(2, 3).lost()
    steady.connect(3, since=3).told(4, 5).control("Heartbeat", seq=5, sent=2).lost()
    steady.connect(2, since=2).told(3, 4, 5, 6, 7)
    picky = Client(history, "picky").connect(0, events=PROFILES).told(2, 3)
    picky.control("Subscribed", seq=3, events=["ProfileStopped"]).told(5)
    picky.control("Unsubscribed", seq=7, events=[])
    Client(history, "refused").connect(7, since=9, resumed=False, reason="future").lost()
    Client(history, "stranger").connect(7, since=1, log="log-b", resumed=False, reason="log")
    Client(history, "late").connect(7, since=1, floor=2, resumed=False, reason="expired")
    return history


def spoilt(history: History, pick: Callable[[AnyEntry], bool], **change: Any) -> History:
    """Change fields of the first entry that fits."""
    place = next(place for place, entry in enumerate(history.entries) if pick(entry))
    history.entries[place] = msgspec.structs.replace(history.entries[place], **change)
    return history


def without(history: History, pick: Callable[[AnyEntry], bool]) -> History:
    """Take out the first entry that fits."""
    history.entries.remove(next(entry for entry in history.entries if pick(entry)))
    return history
