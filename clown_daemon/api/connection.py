"""One caller's TCP connection, below the handlers: what is not HTTP, what is no frame, and how it ends then.

aiohttp answers bytes that are not HTTP in plain text and hangs up at once. Here they get the envelope that every
failure has, nothing of them is logged (they may hold a token), and the connection lingers: it is closed for writing,
and what still comes is thrown away until the caller hangs up. A socket that is closed while bytes are unread is
reset, and a reset may overtake the reply.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion10, HttpVersion11, WebSocketReader

from clown_daemon.api.frames import StrictFrames
from clown_daemon.api.problems import Handler, problem_response
from clown_daemon.api.strangers import Strangers
from clown_daemon.protocol.problems import ProblemCode

logger = logging.getLogger(__name__)

LINGER_SECONDS = 2
"""How long a caller that broke a rule may take to read why and to hang up."""
HEAD_SECONDS = 10
"""How long a request may take from its first byte until all its headers are there."""

_VERSIONS = (HttpVersion10, HttpVersion11)


@web.middleware
async def known_versions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what aiohttp's parser lets pass: versions that are none, and chunks in HTTP/1.0 (RFC 9112, 6.1)."""
    chunked_too_early = request.version == HttpVersion10 and "Transfer-Encoding" in request.headers
    if request.version not in _VERSIONS or chunked_too_early:
        return _not_http()
    return await handler(request)


class Connection(web.RequestHandler):
    """aiohttp's connection with the daemon's manners."""

    def __init__(self, server: web.Server, *, loop: asyncio.AbstractEventLoop, strangers: Strangers) -> None:
        super().__init__(server, loop=loop, access_log=cast("logging.Logger", None), logger=logger)
        self._strangers = strangers
        self._frames: StrictFrames | None = None
        self._lingering: _Lingering | None = None
        self._head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, as a stranger; asyncio calls it."""
        super().connection_made(transport)
        self._strangers.add(self)

    def let_in(self) -> None:
        """Its caller may use the daemon: it is no stranger any more."""
        self._strangers.remove(self)

    def cut(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def expect_frames(self, frames: StrictFrames) -> None:
        """Read what follows the handshake through these."""
        self._frames = frames

    def set_parser(self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None) -> None:
        """Read frames from now on; aiohttp calls it after the handshake."""
        assert self._frames is not None
        strict = _StrictReader(parser, self._frames, self._linger)
        super().set_parser(cast("WebSocketReader", strict), data_received_cb)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the caller; asyncio calls it."""
        if self._lingering is not None:
            return
        read = self._request_count
        super().data_received(data)
        if self._request_count != read:
            self._stop_waiting()
        elif data and self._head_deadline is None and self._waiter is not None:
            # Nobody is served and bytes have come: they are a part of a head.
            self._head_deadline = self._loop.call_later(HEAD_SECONDS, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection; asyncio calls it."""
        self._stop_waiting()
        self._strangers.remove(self)
        if self._lingering is not None:
            self._lingering.forget()
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  # aiohttp's signature
        """End the connection with the daemon."""
        await super().shutdown(timeout)
        if self._lingering is not None:
            self._lingering.abort()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002  # aiohttp's signature
        status: int = 500,  # noqa: ARG002  # the same
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # a sentence with the caller's own bytes in it
    ) -> web.StreamResponse:
        """Answer what never reached a handler, or broke outside of one."""
        if isinstance(exc, HttpProcessingError):
            reply = _not_http()
        else:
            logger.error("a request failed outside of its handler", exc_info=exc)
            reply = problem_response(ProblemCode.INTERNAL, "something went wrong inside the daemon")
            reply.force_close()
        self._linger()
        return reply

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Log what broke outside of a handler, but not a broken body: its caller has been told."""
        if not isinstance(options.get("exc_info"), (web.RequestPayloadError, HttpProcessingError)):
            super().log_exception(*args, **options)

    def _linger(self) -> None:
        if self._lingering is None and self.transport is not None:
            self._lingering = self.transport = _Lingering(self.transport, self._loop)

    def _stop_waiting(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None


def _not_http() -> web.Response:
    reply = problem_response(
        ProblemCode.BAD_REQUEST, "this is not a request in HTTP/1.1", hint="speak HTTP or WebSocket to this port"
    )
    reply.force_close()
    return reply


class _StrictReader:
    """Stands before aiohttp's reader of frames."""

    def __init__(self, reader: WebSocketReader, frames: StrictFrames, on_end: Callable[[], None]) -> None:
        self._reader = reader
        self._frames = frames
        self._on_end = on_end
        self.feed_eof = reader.feed_eof

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        known = self._frames.feed(data)
        if self._frames.done:
            self._on_end()
        return self._reader.feed_data(known) if known else (False, b"")


class _Lingering(asyncio.Transport):
    """A transport whose `close` first says the end and waits for the caller's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._deadline: asyncio.TimerHandle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._deadline is not None or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        if self.is_closing():
            return
        self._deadline = self._loop.call_later(LINGER_SECONDS, self._transport.abort)
        try:
            self._transport.write_eof()
        except OSError:  # the caller hung up before: the kernel answered what was written with a reset
            self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def forget(self) -> None:
        """The connection is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
