"""One connection to `/ws`: opened, read in batches, watched, closed. It never reconnects; `sync` does.

A reader task takes every frame that has arrived in one go, since reading a frame that is already there does not give
the loop away; whoever asks for the next batch is woken once for all of them. At 10,000 events a second that is a few
dozen task switches a second instead of 10,000.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from clown_daemon.client.address import stream_url
from clown_daemon.client.continuity import Resume
from clown_daemon.client.credentials import bearer
from clown_daemon.client.errors import ClientError, IncompatibleError, RefusedError, StreamLostError, UnreachableError
from clown_daemon.client.timing import Timing
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, UnknownEvent
from clown_daemon.protocol.problems import Problem
from clown_daemon.protocol.stream import (
    HEARTBEAT_SECONDS,
    MAX_EVENT_BYTES,
    PROTOCOL_VERSION,
    CloseCode,
    ControlFrame,
    Hello,
)

OPEN_SECONDS = 5.0
"""How long the handshake, and the first frame after it, may take."""
TICK_SECONDS = 1.0
PING_SECONDS = HEARTBEAT_SECONDS + 1.0
"""Silent for so long, a heartbeat is overdue: ask with a ping."""
STALE_SECONDS = 20.0
"""Silent for so long, the ping was not answered either."""
DEAD_SECONDS = 40.0
"""Silent for so long, the connection is given up."""
JUMP_SECONDS = 30.0
"""Wall and monotonic time this far apart mean that the machine slept; the other side may be long gone."""
QUEUE_FRAMES = 1024
"""Frames that the library may hold; above it stops reading and TCP slows the daemon, which parks this client."""
BACKLOG_FRAMES = 16_384
"""Frames that wait for `next_batch`; above it the reader stops, with the same effect."""
CLOSE_SECONDS = 0.5
START_HINT = "start the daemon: clown-daemon start"

Frame = Event | UnknownEvent | ControlFrame


class EventStream:
    """An open connection; get one from `open_stream`.

    Attributes:
        hello: how the daemon greeted.
    """

    hello: Hello

    def __init__(self, connection: ClientConnection, timing: Timing) -> None:
        self._connection = connection
        self._timing = timing
        self._frames: list[bytes] = []
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._lost: StreamLostError | None = None
        self._heard_at = timing.monotonic()

    @property
    def silent_seconds(self) -> float:
        """How long nothing was heard: no frame, no pong. Frames that still wait to be read count as heard."""
        return 0.0 if self._frames else self._timing.monotonic() - self._heard_at

    @property
    def stale(self) -> bool:
        """True when the daemon is silent for longer than it promised to be."""
        return self.silent_seconds >= STALE_SECONDS

    async def next_batch(self) -> list[Frame]:
        """Wait until something happened and answer every frame that is there, oldest first.

        Empty after `wake`. Frames that arrived before the end of the connection are answered before it is raised.

        Raises:
            StreamLostError: the connection ended.
        """
        await self._arrived.wait()
        if not self._frames and self._lost is not None:
            raise self._lost
        frames, self._frames = self._frames, []
        if self._lost is None:
            self._arrived.clear()
        self._room.set()
        return self._decode(frames)

    def wake(self) -> None:
        """Let `next_batch` answer, with what is there."""
        self._arrived.set()

    def abandon(self, reason: str, *, at_once: bool = False) -> None:
        """Give the connection up: `next_batch` raises, once what has arrived is read."""
        self._lose(StreamLostError(reason, at_once=at_once))

    def _lose(self, error: StreamLostError) -> None:
        if self._lost is None:
            self._lost = error
        self._arrived.set()

    def _decode(self, payloads: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        for payload in payloads:
            try:
                frames.append(codec.decode_frame(payload))
            except codec.DecodeError as error:
                if error.code == "unknown_control":
                    continue  # of a newer daemon, which may not rely on it
                self._lose(StreamLostError(f"the daemon sent something unreadable: {error}", garbled=True))
                # What came after it is left out: its place in the order is gone.
                self._frames.clear()
                break
        return frames

    async def read(self) -> None:
        """Take frames as they come, until the connection ends."""
        receive = self._connection.recv
        try:
            while True:
                payload = await receive(decode=False)
                self._frames.append(payload)
                if not self._arrived.is_set():
                    self._arrived.set()
                self._heard_at = self._timing.monotonic()
                if len(self._frames) >= BACKLOG_FRAMES:
                    self._room.clear()
                    await self._room.wait()
        except ConnectionClosed as error:
            code = None if error.rcvd is None else error.rcvd.code
            self._lose(StreamLostError(_farewell(error), code=code))

    async def watch(self) -> None:
        """Once a second: ask a silent daemon, give up a dead one, notice that the machine slept."""
        pings: set[asyncio.Future[float]] = set()
        drift = self._drift()
        while True:
            await self._timing.sleep(TICK_SECONDS)
            if self.silent_seconds >= DEAD_SECONDS:
                self.abandon(f"nothing was heard for {round(self.silent_seconds)} s")
            if abs(self._drift() - drift) > JUMP_SECONDS:
                self.abandon("the clock jumped: this machine slept, or its clock was set", at_once=True)
            if self.silent_seconds >= PING_SECONDS and not pings:
                await self._ping(pings)
            self.wake()  # its owner has things to look after, too

    def _drift(self) -> float:
        return self._timing.wall_ms() / 1000 - self._timing.monotonic()

    async def _ping(self, pings: set[asyncio.Future[float]]) -> None:
        """Ask for a pong; one question at a time, since its answer is what is waited for."""
        with contextlib.suppress(ConnectionClosed):
            pong = asyncio.ensure_future(await self._connection.ping())
            pings.add(pong)

            def heard(answer: asyncio.Future[float]) -> None:
                pings.discard(answer)
                if not answer.cancelled() and answer.exception() is None:
                    self._heard_at = self._timing.monotonic()
                    self.wake()

            pong.add_done_callback(heard)

    async def greet(self) -> None:
        """Read the first frame; what came along with it stays for `next_batch`."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._arrived.wait()
        except TimeoutError:
            raise UnreachableError(f"the daemon accepted, and said nothing for {OPEN_SECONDS:g} s") from None
        if not self._frames and self._lost is not None:
            raise self._lost
        first = self._decode([self._frames.pop(0)])
        if not first or not isinstance(first[0], ControlFrame) or not isinstance(first[0].data, Hello):
            raise IncompatibleError("the daemon did not greet: it does not know the extended stream")
        self.hello = first[0].data
        if self.hello.protocol != PROTOCOL_VERSION:
            raise IncompatibleError(
                f"the daemon speaks protocol {self.hello.protocol}, this client {PROTOCOL_VERSION}",
                hint="upgrade the older of the two, then: clown-daemon restart",
            )


