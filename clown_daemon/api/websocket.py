"""The event stream at `/ws`: one cursor a connection, plain or extended.

Plain: the client sends nothing and gets events, nothing else. Extended (asked for by `hello=1`, `since=&log=`,
`events=`, or by sending an action): control frames too.
"""

import asyncio
import logging
from collections import deque
from typing import assert_never

from aiohttp import WSCloseCode, WSMsgType, web

from clown_daemon.api.problems import problem_response
from clown_daemon.api.routes.replies import query
from clown_daemon.api.routes.stream import event_types
from clown_daemon.api.services import SERVICES, Services
from clown_daemon.broadcaster import Broadcaster, Cursor, ExpiredError
from clown_daemon.errors import DomainError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import UnknownNameError, resolve_names
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import StreamQuery
from clown_daemon.protocol.stream import (
    ERRORS_PER_MINUTE,
    HEARTBEAT_SECONDS,
    MAX_CONNECTIONS,
    MAX_MESSAGE_BYTES,
    MAX_NAMES,
    MESSAGE_BURST,
    MESSAGES_PER_SECOND,
    Action,
    CloseCode,
    ControlData,
    ErrorCode,
    Heartbeat,
    Hello,
    ResumeFailure,
    Resync,
    StreamError,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from clown_daemon.store.event_log import read_floor, read_head

CLOSE_SECONDS = 2
"""How long a client may take to answer a close."""

logger = logging.getLogger(__name__)


async def follow(request: web.Request) -> web.StreamResponse:
    """Serve one connection until either side ends it."""
    services = request.app[SERVICES]
    asked = query(request, StreamQuery)
    _check(asked)
    names = None if asked.events is None else event_types(asked.events)
    if services.broadcaster.connections >= MAX_CONNECTIONS:
        return problem_response(
            ProblemCode.TOO_MANY_CONNECTIONS, "too many clients are connected", headers={"Retry-After": "5"}
        )
    socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE_BYTES, timeout=CLOSE_SECONDS)
    if not socket.can_prepare(request).ok:
        return problem_response(
            ProblemCode.UPGRADE_REQUIRED,
            "this is a WebSocket",
            hint="connect with a WebSocket client",
            headers={"Upgrade": "websocket"},
        )
    floor, head = await services.database.read(lambda connection: (read_floor(connection), read_head(connection)))
    await socket.prepare(request)
    assert request.transport is not None
    seq, reason = _start(services.broadcaster, asked, floor, head)
    cursor = Cursor(request.transport, seq, names, passive=asked.passive == 1)
    connection = _Connection(services, socket, cursor)
    if asked.hello or asked.since is not None or names is not None:
        connection.greet(asked, floor=floor, head=max(head, seq), reason=reason)
    await connection.serve()
    return socket


def _check(asked: StreamQuery) -> None:
    if (asked.since is None) != (asked.log is None):
        raise DomainError(ProblemCode.INVALID_FIELD, "since and log go together", hint="resume with both, or neither")
    if asked.since is not None and asked.since < 0:
        raise DomainError(ProblemCode.INVALID_FIELD, "since is 0 or more")


def _start(broadcaster: Broadcaster, asked: StreamQuery, floor: int, head: int) -> tuple[int, ResumeFailure | None]:
    """Answer the number after which the stream begins, and why a resume is refused."""
    if asked.since is None:
        return broadcaster.head, None
    if asked.log != broadcaster.log:
        return broadcaster.head, "log"
    if asked.since > max(head, broadcaster.head):
        return broadcaster.head, "future"
    if asked.since < floor:
        return broadcaster.head, "expired"
    return asked.since, None


