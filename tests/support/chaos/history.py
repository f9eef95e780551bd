"""What happened, as those saw it to whom it happened: every client, every command, every signal, in the order of time.

A recorder only writes down; `validator` judges. Times are `time.monotonic()` seconds. Adding is safe from any thread.
"""

import time
from pathlib import Path
from typing import Any

import msgspec

from clown_daemon.protocol.events import EVENT_NAMES


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="what"):
    """One thing that was seen."""

    at: float = msgspec.field(default_factory=time.monotonic)


class StreamEntry(Entry, frozen=True, kw_only=True):
    """Something that belongs to one connection of one client."""

    client: str
    connection: int
    """1, 2, ... for each client."""


class Connected(StreamEntry, frozen=True, kw_only=True, tag=True):
    """A stream was opened."""

    extended: bool = True
    since: int | None = None
    log: str | None = None
    events: tuple[str, ...] = EVENT_NAMES
    """The types it asked for, resolved; a plain stream has the documented ones."""


class Greeted(StreamEntry, frozen=True, kw_only=True, tag=True):
    """`Hello`."""

    log: str
    seq: int
    floor: int = 0
    head: int
    resumed: bool = False
    reason: str | None = None


class Told(StreamEntry, frozen=True, kw_only=True, tag=True):
    """An event arrived."""

    seq: int
    log: str
    type: str
    body: str
    """Its JSON."""


class Controlled(StreamEntry, frozen=True, kw_only=True, tag=True):
    """A control frame other than `Hello` arrived."""

    type: str
    data: dict[str, Any]


class Disconnected(StreamEntry, frozen=True, kw_only=True, tag=True):
    """The stream ended."""

    code: int | None
    """The close code; None when it broke."""


class SnapshotRead(Entry, frozen=True, kw_only=True, tag=True):
    """A snapshot was answered."""

    client: str
    asked_at: float
    data: dict[str, Any]
    """The reply's data: `{log, seq, profiles, ...}`."""


class Commanded(Entry, frozen=True, kw_only=True, tag=True):
    """A command was answered, or its caller will never know what became of it."""

    client: str
    asked_at: float
    method: str
    path: str
    body: dict[str, Any] | None
    status: int | None
    """None: no reply."""
    reply: dict[str, Any] | None = None
    """The reply's data."""


class Signalled(Entry, frozen=True, kw_only=True, tag=True):
    """Something was done to the daemon: `started`, `KILL`, `TERM`, `STOP`, `CONT`."""

    name: str


AnyEntry = Connected | Greeted | Told | Controlled | Disconnected | SnapshotRead | Commanded | Signalled


class CommittedLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon's log holds in the end: the truth that everything told is held against."""

    log: str
    floor: int
    head: int
    bodies: dict[int, str]
    """The JSON of every kept event by its number."""
    types: dict[int, str]


class History:
    """Everything that was recorded.

    Attributes:
        entries: in the order in which they were seen.
        committed: the log at the end; None while nobody has read it.
        complete: whether every command that anybody gave is in it, so that an event without a command is a fault.
    """

    def __init__(self, *, complete: bool = False) -> None:
        self.entries: list[AnyEntry] = []
        self.committed: CommittedLog | None = None
        self.complete = complete

    def add(self, entry: AnyEntry) -> None:
        self.entries.append(entry)

    def of(self, *kinds: type[AnyEntry]) -> list[Any]:
        """The entries of these kinds, in order."""
        return [entry for entry in self.entries if isinstance(entry, kinds)]

    def frame(self, client: str, connection: int, payload: str) -> dict[str, Any]:
        """Record a frame as it came off the wire and answer it decoded."""
        frame: dict[str, Any] = msgspec.json.decode(payload)
        kind, data = frame["type"], frame["data"]
        if "seq" in frame:
            told = Told(
                client=client, connection=connection, seq=frame["seq"], log=frame["log"], type=kind, body=payload
            )
            self.add(told)
        elif kind == "Hello":
            known = {name: data[name] for name in ("log", "seq", "floor", "head", "resumed", "reason")}
            self.add(Greeted(client=client, connection=connection, **known))
        else:
            self.add(Controlled(client=client, connection=connection, type=kind, data=data))
        return frame

    def write(self, file: Path) -> Path:
        """Write everything as NDJSON, one entry a line, for a look at what went wrong."""
        with file.open("wb") as out:
            for entry in self.entries:
                out.write(msgspec.json.encode(entry) + b"\n")
            if self.committed is not None:
                out.write(msgspec.json.encode({"what": "CommittedLog", **msgspec.structs.asdict(self.committed)}))
        return file


def read_history(file: Path) -> History:
    """Read what `History.write` wrote, to judge it again."""
    history = History()
    for line in file.read_bytes().splitlines():
        if msgspec.json.decode(line)["what"] == "CommittedLog":
            history.committed = msgspec.json.decode(line, type=CommittedLog)
        else:
            history.add(msgspec.json.decode(line, type=AnyEntry))
    return history
