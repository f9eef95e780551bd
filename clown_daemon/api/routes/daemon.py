"""The daemon itself."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol import codec
from clown_daemon.protocol.replies import Health, Message
from clown_daemon.protocol.requests import NoBody, NoQuery


async def get_status(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].daemon.status())


async def shut_down(request: web.Request) -> web.Response:
    await body(request, NoBody)
    request.app[SERVICES].daemon.request_shutdown("stop")
    return answer(Message(message="the daemon is stopping"), status=202)


async def get_health(request: web.Request) -> web.Response:
    query(request, NoQuery)
    health = Health(status="ok", version=request.app[SERVICES].daemon.version)
    return web.Response(body=codec.encode(health), content_type="application/json")
