"""A recorded history cut into connections: which events each was owed, and from where to where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from clown_daemon.protocol.events import CATALOGUE, EVENT_NAMES
from clown_daemon.protocol.stream import CloseCode
from tests.support.chaos.history import (
    CommittedLog,
    Connected,
    Controlled,
    Disconnected,
    Greeted,
    History,
    StreamEntry,
    Told,
)

DOCUMENTED = frozenset(kind.name for kind in CATALOGUE if kind.documented)
SUBSCRIPTIONS = frozenset({"Subscribed", "Unsubscribed"})
BOOKMARKS = SUBSCRIPTIONS | {"Heartbeat"}


@dataclass
class Stream:
    """One connection of one client, with everything that came over it in order."""

    asked: Connected
    entries: list[Greeted | Told | Controlled | Disconnected] = field(default_factory=list)

    @property
    def client(self) -> str:
        return self.asked.client

    @property
    def name(self) -> str:
        return f"{self.asked.client}#{self.asked.connection}"

    @property
    def hello(self) -> Greeted | None:
        """The greeting; of a plain stream, the one that an action brought later."""
        return next((entry for entry in self.entries if isinstance(entry, Greeted)), None)

    @property
    def told(self) -> list[Told]:
        return [entry for entry in self.entries if isinstance(entry, Told)]

    @property
    def numbers(self) -> list[int]:
        return [told.seq for told in self.told]

    @property
    def log(self) -> str | None:
        if self.hello is not None:
            return self.hello.log
        return self.told[0].log if self.told else None

    @property
    def start(self) -> int | None:
        """The number after which it was owed everything; None when that cannot be known."""
        first = self.entries[0] if self.entries else None
        if isinstance(first, Greeted):
            return first.seq
        return self.numbers[0] - 1 if self.numbers else None

    @property
    def reached(self) -> int | None:
        """The number up to which it surely was given everything: the last event, or a bookmark behind it."""
        marks = [seq for seq, _ in self.bookmarks()]
        known = [*self.numbers, *marks]
        return max(known) if known else None

    @property
    def said_goodbye(self) -> bool:
        """Whether the daemon closed it for a shutdown, which it does only after everything was sent."""
        return any(isinstance(entry, Disconnected) and entry.code == CloseCode.SHUTDOWN for entry in self.entries)

    def bookmarks(self) -> Iterator[tuple[int, int]]:
        """Each number that was promised to be complete, and its place among the entries."""
        for place, entry in enumerate(self.entries):
            if isinstance(entry, Greeted):
                yield entry.seq, place
            elif isinstance(entry, Controlled) and entry.type in BOOKMARKS:
                yield entry.data["seq"], place

    def wishes(self) -> list[tuple[int, frozenset[str]]]:
        """What it had asked for: the types, each time with the number after which they hold."""
        wishes = [(0, frozenset(self.asked.events) if self.asked.extended else DOCUMENTED)]
        for entry in self.entries:
            if isinstance(entry, Greeted) and not self.asked.extended:
                wishes.append((entry.seq, frozenset(EVENT_NAMES)))
            elif isinstance(entry, Controlled) and entry.type in SUBSCRIPTIONS:
                wishes.append((entry.data["seq"], frozenset(entry.data["events"])))
        return wishes

    def owed(self, committed: CommittedLog, after: int, upto: int) -> list[int]:
        """The numbers of the committed events in a stretch that it had asked for."""
        wishes = self.wishes()
        owed: list[int] = []
        for seq in range(max(after, committed.floor) + 1, min(upto, committed.head) + 1):
            names = next(names for since, names in reversed(wishes) if since < seq)
            if committed.types[seq] in names:
                owed.append(seq)
        return owed


def streams_of(history: History) -> list[Stream]:
    """Cut a history into connections, in the order in which they were opened."""
    streams: dict[tuple[str, int], Stream] = {}
    for entry in history.entries:
        if isinstance(entry, Connected):
            streams[entry.client, entry.connection] = Stream(entry)
        elif isinstance(entry, StreamEntry):
            streams[entry.client, entry.connection].entries.append(entry)
    return list(streams.values())


def successions(streams: list[Stream]) -> Iterator[tuple[Stream, Stream]]:
    """Each connection with the next one of the same client."""
    by_client: dict[str, list[Stream]] = {}
    for stream in streams:
        by_client.setdefault(stream.client, []).append(stream)
    for mine in by_client.values():
        yield from pairwise(mine)
