"""Commands with an `Idempotency-Key`: carried out once, however often they are sent.

A retry gets the first reply again. One that comes while the first is carried out waits for it. After a crash, a command
that had changed nothing is carried out, and one that had begun to change something is answered `reply_lost`: nothing is
ever done twice. A refusal that changed nothing is not kept: mend the request and send it again.
"""

import asyncio
import logging
import re
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from clown_daemon.api.problems import Handler, tell_problems
from clown_daemon.api.services import SERVICES
from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.protocol.endpoint import COMMAND_METHODS, KEY_HEADER, MAX_KEY_CHARACTERS, REPLAYED_HEADER
from clown_daemon.protocol.endpoints import ENDPOINTS
from clown_daemon.protocol.problems import STATUS, ProblemCode
from clown_daemon.store.database import Database, Transaction
from clown_daemon.store.idempotency import (
    Identity,
    Kept,
    Ticket,
    current_ticket,
    forget_key,
    identify,
    keep_reply,
    read_kept,
    read_secret,
)

logger = logging.getLogger(__name__)

_KEY = re.compile(f"[!-~]{{1,{MAX_KEY_CHARACTERS}}}")
_ACT_OUTSIDE = frozenset((endpoint.method, endpoint.path) for endpoint in ENDPOINTS if endpoint.acts_outside)
_REFUSED = 400
_FAILED = 500


@dataclass(eq=False)
class _Running:
    """A command with a key that is being carried out."""

    request: bytes
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Retries:
    """The commands with a key of one daemon. For the event loop alone."""

    def __init__(self) -> None:
        self._running: dict[bytes, _Running] = {}
        """Bounded by the connections."""
        self._secret = b""

    async def answer(self, request: web.Request, handler: Handler, key: str) -> web.StreamResponse:
        """Carry the command out, or answer what it was answered before.

        Raises:
            DomainError: `idempotency_key_reused` or `reply_lost`.
        """
        services = request.app[SERVICES]
        if not self._secret:
            self._secret = await services.database.read(read_secret)
        parts = (request.method.encode(), request.raw_path.encode("utf-8", "surrogateescape"), await request.read())
        identity = identify(self._secret, key, *parts)
        while (running := self._running.get(identity.key)) is not None:
            _refuse_another(running.request, identity)
            await running.ended.wait()
        self._running[identity.key] = running = _Running(identity.request)
        try:
            now_ms = services.clock.now_ms()
            kept = await services.database.read(partial(read_kept, key=identity.key, now_ms=now_ms))
            if kept is not None:
                return _replay(kept, identity)
            return await _carry_out(request, handler, services.database, Ticket(identity))
        finally:
            del self._running[identity.key]
            running.ended.set()


RETRIES = web.AppKey("retries", Retries)


@web.middleware
async def carry_out_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Look at the key of a command; one without is carried out as it is."""
    keys = request.headers.getall(KEY_HEADER, [])
    # Where there is no such command, that is the answer, whatever the key.
    if not keys or request.method not in COMMAND_METHODS or request.match_info.http_exception is not None:
        return await handler(request)
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise DomainError(
            ProblemCode.INVALID_FIELD,
            f"{KEY_HEADER}: this cannot be a key",
            hint=f"one key of 1 to {MAX_KEY_CHARACTERS} visible ASCII characters; a random one for each command",
        )
    return await request.app[RETRIES].answer(request, handler, keys[0])


async def _carry_out(request: web.Request, handler: Handler, database: Database, ticket: Ticket) -> web.StreamResponse:
    resource = request.match_info.route.resource
    acts_outside = resource is not None and (request.method, resource.canonical) in _ACT_OUTSIDE
    context = current_ticket.set(ticket)
    try:
        if acts_outside:
            await database.write(_record_key)
        response = await tell_problems(request, handler)
    finally:
        current_ticket.reset(context)
    ticket.closed = True
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    try:
        if acts_outside and _REFUSED <= response.status < _FAILED:
            await database.write(partial(forget_key, ticket=ticket))
        elif _is_kept(ticket, response.status):
            await database.write(partial(keep_reply, ticket=ticket, status=response.status, body=response.body))
    except StoreUnavailableError as error:
        # What was done is done, and its caller is told; only a retry will not be.
        logger.warning("the reply of a command is not kept for its retry: %s", error)
    return response


def _is_kept(ticket: Ticket, status: int) -> bool:
    """Whether a retry gets this reply. "Come again later" must not become the answer for a day."""
    return status < _REFUSED or (ticket.recorded and status != STATUS[ProblemCode.STORE_UNAVAILABLE])


def _record_key(_: Transaction) -> None:
    """A change that is nothing but the key that goes with it."""


def _replay(kept: Kept, identity: Identity) -> web.Response:
    _refuse_another(kept.request, identity)
    if kept.status is None:
        raise DomainError(
            ProblemCode.REPLY_LOST,
            "this command was begun before, and its reply is lost; it is not carried out again",
            hint="look at what stands now; a new key carries it out anew",
        )
    return web.Response(
        body=kept.body, status=kept.status, content_type="application/json", headers={REPLAYED_HEADER: "true"}
    )


def _refuse_another(request: bytes, identity: Identity) -> None:
    if request != identity.request:
        raise DomainError(
            ProblemCode.IDEMPOTENCY_KEY_REUSED,
            f"another request has this {KEY_HEADER}",
            hint="send a new key with each command, and the same one with its retries only",
        )
