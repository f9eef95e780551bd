"""Usage and cost."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import ImportClaudeQuery, NoBody, UsageQuery


async def get_usage(request: web.Request) -> web.Response:
    asked = query(request, UsageQuery)
    return answer(await request.app[SERVICES].usage.report(asked))


async def import_claude(request: web.Request) -> web.Response:
    await body(request, NoBody)
    asked = query(request, ImportClaudeQuery)
    return answer(await request.app[SERVICES].usage.import_claude(asked))
