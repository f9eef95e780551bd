"""Sends answers of the proxy's own."""

from aiohttp import web

from clown_daemon.proxies.engine.answers import Answer


def plain(answer: Answer) -> web.Response:
    """Make a whole answer ready to be sent; `X-Clown-Error` tells scripts who it is from."""
    extra = {"X-Clown-Error": answer.reason}
    if answer.status in {401, 403, 429}:
        extra["x-should-retry"] = "false"  # nothing about it changes by asking again at once
    return web.Response(status=answer.status, body=answer.body, content_type="application/json", headers=extra)
