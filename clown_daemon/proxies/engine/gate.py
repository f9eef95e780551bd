"""Who may use a proxy, and what it answers by itself. Loopback ports are open to every program and every web page."""

import hmac
from collections.abc import Iterator

from aiohttp import web

from clown_daemon.proxies.engine.answers import Answer, error
from clown_daemon.proxies.engine.calls import Call
from clown_daemon.proxies.engine.instructions import Instructions

_TOKEN_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")


def own_answer(
    request: web.BaseRequest, call: Call, instructions: Instructions, *, hosts: frozenset[str], path_token: str | None
) -> Answer | None:
    """Answer what is not the provider's to answer; None for a request that is passed on.

    Args:
        request: its head alone is looked at.
        call: what it is about.
        instructions: the token, and whether anything is passed on right now.
        hosts: values of `Host` that mean this proxy; any other was rebound by a web page.
        path_token: what the path showed.
    """
    if request.headers.get("Host", "").lower() not in hosts or "Origin" in request.headers:
        return error(call.wire, 403, "origin", "this proxy answers programs of this machine alone")
    if not _shows_token(request, instructions.token, path_token):
        cure = f"start the agent with `clown run {instructions.profile}`"
        return error(call.wire, 401, "token", f"this proxy of Clown wants the token of its profile: {cure}")
    if "upgrade" in request.headers.get("Connection", "").lower():
        return error(call.wire, 426, "upgrade", "this proxy speaks HTTP alone, no WebSocket")
    if instructions.refusal is not None and call.kind == "generate":
        return error(call.wire, 429, "budget", instructions.refusal)
    return None


def _shows_token(request: web.BaseRequest, token: str, path_token: str | None) -> bool:
    # Every credential is compared, so that the time says nothing of which one it was.
    shown = [hmac.compare_digest(told.encode(), token.encode()) for told in _credentials(request, path_token)]
    return any(shown)


def _credentials(request: web.BaseRequest, path_token: str | None) -> Iterator[str]:
    if path_token is not None:
        yield path_token
    scheme, _, told = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield told.strip()
    for name in _TOKEN_HEADERS:
        yield request.headers.get(name, "")
    yield request.query.get("key", "")
