"""The event stream at `/ws`: one cursor a connection, plain or extended.

Plain: the client sends nothing and gets events, nothing else. Extended (asked for by `hello=1`, `since=&log=`,
`events=`, or by sending an action): control frames too.
"""

import asyncio
import contextlib
import logging
import socket as sockets
from typing import cast

from aiohttp import WSCloseCode, WSMsgType, web

from clown_daemon.api.access import TOKEN_REVOKED
from clown_daemon.api.handshake import CLOSE_SECONDS, StreamSocket, refuse_handshake
from clown_daemon.api.problems import MAX_SENTENCE_LENGTH, problem_response, shorten
from clown_daemon.api.routes.replies import query
from clown_daemon.api.routes.stream import event_types
from clown_daemon.api.seats import NoSeatError
from clown_daemon.api.services import SERVICES, Services
from clown_daemon.api.subscription import DOCUMENTED, MAX_NAME_LENGTH, Allowance, Subscription
from clown_daemon.broadcaster import Broadcaster, ExpiredError
from clown_daemon.cursor import Cursor
from clown_daemon.errors import DomainError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import UnknownNameError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import StreamQuery
from clown_daemon.protocol.stream import (
    MAX_MESSAGE_BYTES,
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
    Unsubscribed,
)
from clown_daemon.redaction import hide_secrets
from clown_daemon.store.event_log import read_floor, read_head

SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel keeps for a client (it doubles the figure). By itself it would keep 4 MiB, and a client that takes
nothing would not be noticed before those were full."""

logger = logging.getLogger(__name__)


async def follow(request: web.Request) -> web.StreamResponse:
    """Serve one connection until either side ends it."""
    services = request.app[SERVICES]
    asked = query(request, StreamQuery)
    _check(asked)
    names = None if asked.events is None else event_types(asked.events)
    refusal = refuse_handshake(request)
    if refusal is not None:
        return refusal
    floor, head = await services.database.read(lambda connection: (read_floor(connection), read_head(connection)))
    with contextlib.ExitStack() as seat:
        try:
            seat.enter_context(services.seats.taken(has_token=TOKEN_REVOKED in request))
        except NoSeatError:
            services.refusals.count(ProblemCode.TOO_MANY_CONNECTIONS)
            return problem_response(
                ProblemCode.TOO_MANY_CONNECTIONS, "too many clients are connected", headers={"Retry-After": "5"}
            )
        # Pings are answered here, so that the bounds of a client that does not read hold for the answers too.
        socket = StreamSocket(MAX_MESSAGE_BYTES, autoping=False)
        await socket.prepare(request)
        transport = request.transport
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)
        # Closing waits for a client to take what is left; one that never does would keep its socket and memory.
        seat.callback(asyncio.get_running_loop().call_later, CLOSE_SECONDS, transport.abort)
        seq, reason = _start(services.broadcaster, asked, floor, head)
        extended = bool(asked.hello) or asked.since is not None or names is not None
        subscription = Subscription() if names is None else Subscription(names, narrowed=True)
        wanted = subscription.filter if extended else DOCUMENTED
        cursor = Cursor(_Outlet(transport, socket), seq, wanted, passive=asked.passive == 1)
        connection = _Connection(services, socket, cursor, subscription, token_revoked=request.get(TOKEN_REVOKED))
        if extended:
            connection.greet(floor, resumed=asked.since is not None and reason is None, reason=reason)
        await connection.serve()
    return socket


class _Outlet:
    """The transport of a connection, closed for events as soon as a close frame was sent: nothing may follow it."""

    def __init__(self, transport: asyncio.Transport, socket: StreamSocket) -> None:
        self.write = transport.write
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.abort = transport.abort
        self._transport = transport
        self._socket = socket

    def is_closing(self) -> bool:
        return self._socket.closed or self._transport.is_closing()


def _check(asked: StreamQuery) -> None:
    if (asked.since is None) != (asked.log is None):
        raise DomainError(ProblemCode.INVALID_FIELD, "since and log go together", hint="resume with both, or neither")


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

    def __init__(
        self,
        services: Services,
        socket: StreamSocket,
        cursor: Cursor,
        subscription: Subscription,
        *,
        token_revoked: asyncio.Event | None,
    ) -> None:
        self._services = services
        self._broadcaster = services.broadcaster
        self._socket = socket
        self._cursor = cursor
        self._subscription = subscription
        self._token_revoked = token_revoked
        self._extended = asyncio.Event()
        self._allowance = Allowance(services.clock.monotonic())

    def greet(self, floor: int, *, resumed: bool = False, reason: ResumeFailure | None = None) -> None:
        """Send the first frame of extended mode; exactly the events after the cursor follow."""
        self._extended.set()
        self._cursor.extended = True
        self._cursor.names = self._subscription.filter
        facts = self._services.daemon
        self._send(
            Hello(
                version=facts.version,
                instance=facts.instance,
                log=self._broadcaster.log,
                seq=self._cursor.seq,
                floor=floor,
                head=max(self._broadcaster.head, self._cursor.seq),
                resumed=resumed,
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
                leaving = tasks.create_task(self._leave(), name="stream.token")
                await self._listen()
                beating.cancel()
                carrying.cancel()
                leaving.cancel()
        except* Exception:  # the connection is no longer HTTP: nobody further up could answer
            logger.exception("a stream failed; its client can resume")
            await self._close(WSCloseCode.INTERNAL_ERROR, b"internal")
        finally:
            self._broadcaster.detach(self._cursor)
            if not self._cursor.passive:
                self._services.daemon.touch()

    async def _shut(self, reason: str) -> None:
        await self._close(WSCloseCode.GOING_AWAY, reason.encode())

    async def _leave(self) -> None:
        """End the stream of a client whose token was replaced; it may hold a stolen one."""
        if self._token_revoked is not None:
            await self._token_revoked.wait()
            await self._close(CloseCode.TOKEN_REPLACED, b"token replaced")

    async def _carry(self) -> None:
        try:
            await self._broadcaster.catch_up(self._cursor)
        except ExpiredError:
            if self._extended.is_set():
                self._send(Resync(reason="expired"))
            await self._close(CloseCode.EXPIRED, b"expired")

    async def _beat(self) -> None:
        await self._extended.wait()
        while True:
            await asyncio.sleep(self._services.heartbeat_seconds)
            # A full socket has bytes to tell that the daemon lives, and must not get ever more.
            if not self._cursor.full:
                self._send(Heartbeat(seq=self._cursor.seq, sent=self._cursor.sent))

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
            elif message.type is WSMsgType.PING:
                self._broadcaster.pong(self._cursor, message.data)
            elif message.type is WSMsgType.BINARY:
                await self._close(CloseCode.UNSUPPORTED_DATA, b"text only")
            if self._cursor.full:
                # Who does not read is not read: answers pile up no further than this.
                await self._broadcaster.room(self._cursor)
        await self._socket.answer_close()

    async def _take(self, text: str) -> None:
        wait = self._allowance.take(self._services.clock.monotonic())
        if wait:
            error = StreamError(code="rate_limited", error="too many messages", retry_after_ms=wait)
            await self._refuse(error)
            return
        request_id: str | None = None
        try:
            action = codec.decode_action(text)
            request_id = action.request_id
            await self._obey(action)
        except codec.DecodeError as error:
            await self._refuse(_stream_error(error, request_id))
        except UnknownNameError as error:
            near = f"; did you mean {error.nearest!r}?" if error.nearest else ""
            await self._refuse(
                StreamError(
                    code="unknown_event",
                    error=shorten(f"{error}{near}", MAX_SENTENCE_LENGTH),
                    field="events",
                    unknown=tuple(hide_secrets(name) for name in error.unknown),
                    known=EVENT_NAMES,
                    request_id=request_id,
                )
            )

    async def _obey(self, action: Action) -> None:
        subscribing = isinstance(action, Subscribe)
        before = self._subscription
        after = before.subscribe(action.events) if subscribing else before.unsubscribe(action.events)
        if not self._extended.is_set():
            floor = await self._services.database.read(read_floor)
            # What is announced already belongs to plain mode.
            self._broadcaster.flush()
            self.greet(floor)
        self._broadcaster.flush()
        self._subscription = after
        self._cursor.names = after.filter
        reply = Subscribed if subscribing else Unsubscribed
        self._send(reply(events=after.listed, seq=self._cursor.seq, request_id=action.request_id))

    def _send(self, data: ControlData) -> None:
        self._broadcaster.write(self._cursor, codec.encode_control(data, at_ms=self._services.clock.now_ms()))

    async def _refuse(self, error: StreamError) -> None:
        self._send(error)
        if self._allowance.count_error(self._services.clock.monotonic()):
            await self._close(CloseCode.TOO_MANY_ERRORS, b"too many errors")

    async def _close(self, code: int, reason: bytes) -> None:
        # Without draining, which has no bound: a client that does not read would never be closed.
        await self._socket.close(code=code, message=reason, drain=False)


def _stream_error(error: codec.DecodeError, request_id: str | None) -> StreamError:
    # The stream has one code for every field that does not fit.
    code = "invalid_field" if error.code == "unknown_field" else error.code
    sentence = shorten(f"{error}; {error.hint}" if error.hint else str(error), MAX_SENTENCE_LENGTH)
    field = shorten(error.field or "", MAX_NAME_LENGTH) or None
    return StreamError(code=cast("ErrorCode", code), error=sentence, field=field, request_id=request_id)
