"""A client of the bare stream: no more than a WebSocket and its own place, with habits that make it a nuisance."""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import resolve_names
from tests.support.chaos.history import Connected, Disconnected, History
from tests.support.waiting import until

OPEN_SECONDS = 1.0
CLOSE_SECONDS = 0.2
REST_SECONDS = (0.02, 0.15)
SETTLED = "settled"
WISHES = ("Profile*", "ProfileUpdated", "Usage*", "ProfileStarted", "Daemon*", "Agent*", "ProfileDeleted")


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a client behaves."""

    plain: bool = False
    """Connects and says nothing."""
    resumes: bool = True
    events: tuple[str, ...] = ()
    """Patterns it asks for when it connects; none is all."""
    talks: float = 0
    """How likely it changes its subscription after a frame."""
    lags_seconds: float = 0
    """The most it rests after a frame."""
    leaves: float = 0
    """How likely it hangs up after a frame."""


class RawClient:
    """Follows a daemon until it is told to end, through every loss.

    Attributes:
        seq: its place: the last event or bookmark.
        resumes: how many times the daemon let it go on where it was.
    """

    def __init__(self, name: str, url: str, history: History, habits: Habits, seed: object) -> None:
        self.name = name
        self.seq = 0
        self.resumes = 0
        self._url = url.replace("http", "ws", 1) + "/ws"
        self._history = history
        self._habits = habits
        self._chance = random.Random(f"{seed}/{name}")  # noqa: S311  # habits, not secrets
        self._connection = 0
        self._log: str | None = None
        self._wanted: tuple[str, ...] = habits.events
        self._stream: ClientConnection | None = None
        self._calm = self._ending = False

    async def run(self) -> None:
        """Connect, listen, and connect again."""
        while not self._ending:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                await self._follow()
            await asyncio.sleep(self._chance.uniform(*REST_SECONDS))

    async def settle(self, head: int) -> None:
        """Give up all habits, and wait until the daemon says that everything up to `head` was sent.

        Raises:
            TimeoutError: it never says so.
        """
        self._calm = True

        async def settled() -> bool:
            if self.seq < head and self._stream is not None:
                with contextlib.suppress(ConnectionClosed):
                    await self._say("subscribe", ["*"], request_id=SETTLED)
                await asyncio.sleep(0.06)  # the daemon takes 20 messages a second
            return self.seq >= head

        try:
            await until(settled)
        except TimeoutError:
            raise AssertionError(f"{self.name} came to {self.seq} and never to {head}") from None

    def end(self) -> None:
        """Connect no more; a stream that is open is listened to until it ends."""
        self._ending = True

    async def _follow(self) -> None:
        since, log = (self.seq, self._log) if self._habits.resumes and self._log else (None, None)
        async with connect(
            self._url + self._query(since),
            proxy=None,
            compression=None,
            ping_interval=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            max_queue=4 if self._habits.lags_seconds else 64,
        ) as stream:
            self._connection += 1
            asked = Connected(
                client=self.name,
                connection=self._connection,
                extended=not self._habits.plain,
                since=since,
                log=log,
                events=tuple(resolve_names(self._wanted or ("*",), EVENT_NAMES)),
            )
            self._history.add(asked)
            self._stream = stream
            code: int | None = None
            try:
                while True:
                    try:
                        payload = await stream.recv()
                    except ConnectionClosed as end:
                        # Not whenever the library has seen a goodbye: frames before it may still wait to be read.
                        code = None if end.rcvd is None else end.rcvd.code
                        raise
                    assert isinstance(payload, str)
                    self._take(self._history.frame(self.name, self._connection, payload))
                    if not self._calm and await self._misbehave():
                        return
            finally:
                self._stream = None
                self._history.add(Disconnected(client=self.name, connection=self._connection, code=code))

    def _query(self, since: int | None) -> str:
        if self._habits.plain:
            return ""
        events = f"&events={','.join(self._wanted)}" if self._wanted else ""
        return f"?hello=1{events}" + ("" if since is None else f"&since={since}&log={self._log}")

    def _take(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        if "seq" in frame:
            self.seq = frame["seq"]
        elif frame["type"] == "Hello":
            self.seq, self._log = data["seq"], data["log"]
            self.resumes += data["resumed"]
        elif frame["type"] in {"Subscribed", "Unsubscribed"}:
            self.seq = data["seq"]
            self._wanted = tuple(data["events"])
        elif frame["type"] == "Heartbeat":
            self.seq = data["seq"]

    async def _misbehave(self) -> bool:
        """Do what this client does after a frame; answer whether it hangs up."""
        if self._chance.random() < self._habits.talks:
            action = self._chance.choice(["subscribe", "subscribe", "unsubscribe"])
            await self._say(action, self._chance.sample(WISHES, 2))
        if self._habits.lags_seconds:
            await asyncio.sleep(self._chance.uniform(0, self._habits.lags_seconds))
        return self._chance.random() < self._habits.leaves

    async def _say(self, action: str, events: list[str], **more: str) -> None:
        if self._stream is not None:
            await self._stream.send(json.dumps({"action": action, "events": events, **more}))
