"""Runs that own the user's terminal."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import NoBody, PrepareRun, RunBegan, RunEnded


async def prepare_launch(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].runs.describe(request.match_info["alias"]))


async def prepare_run(request: web.Request) -> web.Response:
    asked = await body(request, PrepareRun)
    return answer(await request.app[SERVICES].runs.prepare(asked), status=201)


async def run_began(request: web.Request) -> web.Response:
    asked = await body(request, RunBegan)
    return answer(await request.app[SERVICES].runs.began(request.match_info["id"], asked))


async def run_ended(request: web.Request) -> web.Response:
    asked = await body(request, RunEnded)
    return answer(await request.app[SERVICES].runs.ended(request.match_info["id"], asked))
