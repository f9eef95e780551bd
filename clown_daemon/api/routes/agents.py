"""Agents."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import NoBody, NoQuery


async def list_agents(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].agents.list())


async def get_agent(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].agents.get(request.match_info["id"]))


async def detect_agents(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].agents.detect())
