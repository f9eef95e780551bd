"""A follower that tells what a test puts into it."""

import asyncio
from types import TracebackType
from typing import Self

from clown_daemon.client.states import Message


class FakeFeed:
    """Messages go in by `tell`; what the dashboard asks for is counted."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[list[Message]] = asyncio.Queue()
        self.asked: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def tell(self, *messages: Message) -> None:
        self.queue.put_nowait(list(messages))

    async def next_batch(self) -> list[Message]:
        return await self.queue.get()

    def retry_now(self) -> None:
        self.asked.append("retry")

    def refresh(self) -> None:
        self.asked.append("refresh")

    def start_now(self) -> None:
        self.asked.append("start")
