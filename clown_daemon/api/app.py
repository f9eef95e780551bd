"""The route table: reading it is reading the API. And the listener: one port on both loopback addresses."""

import errno
import logging
import socket
from collections.abc import Collection

from aiohttp import web
from aiohttp.http import HttpProcessingError

from clown_daemon.api import websocket
from clown_daemon.api.access import access_rules
from clown_daemon.api.problems import tell_problems
from clown_daemon.api.routes import agents, daemon, profiles, providers, stream, usage
from clown_daemon.api.services import SERVICES, Services

logger = logging.getLogger(__name__)

__all__ = ["Services", "build_app", "serve"]

MAX_BODY_BYTES = 1024 * 1024
_FREE_PORT_TRIES = 20

ROUTES = (
    # Profiles and their runs
    web.get("/api/profiles", profiles.list_profiles),
    web.post("/api/profiles", profiles.create_profile),
    web.get("/api/profiles/{alias}", profiles.get_profile),
    web.patch("/api/profiles/{alias}", profiles.update_profile),
    web.delete("/api/profiles/{alias}", profiles.delete_profile),
    web.post("/api/profiles/{alias}/run", profiles.run_profile),
    web.post("/api/profiles/{alias}/stop", profiles.stop_profile),
    web.get("/api/profiles/{alias}/output", profiles.get_output),
    # Agents and providers
    web.get("/api/agents", agents.list_agents),
    web.post("/api/agents/detect", agents.detect_agents),
    web.get("/api/agents/{id}", agents.get_agent),
    web.get("/api/providers", providers.list_providers),
    web.get("/api/providers/{id}", providers.get_provider),
    # Usage
    web.get("/api/usage", usage.get_usage),
    web.post("/api/usage/import-claude", usage.import_claude),
    # The daemon, and everything at once
    web.get("/api/daemon/status", daemon.get_status),
    web.post("/api/daemon/shutdown", daemon.shut_down),
    web.get("/api/health", daemon.get_health),
    web.get("/api/snapshot", stream.get_snapshot),
    web.get("/api/events", stream.get_events),
    web.get("/ws", websocket.follow),
)


def build_app(services: Services, *, allowed_origins: Collection[str], auth: str, token: str) -> web.Application:
    """Build the application.

    Args:
        services: what the handlers call.
        allowed_origins: web origins that may call, besides the daemon's own.
        auth: `auto` or `token`.
        token: the daemon's access token.
    """
    rules = access_rules(allowed_origins=allowed_origins, auth=auth, token=token)
    app = web.Application(middlewares=[tell_problems, rules], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    app.add_routes(ROUTES)
    return app


async def serve(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    """Listen on 127.0.0.1 and, where the machine has it, on ::1.

    Args:
        app: from `build_app`.
        port: 0 takes one that is free on both addresses.

    Returns:
        The runner, to be cleaned up by the caller, and the port.

    Raises:
        OSError: the port is taken.
    """
    sockets = _bind(port)
    logger.addFilter(_is_no_garbage)
    # Handlers are not cancelled when a caller goes away: a change that was begun is finished.
    runner = web.AppRunner(
        app, handle_signals=False, access_log=None, shutdown_timeout=2, handler_cancellation=False, logger=logger
    )
    await runner.setup()
    for listening in sockets:
        await web.SockSite(runner, listening, backlog=512).start()
    return runner, sockets[0].getsockname()[1]


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
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
