"""The daemon itself."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.errors import DomainError
from clown_daemon.protocol import codec
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Health, Message
from clown_daemon.protocol.requests import NoQuery, ShutDown


async def get_status(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].daemon.status())


async def shut_down(request: web.Request) -> web.Response:
    asked = await body(request, ShutDown)
    daemon = request.app[SERVICES].daemon
    # Nothing is awaited between the question and the request: whoever comes after it finds the daemon stopping.
    if asked.if_idle and (needed_by := daemon.needed_by()):
        raise DomainError(
            ProblemCode.BUSY,
            f"the daemon is needed: {', '.join(needed_by)}",
            hint="without if_idle it stops anyway",
        )
    daemon.request_shutdown(asked.reason)
    return answer(Message(message="the daemon is stopping"), status=202)


async def get_health(request: web.Request) -> web.Response:
    query(request, NoQuery)
    health = Health(status="ok", version=request.app[SERVICES].daemon.version)
    return web.Response(body=codec.encode(health), content_type="application/json")
