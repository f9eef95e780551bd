"""The shipped client, written down: what `Follower` tells, and the picture that this makes."""

from collections.abc import Collection
from typing import Any

import msgspec

from clown_daemon.client.states import EventReceived, GapFound, Message, SnapshotLoaded
from clown_daemon.client.sync import Follower
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import resolve_names
from tests.support.chaos.history import Connected, History, SnapshotRead, Told
from tests.support.chaos.pictures import Picture, picture_of, put


class FollowerClient:
    """Reads one follower to its end.

    To the history it is one connection: reconnecting is the follower's own affair, and must not show.

    Attributes:
        picture: what it knows, from snapshots and events alone.
        seq: the event that the picture is true at.
        last: the last event that it was told, 0 before the first.
        joined: the number of its first snapshot, 0 before that.
        wanted: the types that it asked for.
        gaps: every gap that it was told of, except those in which nothing was missed.
    """

    def __init__(self, name: str, follower: Follower, history: History, events: Collection[str] = ("*",)) -> None:
        self.name = name
        self.follower = follower
        self.picture: Picture = {}
        self.seq = 0
        self.last = 0
        self.joined = 0
        self.wanted = frozenset(resolve_names(tuple(events), EVENT_NAMES))
        self.gaps: list[GapFound] = []
        self._history = history
        history.add(Connected(client=name, connection=1, events=tuple(self.wanted)))

    @property
    def narrowed(self) -> bool:
        """Whether it asked for a part only."""
        return self.wanted != frozenset(EVENT_NAMES)

    async def run(self) -> None:
        """Read until the follower is closed."""
        while batch := await self.follower.next_batch():
            for message in batch:
                self._take(message)

    def _take(self, message: Message) -> None:
        match message:
            case SnapshotLoaded(snapshot=snapshot):
                data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(snapshot))
                # When the follower asked is not known; 0 claims nothing about earlier commands.
                self._history.add(SnapshotRead(client=self.name, asked_at=0.0, data=data))
                self.picture, self.seq = picture_of(data), snapshot.seq
                self.joined = self.joined or snapshot.seq
            case EventReceived(event=event, replayed=replayed):
                body = msgspec.json.encode(event)
                self._history.add(
                    Told(
                        client=self.name,
                        connection=1,
                        seq=event.seq,
                        log=event.log,
                        type=event.type,
                        body=body.decode(),
                    )
                )
                self.last = event.seq
                if not replayed:
                    put(self.picture, msgspec.json.decode(body))
                    self.seq = event.seq
            case GapFound(missed=missed) if missed != 0:
                self.gaps.append(message)
