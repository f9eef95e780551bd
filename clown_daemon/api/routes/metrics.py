"""The daemon's own figures for a monitoring system."""

from aiohttp import web

from clown_daemon.api.metrics import CONTENT_TYPE, expose, take_reading
from clown_daemon.api.routes.replies import query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import MetricsQuery


async def get_metrics(request: web.Request) -> web.Response:
    query(request, MetricsQuery)
    reading = await take_reading(request.app[SERVICES])
    return web.Response(body=expose(reading), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
