"""Budgets."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import NoBody, NoQuery, SetBudget


async def list_budgets(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].budgets.list())


async def set_budget(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICES].budgets.set(await body(request, SetBudget)))


async def delete_budget(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].budgets.delete(request.match_info["id"]))