class _Connection:
    """One client of the stream."""

    def __init__(self, services: Services, socket: web.WebSocketResponse, cursor: Cursor) -> None:
        self._services = services
        self._broadcaster = services.broadcaster
        self._socket = socket
        self._cursor = cursor
        self._extended = asyncio.Event()
        self._narrowed = cursor.names is not None
        self._bucket = _TokenBucket(asyncio.get_running_loop().time())
        self._errors: deque[float] = deque(maxlen=ERRORS_PER_MINUTE + 1)

    def greet(self, asked: StreamQuery, *, floor: int, head: int, reason: ResumeFailure | None) -> None:
        """Send the first frame of extended mode."""
        self._extended.set()
        facts = self._services.daemon
        self._send(
            Hello(
                version=facts.version,
                instance=facts.instance,
                log=self._broadcaster.log,
                seq=self._cursor.seq,
                floor=floor,
                head=head,
                resumed=asked.since is not None and reason is None,
                reason=reason,
            )
        )

    async def serve(self) -> None:
        """Carry the connection: its messages, its heartbeat, and its cursor when it is behind."""
        self._broadcaster.attach(self._cursor, self._shut)
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self._beat(), name="stream.heartbeat")
                carrying = tasks.create_task(self._carry(), name="stream.catch_up")
                await self._listen()
                beating.cancel()
                carrying.cancel()
        finally:
            self._broadcaster.detach(self._cursor)

    async def _shut(self, reason: str) -> None:
        # What a client that is behind has not got yet, it gets by resuming.
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=reason.encode())

    async def _carry(self) -> None:
        try:
            await self._broadcaster.catch_up(self._cursor)
        except ExpiredError:
            if self._extended.is_set():
                self._send(Resync(reason="expired"))
            await self._socket.close(code=CloseCode.EXPIRED, message=b"expired")

    async def _beat(self) -> None:
        await self._extended.wait()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            self._send(Heartbeat(seq=self._cursor.seq, sent=self._cursor.sent))

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
            elif message.type is WSMsgType.BINARY:
                await self._socket.close(code=CloseCode.UNSUPPORTED_DATA, message=b"text only")

    async def _take(self, text: str) -> None:
        self._extended.set()
        now = asyncio.get_running_loop().time()
        wait = self._bucket.take(now)
        if wait:
            await self._refuse("rate_limited", "too many messages", now, retry_after_ms=wait)
            return
        try:
            self._obey(codec.decode_action(text))
        except codec.DecodeError as error:
            code: ErrorCode = "invalid_field"
            if error.code in {"bad_json", "bad_message", "unknown_action"}:
                code = error.code  # type: ignore[assignment]  # just checked
            await self._refuse(code, str(error), now, field=error.field)
        except UnknownNameError as error:
            await self._refuse("unknown_event", str(error), now, unknown=error.unknown, known=EVENT_NAMES)
        except _TooManyNamesError:
            await self._refuse("too_many_names", f"a subscription holds at most {MAX_NAMES} names", now, field="events")

    def _obey(self, action: Action) -> None:
        if len(action.events) > MAX_NAMES:
            raise _TooManyNamesError
        # What is announced already belongs to the old subscription.
        self._broadcaster.flush()
        asked = resolve_names(action.events, EVENT_NAMES)
        had = frozenset(EVENT_NAMES) if self._cursor.names is None else self._cursor.names
        match action:
            case Subscribe():
                self._cursor.names = self._widened(action, asked, had)
                reply: ControlData = Subscribed(
                    events=self._wanted(), seq=self._cursor.seq, request_id=action.request_id
                )
            case Unsubscribe():
                self._cursor.names = had - asked
                self._narrowed = True
                reply = Unsubscribed(events=self._wanted(), seq=self._cursor.seq, request_id=action.request_id)
            case _:
                assert_never(action)
        self._send(reply)

    def _widened(self, action: Subscribe, asked: frozenset[str], had: frozenset[str]) -> frozenset[str] | None:
        if "*" in action.events:
            self._narrowed = False
            return None
        wanted = had | asked if self._narrowed else asked
        self._narrowed = True
        return wanted

    def _wanted(self) -> tuple[str, ...]:
        names = self._cursor.names
        return EVENT_NAMES if names is None else tuple(name for name in EVENT_NAMES if name in names)

    def _send(self, data: ControlData) -> None:
        self._broadcaster.write(self._cursor, codec.encode_control(data, at_ms=self._services.clock.now_ms()))

    async def _refuse(
        self,
        code: ErrorCode,
        sentence: str,
        now: float,
        *,
        field: str | None = None,
        unknown: tuple[str, ...] | None = None,
        known: tuple[str, ...] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        self._send(
            StreamError(
                code=code, error=sentence, field=field, unknown=unknown, known=known, retry_after_ms=retry_after_ms
            )
        )
        self._errors.append(now)
        if len(self._errors) > ERRORS_PER_MINUTE and now - self._errors[0] < 60:
            await self._socket.close(code=CloseCode.TOO_MANY_ERRORS, message=b"too many errors")


class _TooManyNamesError(ValueError):
    """A subscription with more names than allowed."""


class _TokenBucket:
    """At most `MESSAGES_PER_SECOND` messages a second, `MESSAGE_BURST` at once."""

    def __init__(self, now: float) -> None:
        self._left = float(MESSAGE_BURST)
        self._at = now

    def take(self, now: float) -> int:
        """Let one message in and answer 0, or answer the milliseconds until the next one may come."""
        self._left = min(MESSAGE_BURST, self._left + (now - self._at) * MESSAGES_PER_SECOND)
        self._at = now
        if self._left < 1:
            return max(1, round((1 - self._left) / MESSAGES_PER_SECOND * 1000))
        self._left -= 1
        return 0
