"""Providers."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, query
from clown_daemon.api.services import SERVICES
from clown_daemon.errors import DomainError
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import NoQuery
from clown_daemon.protocol.resources import ProviderSummary


async def list_providers(request: web.Request) -> web.Response:
    query(request, NoQuery)
    known = [manifest.resource() for manifest in request.app[SERVICES].providers.providers.values()]
    return answer(
        [
            ProviderSummary(id=one.id, name=one.name, type=one.type, default_model=one.default_model)
            for one in sorted(known, key=lambda one: one.id)
        ]
    )


async def get_provider(request: web.Request) -> web.Response:
    query(request, NoQuery)
    providers = request.app[SERVICES].providers.providers
    asked = request.match_info["id"]
    if asked not in providers:
        near = nearest_name(asked, providers)
        raise DomainError(
            ProblemCode.UNKNOWN_PROVIDER,
            f"there is no provider {asked!r}",
            hint=f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(providers))}",
        )
    return answer(providers[asked].resource())
