"""Metering proxies."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import ChangeProxy, NoBody, NoQuery, ProxyLogsQuery


async def list_proxies(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].proxies.statuses())


async def get_proxy(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].proxies.status(request.match_info["alias"]))


async def start_proxy(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].proxies.start(request.match_info["alias"]))


async def stop_proxy(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].proxies.stop(request.match_info["alias"]))


async def restart_proxy(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].proxies.restart(request.match_info["alias"]))


async def stop_all_proxies(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].proxies.stop_all())


async def get_proxy_logs(request: web.Request) -> web.Response:
    asked = query(request, ProxyLogsQuery)
    return answer(await request.app[SERVICES].proxies.logs(request.match_info["alias"], asked.lines))


async def get_proxy_settings(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].proxies.settings(request.match_info["alias"]))


async def change_proxy_settings(request: web.Request) -> web.Response:
    asked = await body(request, ChangeProxy)
    return answer(await request.app[SERVICES].proxies.change(request.match_info["alias"], asked))
