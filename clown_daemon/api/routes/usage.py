"""Usage and cost."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query, query_of_command
from clown_daemon.api.services import SERVICES
from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import (
    PERIOD_LABELS,
    CancelImports,
    ImportClaudeQuery,
    ImportUsage,
    NoQuery,
    UsageQuery,
)


async def get_usage(request: web.Request) -> web.Response:
    period = request.query.get("period", "today")
    if period not in PERIOD_LABELS:
        raise DomainError(
            ProblemCode.INVALID_FIELD, f"unknown period {period!r}", hint=f"periods: {', '.join(PERIOD_LABELS)}"
        )
    return answer(await request.app[SERVICES].usage.report(query(request, UsageQuery)))


async def import_claude(request: web.Request) -> web.Response:
    asked = await query_of_command(request, ImportClaudeQuery)
    return answer(await request.app[SERVICES].usage.import_claude(asked))


async def import_usage(request: web.Request) -> web.Response:
    asked = await body(request, ImportUsage)
    return answer(await request.app[SERVICES].usage.import_usage(asked), status=202)


async def cancel_imports(request: web.Request) -> web.Response:
    asked = await body(request, CancelImports)
    return answer(await request.app[SERVICES].usage.cancel_imports(asked))


async def list_usage_sources(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].usage.sources())
