"""An echo service on the daemon's own listener: its connections, its handshake, its sockets, its frames."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web

from clown_daemon.api.connection import known_versions
from clown_daemon.api.handshake import StreamSocket, refuse_handshake
from clown_daemon.api.listener import serve

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The largest message of the suite; the event stream takes 64 KiB."""


async def echo(request: web.Request) -> web.StreamResponse:
    """Send every message back as it came."""
    refusal = refuse_handshake(request)
    if refusal is not None:
        return refusal
    socket = StreamSocket(MAX_MESSAGE_BYTES)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    await socket.answer_close()
    return socket


@contextlib.asynccontextmanager
async def running_echo() -> AsyncIterator[str]:
    """Serve until the block ends; the address to connect to."""
    app = web.Application(middlewares=[known_versions])
    app.router.add_get("/echo", echo, allow_head=False)
    runner, port = await serve(app, 0)
    try:
        yield f"ws://127.0.0.1:{port}/echo"
    finally:
        await runner.cleanup()
