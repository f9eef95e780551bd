"""Commands that are being carried out: a daemon that ends when it is idle knows of them, and begins none after that."""

from aiohttp import web

from clown_daemon.api.problems import Handler
from clown_daemon.api.services import SERVICES

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
SHUTDOWN_PATH = "/api/daemon/shutdown"


@web.middleware
async def count_commands(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count a command while it is carried out; the request to end is none, so it is not its own obstacle."""
    if request.method in _READS or request.path == SHUTDOWN_PATH:
        return await handler(request)
    with request.app[SERVICES].daemon.command():
        return await handler(request)
