"""Messages between the follower and its reader: bounded, and taken one by one or all at once."""

import asyncio
from collections import deque

from clown_daemon.client.states import Message

BACKLOG_MESSAGES = 20_000
"""Messages that wait to be read; above it the stream is left alone, TCP slows the daemon, and it parks this client."""


class Outbox:
    """One writer, one reader."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._filled = asyncio.Event()
        self._taken = asyncio.Event()
        self._closed = False

    def add(self, message: Message) -> None:
        """Tell a message; never waits, so that what belongs together stays together."""
        self._messages.append(message)
        if not self._filled.is_set():
            self._filled.set()

    async def until_room(self) -> None:
        """Wait until fewer messages than the bound are there."""
        while len(self._messages) >= BACKLOG_MESSAGES:
            self._taken.clear()
            await self._taken.wait()

    async def take(self) -> Message | None:
        """Wait for a message and answer it; None once it is closed."""
        await self._filled.wait()
        if self._closed:
            return None
        message = self._messages.popleft()
        if not self._messages:
            self._filled.clear()
        self._taken.set()
        return message

    async def take_all(self) -> list[Message]:
        """Wait for a message and answer all that are there; what is left, or nothing, once it is closed."""
        await self._filled.wait()
        batch = list(self._messages)
        self._messages.clear()
        if not self._closed:
            self._filled.clear()
        self._taken.set()
        return batch

    def close(self) -> None:
        """Let the reader go."""
        self._closed = True
        self._filled.set()
