"""What a follower told so far, and waiting for more of it."""

import asyncio
from collections.abc import Callable

from clown_daemon.client.states import ConnectionChanged, EventReceived, GapFound, Message, Phase, SnapshotLoaded
from clown_daemon.client.sync import Follower
from clown_daemon.protocol.events import Event, EventData, ProfileDeleted, ProfileStarted, Resource
from clown_daemon.protocol.resources import Profile
from tests.support.scripted_daemon import Picture, apply, picture_of

SECONDS = 20
"""Ends a test that will never pass."""


def started(alias: str, pid: int = 1) -> tuple[EventData, Resource]:
    """An event that puts a profile; `pid` makes versions of it differ."""
    profile = Profile(
        alias=alias,
        agent_id="claude",
        provider_id="anthropic",
        model=f"m{pid}",
        created_at="2026-01-08T10:30:00Z",
        profile_home=f"/home/dev/{alias}",
    )
    return ProfileStarted(alias=alias, pid=pid, run_id=f"run-{pid}"), profile


def deleted(alias: str) -> tuple[EventData, None]:
    """An event that removes a profile."""
    return ProfileDeleted(alias=alias), None


class Told:
    """Reads a follower, and keeps the picture that its messages make."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.messages: list[Message] = []
        self.picture: Picture = {}
        self.seq = 0

    async def more(self) -> None:
        for message in await self.follower.next_batch():
            self.messages.append(message)
            if isinstance(message, SnapshotLoaded):
                self.picture = picture_of(message.snapshot)
                self.seq = message.snapshot.seq
            elif isinstance(message, EventReceived) and not message.replayed:
                if isinstance(message.event, Event):
                    apply(self.picture, message.event)
                self.seq = message.event.seq

    async def until(self, predicate: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not predicate():
                await self.more()

    async def phase(self, phase: Phase) -> ConnectionChanged:
        """Wait until the connection stands like this."""
        await self.until(lambda: self.follower.phase is phase and self.last is not None and self.last.phase is phase)
        assert self.last is not None
        return self.last

    async def event(self, seq: int) -> EventReceived:
        """Wait for an event."""
        await self.until(lambda: seq in self.numbers)
        return next(message for message in self.events if message.event.seq == seq)

    @property
    def last(self) -> ConnectionChanged | None:
        changes = [message for message in self.messages if isinstance(message, ConnectionChanged)]
        return changes[-1] if changes else None

    @property
    def phases(self) -> list[Phase]:
        return [message.phase for message in self.messages if isinstance(message, ConnectionChanged)]

    @property
    def events(self) -> list[EventReceived]:
        return [message for message in self.messages if isinstance(message, EventReceived)]

    @property
    def numbers(self) -> list[int]:
        return [message.event.seq for message in self.events]

    @property
    def gaps(self) -> list[GapFound]:
        return [message for message in self.messages if isinstance(message, GapFound)]

    @property
    def snapshots(self) -> int:
        return sum(isinstance(message, SnapshotLoaded) for message in self.messages)
