"""Profiles and their runs."""

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query
from clown_daemon.api.services import SERVICES
from clown_daemon.protocol.requests import (
    CreateProfile,
    NoBody,
    NoQuery,
    OutputQuery,
    ProfilesQuery,
    RunProfile,
    UpdateProfile,
)


async def list_profiles(request: web.Request) -> web.Response:
    asked = query(request, ProfilesQuery)
    return answer(await request.app[SERVICES].profiles.list(asked.agent))


async def create_profile(request: web.Request) -> web.Response:
    asked = await body(request, CreateProfile)
    return answer(await request.app[SERVICES].profiles.create(asked), status=201)


async def get_profile(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].profiles.get(request.match_info["alias"]))


async def update_profile(request: web.Request) -> web.Response:
    asked = await body(request, UpdateProfile)
    return answer(await request.app[SERVICES].profiles.update(request.match_info["alias"], asked))


async def delete_profile(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].profiles.delete(request.match_info["alias"]))


async def run_profile(request: web.Request) -> web.Response:
    asked = await body(request, RunProfile)
    return answer(await request.app[SERVICES].profiles.run(request.match_info["alias"], asked), status=202)


async def stop_profile(request: web.Request) -> web.Response:
    await body(request, NoBody)
    return answer(await request.app[SERVICES].profiles.stop(request.match_info["alias"]))


async def get_output(request: web.Request) -> web.Response:
    asked = query(request, OutputQuery)
    return answer(await request.app[SERVICES].profiles.output(request.match_info["alias"], asked))
