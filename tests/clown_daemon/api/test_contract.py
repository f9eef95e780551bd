"""The table of endpoints, the routes and the served documents are one contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from clown_daemon.api.app import ROUTES
from clown_daemon.protocol.endpoints import ENDPOINTS
from tests.support.api_server import ApiServer, running_api

DOCUMENTS = ["/api/openapi.json", "/api/asyncapi.json"]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path) as server:
        yield server


def test_every_route_is_an_endpoint_and_every_endpoint_a_route() -> None:
    app = web.Application()
    app.add_routes(ROUTES)
    mounted = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    mounted -= {("HEAD", path) for _, path in mounted}
    described = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    assert mounted == described, "api/app.py and protocol/endpoints.py differ"
    assert len(ROUTES) == len(ENDPOINTS)


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_sent_once_and_not_again(api: ApiServer, path: str) -> None:
    async with api.client() as client:
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        other = await client.get(path, headers={"If-None-Match": '"other"'})
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith("application/json")
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert (other.status_code, other.content) == (200, first.content)


async def test_the_documents_say_what_they_are(api: ApiServer) -> None:
    async with api.client() as client:
        openapi = (await client.get("/api/openapi.json")).json()
        asyncapi = (await client.get("/api/asyncapi.json")).json()
    assert (openapi["openapi"], asyncapi["asyncapi"]) == ("3.1.0", "3.0.0")
    assert openapi["info"]["version"] == asyncapi["info"]["version"]
    assert {(path, method.upper()) for path, methods in openapi["paths"].items() for method in methods} == {
        (endpoint.path, endpoint.method) for endpoint in ENDPOINTS
    }


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_takes_no_parameters(api: ApiServer, path: str) -> None:
    async with api.client() as client:
        reply = await client.get(f"{path}?pretty=1")
    assert (reply.status_code, reply.json()["code"]) == (400, "unknown_parameter")
