"""The listener: one port on both loopback addresses, bound here or inherited from a service manager."""

import errno
import logging
import socket
from collections.abc import Sequence

from aiohttp import web
from aiohttp.http import HttpProcessingError

logger = logging.getLogger(__name__)

BACKLOG = 512
"""Connections that may wait to be accepted; the kernel's own bound may be lower."""
_FREE_PORT_TRIES = 20


async def serve(
    app: web.Application, port: int, *, inherited: Sequence[socket.socket] = ()
) -> tuple[web.AppRunner, int]:
    """Listen on 127.0.0.1 and, where the machine has it, on ::1.

    Args:
        app: from `build_app`.
        port: 0 takes one that is free on both addresses.
        inherited: sockets that listen already, all on one port; `port` counts for nothing then.

    Returns:
        The runner, to be cleaned up by the caller, and the port.

    Raises:
        OSError: the port is taken.
    """
    sockets = inherited or _bind(port)
    logger.addFilter(_is_no_garbage)
    # Handlers are not cancelled when a caller goes away: a change that was begun is finished.
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=2, handler_cancellation=False, logger=logger
    )
    await runner.setup()
    for listening in sockets:
        await web.SockSite(runner, listening, backlog=BACKLOG).start()
    return runner, sockets[0].getsockname()[1]


async def stop_accepting(runner: web.AppRunner) -> None:
    """Accept no more; connections that stand go on.

    A socket that a service manager holds as well keeps listening: who connects now waits there for the next daemon.
    """
    for site in list(runner.sites):
        await site.stop()


def _is_no_garbage(record: logging.LogRecord) -> bool:
    """Keep bytes that are not HTTP out of the log: they are answered 400, need nobody, and may hold a token."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


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
