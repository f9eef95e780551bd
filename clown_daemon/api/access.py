"""Who may come in: programs of this user on this machine; anybody else needs the token, and no web page may call.

DNS rebinding is met by an exact `Host`, cross-site requests by an exact `Origin`; neither is ever compared as a
prefix. There are no CORS headers, so a foreign page can read nothing. Other users of the machine are met by asking the
kernel whose connection it is. `docs/security.md` is the promise.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterator

from aiohttp import web
from aiohttp.typedefs import Middleware

from clown_daemon.access_token import AccessToken
from clown_daemon.api.connection import Connection
from clown_daemon.api.peers import Callers, Lookup, LookupUnavailableError, SocketDiagnosis
from clown_daemon.api.problems import Handler
from clown_daemon.api.services import SERVICES
from clown_daemon.config import Auth, Config
from clown_daemon.errors import DomainError
from clown_daemon.paths import Paths
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Access

OPEN_PATH = "/api/health"
"""Liveness for scripts: no token, any user."""
TOKEN_REVOKED = web.RequestKey("token_revoked", asyncio.Event)
"""Only on the requests of callers who sent the token: set when it is no longer the right one."""
_MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_OWN_FETCHES = frozenset({"none", "same-origin"})
_HTTP_PORT = 80
_SEND_HINT = "send Authorization: Bearer and the token; clown-daemon token path tells its file"

OFF_WARNING = "auth is off: every user of this machine may use the daemon, your keys and your agents"

logger = logging.getLogger(__name__)


class Gate:
    """The rules. For the event loop alone."""

    def __init__(
        self,
        *,
        auth: Auth,
        token: AccessToken,
        lookup: Lookup | None,
        allowed_origins: Collection[str] = (),
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Set the rules.

        Args:
            auth: `auto`, `token` or `off`; see `Config.auth`.
            token: the daemon's. A wrong one is refused in every mode: its sender believes in rules that do not hold.
            lookup: names the user of a connection; None where the kernel does not.
            allowed_origins: web origins besides the daemon's own.
            warnings: what is not as safe as it could be.
        """
        self._auth = auth
        self._token = token
        self._callers = Callers(lookup) if lookup is not None and auth == "auto" else None
        self._allowed_origins = frozenset(allowed_origins)
        self._warnings = warnings

    @property
    def access(self) -> Access:
        """Who comes in without a token."""
        if self._auth == "token":
            return "token"
        return "all_users" if self._callers is None else "own_user"

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person should know of who may come in; empty when all is well."""
        return (*self._warnings, *self._token.problems)

    async def follow_token(self) -> None:
        """Notice for ever when the token's file is replaced."""
        await self._token.follow()

    async def check(self, request: web.Request) -> None:
        """Let the caller of a request pass.

        Raises:
            DomainError: it may not.
        """
        self._check_names(request)
        if request.path != OPEN_PATH:
            await self._check_caller(request)
        _check_media_type(request)

    def _check_names(self, request: web.Request) -> None:
        hosts = _own_hosts(request)
        named = request.headers.getall("Host", [])
        # The target of a request may name a host too (`GET http://host/path`), and then it is the one that counts.
        if len(named) != 1 or named[0].lower() not in hosts or request.url.raw_authority.lower() not in hosts:
            raise DomainError(ProblemCode.FOREIGN_HOST, "the request names another machine", hint=f"use {min(hosts)}")
        origins = request.headers.getall("Origin", [])
        allowed = {*self._allowed_origins, *(f"http://{host}" for host in hosts)}
        # A page may ask without naming itself, for an image or a script; its browser still says whose errand it is.
        fetched = request.headers.getall("Sec-Fetch-Site", ["none"])
        if len(origins) > 1 or not allowed.issuperset(origins) or not (origins or _OWN_FETCHES.issuperset(fetched)):
            raise DomainError(
                ProblemCode.FOREIGN_ORIGIN, "web pages of another origin may not call", hint="see allowed_origins"
            )

    async def _check_caller(self, request: web.Request) -> None:
        given = request.headers.getall("Authorization", [])
        if given:
            revoked = await self._token.match(given[0]) if len(given) == 1 else None
            if revoked is None:
                raise DomainError(ProblemCode.UNAUTHORIZED, "the token is wrong", hint=_SEND_HINT)
            request[TOKEN_REVOKED] = revoked
        elif self._auth == "token":
            raise DomainError(ProblemCode.UNAUTHORIZED, "the token is missing", hint=_SEND_HINT)
        elif self._callers is not None and not self._callers.is_ours(request):
            raise DomainError(
                ProblemCode.FOREIGN_USER, "only the user whose daemon this is may come in", hint=_SEND_HINT
            )


@contextlib.contextmanager
def open_gate(paths: Paths, config: Config) -> Iterator[Gate]:
    """Make the rules of the configuration, and say what is not as safe as it could be. Blocking.

    Raises:
        StartError: the token can be neither read nor created.
    """
    token = AccessToken(paths.token_file)
    with contextlib.ExitStack() as stack:
        lookup: Lookup | None = None
        warnings: tuple[str, ...] = ()
        if config.auth == "off":
            logger.error("%s", OFF_WARNING)
            warnings = (OFF_WARNING,)
        elif config.auth == "auto":
            try:
                lookup = stack.enter_context(contextlib.closing(SocketDiagnosis())).user_of
            except LookupUnavailableError as error:
                warning = f"other users of this machine are not kept out: {error}; auth = token keeps them out"
                logger.warning("%s", warning)
                # A whole operating system that cannot do it is no fault of this machine.
                warnings = () if error.everywhere else (warning,)
        yield Gate(
            auth=config.auth,
            token=token,
            lookup=lookup,
            allowed_origins=config.allowed_origins,
            warnings=warnings,
        )


def _check_media_type(request: web.Request) -> None:
    # A form without fields has a type and no body. A change without either is fine: no page can send one without
    # naming its origin.
    typed = request.can_read_body or "Content-Type" in request.headers
    if request.method in _MUTATIONS and typed and request.content_type != "application/json":
        raise DomainError(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, "the body must be JSON", hint="send Content-Type: application/json"
        )


def _own_hosts(request: web.Request) -> frozenset[str]:
    """The daemon's own names with the port that the caller reached."""
    # A caller that is gone already reached nothing, so no name fits.
    _, port, *_ = request.get_extra_info("sockname", ("", 0))
    bare = _LOOPBACK_NAMES if port == _HTTP_PORT else ()
    return frozenset((*bare, *(f"{name}:{port}" for name in _LOOPBACK_NAMES)))


def access_rules(gate: Gate) -> Middleware:
    """Make the middleware that decides before any handler runs."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        services = request.app[SERVICES]
        try:
            await gate.check(request)
            _check_open(request)
        except DomainError as error:
            services.refusals.count(error.code)
            raise
        if request.path != OPEN_PATH:
            assert isinstance(request.protocol, Connection)
            request.protocol.let_in()
        # A script that asks whether the daemon lives does not need it, and neither does a passive stream.
        if request.path != OPEN_PATH and request.query.get("passive") != "1":
            services.daemon.touch()
        return await handler(request)

    return admit


def _check_open(request: web.Request) -> None:
    if request.app[SERVICES].broadcaster.closing and request.path != OPEN_PATH:
        raise DomainError(ProblemCode.SHUTTING_DOWN, "the daemon is shutting down")
