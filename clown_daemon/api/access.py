"""Who may come in: callers of this machine, by their own browser's word from nowhere else, with a token if asked.

DNS rebinding is met by an exact `Host`, cross-site requests by an exact `Origin`; neither is ever compared as a
prefix. There are no CORS headers, so a foreign page can read nothing.
"""

import hmac
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from clown_daemon.api.problems import Handler
from clown_daemon.api.services import SERVICES
from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode

OPEN_PATH = "/api/health"
"""Liveness for scripts: no token."""
_MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def access_rules(*, allowed_origins: Collection[str], auth: str, token: str) -> Middleware:
    """Make the middleware that decides before any handler runs.

    Args:
        allowed_origins: web origins besides the daemon's own.
        auth: `auto` asks no token of callers without one, `token` asks everybody; a wrong token is always refused.
        token: the daemon's.
    """
    expected = f"Bearer {token}".encode()

    def check(request: web.Request) -> None:
        hosts = _own_hosts(request)
        named = request.headers.getall("Host", [])
        if len(named) != 1 or named[0].lower() not in hosts:
            raise DomainError(
                ProblemCode.FOREIGN_HOST, "the Host header names another machine", hint=f"use {min(hosts)}"
            )
        origins = {*allowed_origins, *(f"http://{host}" for host in hosts)}
        if not origins.issuperset(request.headers.getall("Origin", [])):
            raise DomainError(
                ProblemCode.FOREIGN_ORIGIN, "web pages of another origin may not call", hint="see allowed_origins"
            )
        given = request.headers.get("Authorization")
        asked = request.path != OPEN_PATH and (given is not None or auth == "token")
        # Compared in constant time, so that a caller learns nothing from how long the refusal took.
        if asked and not hmac.compare_digest((given or "").encode("utf-8", "surrogateescape"), expected):
            raise DomainError(
                ProblemCode.UNAUTHORIZED,
                "the token is missing or wrong",
                hint="send Authorization: Bearer and the text of the token file",
            )
        if request.method in _MUTATIONS and request.can_read_body and request.content_type != "application/json":
            raise DomainError(
                ProblemCode.UNSUPPORTED_MEDIA_TYPE, "the body must be JSON", hint="send Content-Type: application/json"
            )
        if request.app[SERVICES].broadcaster.closing and request.path != OPEN_PATH:
            raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon is shutting down")

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        services = request.app[SERVICES]
        try:
            check(request)
        except DomainError as error:
            services.refusals.count(error.code)
            raise
        # A script that asks whether the daemon lives does not need it, and neither does a passive stream.
        if request.path != OPEN_PATH and request.query.get("passive") != "1":
            services.daemon.touch()
        return await handler(request)

    return admit


def _own_hosts(request: web.Request) -> frozenset[str]:
    """The daemon's own names with the port that the caller reached."""
    assert request.transport is not None
    port = request.transport.get_extra_info("sockname")[1]
    return frozenset(f"{name}:{port}" for name in _LOOPBACK_NAMES)
