"""The contract for machines: the OpenAPI and the AsyncAPI document, made once a process and sent once a client."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from aiohttp import web

from clown_daemon.api.routes.replies import query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol import codec
from clown_daemon.protocol.asyncapi import asyncapi_document
from clown_daemon.protocol.openapi import openapi_document
from clown_daemon.protocol.requests import NoQuery


class _Written(NamedTuple):
    body: bytes
    tag: str


async def get_openapi(request: web.Request) -> web.Response:
    return await _answer(request, _openapi, request.app[SERVICES].daemon.version)


async def get_asyncapi(request: web.Request) -> web.Response:
    return await _answer(request, _asyncapi, request.app[SERVICES].daemon.version)


async def _answer(request: web.Request, write: Callable[[str], _Written], version: str) -> web.Response:
    query(request, NoQuery)
    # The first one takes 0.2 s: it reads the source of the types for what is said of their fields.
    written = await asyncio.to_thread(write, version)
    headers = {"ETag": f'"{written.tag}"', "Cache-Control": "no-cache"}
    if written.tag in {tag.value for tag in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=written.body, content_type="application/json", headers=headers)


@cache
def _openapi(version: str) -> _Written:
    return _written(openapi_document(version))


@cache
def _asyncapi(version: str) -> _Written:
    return _written(asyncapi_document(version))


def _written(document: Mapping[str, Any]) -> _Written:
    body = codec.encode(document)
    return _Written(body, hashlib.sha256(body).hexdigest()[:16])
