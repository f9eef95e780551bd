"""The listener: one port on both loopback addresses, bound here or inherited from a service manager."""

import asyncio
import errno
import socket
from collections.abc import Sequence

from aiohttp import web

from clown_daemon.api.connection import Connection
from clown_daemon.api.refusals import Refusals
from clown_daemon.api.services import SERVICES
from clown_daemon.api.strangers import MOST_STRANGERS, Strangers

BACKLOG = 512
"""Connections that may wait to be accepted; the kernel's own bound may be lower."""
FIRST_REQUEST_SECONDS = 0.1
_FREE_PORT_TRIES = 20


async def serve(
    app: web.Application,
    port: int,
    *,
    inherited: Sequence[socket.socket] = (),
    most_strangers: int = MOST_STRANGERS,
) -> tuple[web.AppRunner, int]:
    """Listen on 127.0.0.1 and, where the machine has it, on ::1.

    Args:
        app: from `build_app`.
        port: 0 takes one that is free on both addresses.
        inherited: sockets that listen already, all on one port; `port` counts for nothing then.
        most_strangers: how many connections there may be on which nobody was let in.

    Returns:
        The runner, to be cleaned up by the caller, and the port.

    Raises:
        OSError: the port is taken.
    """
    sockets = inherited or _bind(port)
    # Handlers are not cancelled when a caller goes away: a change that was begun is finished.
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=2, handler_cancellation=False)
    await runner.setup()
    services = app.get(SERVICES)
    strangers = Strangers(services.refusals if services else Refusals(), most=most_strangers)
    for listening in sockets:
        await _Site(runner, listening, strangers).start()
    return runner, sockets[0].getsockname()[1]


async def stop_accepting(runner: web.AppRunner) -> None:
    """Accept no more; connections that stand go on.

    A socket that a service manager holds as well keeps listening: who connects now waits there for the next daemon.
    Who was accepted just before gets a moment to send the request, instead of a connection that breaks.
    """
    for site in list(runner.sites):
        await site.stop()
    await asyncio.sleep(FIRST_REQUEST_SECONDS)


class _Site(web.BaseSite):
    """A listening socket whose connections have the daemon's manners."""

    def __init__(self, runner: web.BaseRunner, listening: socket.socket, strangers: Strangers) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._listening = listening
        self._strangers = strangers

    @property
    def name(self) -> str:
        return "http://{}:{}".format(*self._listening.getsockname()[:2])

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(server, loop=loop, strangers=self._strangers),
            sock=self._listening,
            backlog=self._backlog,
        )


def _bind(port: int) -> list[socket.socket]:
    for _ in range(_FREE_PORT_TRIES):
        first = _listen(socket.AF_INET, "127.0.0.1", port)
        taken = first.getsockname()[1]
        try:
            return [first, _listen(socket.AF_INET6, "::1", taken)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]  # no IPv6 on this machine
            first.close()
            if port:
                raise
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback addresses")


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A daemon that starts again at once must get its port although old connections linger.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        # Two that are bound may share a port until one listens; so the second is refused here, not later.
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
