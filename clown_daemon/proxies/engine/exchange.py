"""One request that is passed on: to the first upstream that answers, and its answer back, piece by piece.

The agent gets each piece before the meter sees it. An answer that broke off is broken off for the agent too, since a
truncated answer must not look whole; an agent that goes away takes the request at the provider with it.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from clown_daemon.proxies.engine import addresses, bodies, headers
from clown_daemon.proxies.engine.answers import error
from clown_daemon.proxies.engine.bodies import Asked
from clown_daemon.proxies.engine.book import Page
from clown_daemon.proxies.engine.calls import Call
from clown_daemon.proxies.engine.replies import plain
from clown_daemon.proxies.engine.routing import FALL_BACK_AT, Route
from clown_daemon.proxies.engine.upstream import Body, UpstreamError, Upstreams, bounded_pauses
from clown_daemon.proxies.engine.usage_chunk import UsageChunkRemover
from clown_daemon.proxies.metering.meter import Meter


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A request as the agent sent it."""

    request: web.BaseRequest
    call: Call
    path: str
    """Without the token."""
    query: str
    body: Body
    asked: Asked
    token: str
    """What the agent showed to be let in."""
    ask_for_usage: bool
    """Whether a stream that was not asked for its usage is asked now."""


class Exchange:
    """Carries one request out."""

    def __init__(self, asking: Asking, upstreams: Upstreams, page: Page) -> None:
        self._asking = asking
        self._upstreams = upstreams
        self._page = page

    async def run(self, routes: Iterable[Route]) -> web.StreamResponse:
        """Send the request along the routes until one answers, and pass the answer on."""
        try:
            return await self._run(routes)
        except (asyncio.CancelledError, ConnectionError):
            # The agent is gone; what the provider billed so far is known.
            self._page.end("cancelled")
            raise

    async def _run(self, routes: Iterable[Route]) -> web.StreamResponse:
        failure = UpstreamError("connect", "this profile has no upstream")
        todo = list(routes)
        for attempt, route in enumerate(todo, start=1):
            self._page.sent(route, attempt)
            last = attempt == len(todo) or not self._replayable
            try:
                response = await self._send(route)
            except UpstreamError as found:
                failure = found
                if last:
                    break
                continue
            if response.status in FALL_BACK_AT and not last:
                response.release()
                continue
            async with response:
                return await self._pass_on(response, route)
        status = 504 if failure.reason == "timeout" else 502
        self._page.end("failed", status=status, problem=str(failure))
        return plain(error(self._asking.call.wire, status, failure.reason, str(failure)))

    @property
    def _replayable(self) -> bool:
        return self._asking.body is None or isinstance(self._asking.body, bytes)

    async def _send(self, route: Route) -> aiohttp.ClientResponse:
        asking, wire = self._asking, route.upstream.wire
        path, body = asking.path, asking.body
        old = asking.call.model or asking.asked.model
        if route.model is not None and old is not None and route.model != old:
            path = bodies.with_model_in_path(path, wire, old, route.model)
            if isinstance(body, bytes) and asking.asked.model is not None:
                body = bodies.with_model(body, old, route.model)
        if self._asks_for_usage and isinstance(body, bytes):
            body = bodies.with_usage_asked(body)
        sent = headers.to_upstream(headers.as_text(asking.request.raw_headers), route.upstream, asking.token)
        length = asking.request.content_length
        if length is not None and not isinstance(body, bytes):
            sent.append(("Content-Length", str(length)))  # as the agent framed it
        url = addresses.address(route.upstream.url, wire, path, asking.query)
        return await self._upstreams.send(asking.request.method, url, sent, body)

    @property
    def _asks_for_usage(self) -> bool:
        asking = self._asking
        return (
            asking.ask_for_usage
            and asking.call == Call("generate", "openai-chat")
            and asking.asked.stream
            and not asking.asked.wants_usage
        )

    async def _pass_on(self, response: aiohttp.ClientResponse, route: Route) -> web.StreamResponse:
        self._page.answered(response.status, response.headers)
        meter = self._meter(response, route)
        remover = UsageChunkRemover() if self._asks_for_usage and _is_plain_stream(response) else None
        back = web.StreamResponse(status=response.status, reason=response.reason)
        back.headers.extend(_answer_headers(response, changed=remover is not None))
        await back.prepare(self._asking.request)
        try:
            async with bounded_pauses(response):
                await self._pump(response, back, meter, remover)
        except UpstreamError as broken:
            self._learn_last(meter)
            self._page.end("cut", problem=str(broken))
            _break_off(self._asking.request)
            return back
        await back.write_eof()
        self._learn_last(meter)
        self._page.end("whole", problem=None if meter is None else meter.problem)
        return back

    async def _pump(
        self,
        response: aiohttp.ClientResponse,
        back: web.StreamResponse,
        meter: Meter | None,
        remover: UsageChunkRemover | None,
    ) -> None:
        async for piece in response.content.iter_any():
            passed = piece if remover is None else remover.feed(piece)
            try:
                if passed:
                    await back.write(passed)
            finally:
                # Billed also when the agent went away over it.
                if meter is not None and meter.feed(piece):
                    self._page.learned(meter.measured)
        if remover is not None and (rest := remover.finish()):
            await back.write(rest)

    def _meter(self, response: aiohttp.ClientResponse, route: Route) -> Meter | None:
        if self._asking.call.kind != "generate" or response.status >= 400:  # errors bill nothing
            return None
        return Meter(
            route.upstream.wire,
            content_type=response.headers.get("Content-Type", ""),
            content_encoding=response.headers.get("Content-Encoding"),
        )

    def _learn_last(self, meter: Meter | None) -> None:
        if meter is not None:
            self._page.measured = meter.finish()


def _is_plain_stream(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "text/event-stream" and "Content-Encoding" not in response.headers


def _answer_headers(response: aiohttp.ClientResponse, *, changed: bool) -> CIMultiDict[str]:
    kept = headers.to_agent(headers.as_text(response.raw_headers))
    return CIMultiDict((name, value) for name, value in kept if not (changed and name.lower() == "content-length"))


def _break_off(request: web.BaseRequest) -> None:
    """Close the agent's connection without the end of the answer."""
    if request.transport is not None:
        request.transport.abort()
