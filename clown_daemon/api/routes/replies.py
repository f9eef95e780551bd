"""Decoding what handlers get and encoding what they answer."""

from typing import TypeVar

from aiohttp import web

from clown_daemon.protocol import codec
from clown_daemon.protocol.requests import NoBody, NoQuery

T = TypeVar("T")


def answer(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer a success."""
    return web.Response(body=codec.success(data), status=status, content_type="application/json", headers=headers)


async def body(request: web.Request, type_: type[T]) -> T:
    """Read the body of a call that takes no query parameters, strictly."""
    query(request, NoQuery)
    return codec.decode_body(await request.read(), type_)


def query(request: web.Request, type_: type[T]) -> T:
    """Read the query parameters, strictly."""
    return codec.decode_query(request.query, type_)


async def query_of_command(request: web.Request, type_: type[T]) -> T:
    """Read the query parameters of a command that takes no body, strictly."""
    codec.decode_body(await request.read(), NoBody)
    return query(request, type_)
