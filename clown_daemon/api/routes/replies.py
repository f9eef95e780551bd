"""Decoding what handlers get and encoding what they answer."""

from typing import TypeVar

from aiohttp import web

from clown_daemon.protocol import codec

T = TypeVar("T")


def answer(data: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer a success."""
    return web.Response(body=codec.success(data), status=status, content_type="application/json", headers=headers)


async def body(request: web.Request, type_: type[T]) -> T:
    """Read the body, strictly."""
    return codec.decode_body(await request.read(), type_)


def query(request: web.Request, type_: type[T]) -> T:
    """Read the query parameters, strictly."""
    return codec.decode_query(request.query, type_)