@contextlib.asynccontextmanager
async def open_stream(
    url: str,
    *,
    resume: Resume | None = None,
    events: tuple[str, ...] | None = None,
    token: str | None = None,
    passive: bool = False,
    timing: Timing = Timing(),  # noqa: B008  # frozen
) -> AsyncIterator[EventStream]:
    """Connect, and read the daemon's greeting.

    Args:
        url: the daemon's, `http://127.0.0.1:8765`.
        resume: go on after this event if the daemon still can; `hello.resumed` tells.
        events: names, globs (`Usage*`) and groups (`@errors`); None is all.
        token: sent as `Authorization: Bearer`.
        passive: this connection does not keep the daemon from its idle timeout.
        timing: where time comes from.

    Raises:
        UnreachableError: nothing answers, or not in time.
        RefusedError: the daemon refuses: no access, an unknown event name, too many connections.
        IncompatibleError: it is no Clown daemon, or speaks another protocol.
        StreamLostError: it accepted and closed.
    """
    connection = await _connect(stream_url(url, resume, events, passive=passive), token)
    stream = EventStream(connection, timing)
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(stream.read(), name="stream.read")]
            try:
                await stream.greet()
                background.append(tasks.create_task(stream.watch(), name="stream.watch"))
                yield stream
            except Exception as error:  # noqa: BLE001  # raised below, as it is: a group would wrap it
                failure = error
            finally:
                for task in background:
                    task.cancel()
    finally:
        await connection.close()
    if failure is not None:
        raise failure


async def _connect(url: str, token: str | None) -> ClientConnection:
    """Open a WebSocket, and say in our words why it could not be."""
    where = urlsplit(url).netloc
    try:
        return await connect(
            url,
            additional_headers=bearer(token),
            proxy=None,  # HTTP_PROXY would break ws://127.0.0.1
            compression=None,
            ping_interval=None,  # `watch` has the one rule for silence
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            max_queue=QUEUE_FRAMES,
            max_size=2 * MAX_EVENT_BYTES,  # the bound of an event, with room for the envelope
        )
    except InvalidStatus as error:
        raise refusal(bytes(error.response.body or b""), error.response.status_code, where) from error
    except TimeoutError as error:
        raise UnreachableError(f"{where} did not answer within {OPEN_SECONDS:g} s") from error
    except (InvalidHandshake, InvalidMessage, OSError, EOFError) as error:
        # Of a name with two addresses, asyncio tells both failures in one text.
        if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
            raise UnreachableError(f"nothing listens at {where}", refused=True, hint=START_HINT) from error
        raise UnreachableError(f"{where} cannot be reached: {error}") from error


def refusal(body: bytes, status: int, where: str) -> ClientError:
    """The error that a reply with a status of 400 and up stands for."""
    try:
        problem = codec.decode_reply(body, msgspec.Raw)
    except codec.DecodeError:
        problem = None
    if isinstance(problem, Problem):
        return RefusedError(problem, status)
    return IncompatibleError(
        f"what answers at {where} is no Clown daemon (HTTP {status})",
        hint="another program may use the port: choose another with --port N or CLOWN_PORT=N",
    )


def _farewell(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "the connection to the daemon broke"
    match error.rcvd.code:
        case CloseCode.SHUTDOWN:
            return f"the daemon shut down ({error.rcvd.reason})" if error.rcvd.reason else "the daemon shut down"
        case CloseCode.TOKEN_REPLACED:
            return "the access token was replaced"
        case CloseCode.EXPIRED:
            return "this client fell behind what the daemon's log still holds"
        case code:
            return f"the daemon closed the stream: {error.rcvd.reason or 'code'} ({code})"
