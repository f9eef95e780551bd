"""Takes requests in: who asks and what for is decided from the head; then the body, then an `Exchange`.

Answered here: who may not come in, the probe of the bare address that agents make, and the daemon's own questions
below `/__clown/`.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from clown_daemon.proxies.engine import addresses, bodies
from clown_daemon.proxies.engine.answers import error
from clown_daemon.proxies.engine.book import Book
from clown_daemon.proxies.engine.calls import Call, recognise
from clown_daemon.proxies.engine.exchange import Asking, Exchange
from clown_daemon.proxies.engine.gate import own_answer
from clown_daemon.proxies.engine.instructions import Instructions, decode_order
from clown_daemon.proxies.engine.replies import plain
from clown_daemon.proxies.engine.routing import routes
from clown_daemon.proxies.engine.upstream import Body, Upstreams

KEPT_BYTES = 1024 * 1024
"""A smaller body is held, so that it can be sent again when a kept connection turns out to be dead."""
LARGEST_HELD_BYTES = 256 * 1024 * 1024
"""What is held of a body that has to be looked into."""
SESSION_HEADERS = ("x-claude-code-session-id", "thread-id", "session-id", "session_id", "x-session-id")
MOST_SESSIONS = 1000
BYTES_PER_TOKEN = 4
"""What a prompt is estimated by until the provider has counted one of its session."""


class TooLargeError(Exception):
    """A body that has to be looked into is larger than what is held."""


@dataclass(kw_only=True)
class Proxy:
    """Serves one profile. `instructions` may be replaced at any time; requests under way go on as they began."""

    instructions: Instructions
    upstreams: Upstreams
    book: Book
    hosts: frozenset[str]
    in_flight: int = 0
    asked_at: float = 0.0
    """When the daemon asked for the last time, monotonic seconds."""
    _prompts: dict[str, int] = field(default_factory=dict)
    """Tokens of each session's last prompt, as the provider counted them."""
    _retired: list[Upstreams] = field(default_factory=list)
    """Replaced while requests were under way on them; closed when none is."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        path_token, path = addresses.split_token(path)
        if path in {"", "/"} and request.method in {"GET", "HEAD"}:
            return web.Response(status=200)
        call = recognise(request.method, path)
        own = own_answer(request, call, self.instructions, hosts=self.hosts, path_token=path_token)
        if own is not None:
            if own.reason in {"budget", "token"}:
                self.book.open(self.instructions, call, session=None, model=None).end("refused", status=own.status)
            return plain(own)
        if path.startswith("/__clown/"):
            return await self._own(request, path)
        self.in_flight += 1
        try:
            return await self._pass_on(request, call, path, query)
        except TooLargeError:
            return plain(error(call.wire, 413, "too_large", "the request is larger than what a routing rule can hold"))
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                await self._close_retired()

    async def _pass_on(self, request: web.BaseRequest, call: Call, path: str, query: str) -> web.StreamResponse:
        instructions = self.instructions
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        body = await self._body(request, call)
        asked = bodies.read_body(body) if isinstance(body, bytes) and call.kind == "generate" else bodies.Asked()
        session = next((found for name in SESSION_HEADERS if (found := request.headers.get(name))), None)
        size = len(body) if isinstance(body, bytes) else 0
        prompt_tokens = self._prompts.get(session or "", size // BYTES_PER_TOKEN)
        page = self.book.open(instructions, call, session=session, model=call.model or asked.model)
        asking = Asking(
            request=request,
            call=call,
            path=path,
            query=query,
            body=body,
            asked=asked,
            token=instructions.token,
            ask_for_usage=instructions.ask_for_usage,
        )
        answer = await Exchange(asking, self.upstreams, page).run(routes(instructions, asked, prompt_tokens))
        if session is not None and page.measured.counts is not None:
            self._remember(session, page.measured.counts.total - page.measured.counts.output_tokens)
        return answer

    async def _body(self, request: web.BaseRequest, call: Call) -> Body:
        if not request.body_exists:
            return None
        length = request.content_length
        if self._looks_into(call):
            return await _held(request)
        if length is not None and length <= KEPT_BYTES:
            return await _held(request)
        return _pieces(request)

    def _looks_into(self, call: Call) -> bool:
        instructions = self.instructions
        return bool(
            instructions.rules
            or instructions.fallbacks
            or any(upstream.model for upstream in instructions.upstreams.values())
            or (instructions.ask_for_usage and call.wire == "openai-chat")
        )

    async def _own(self, request: web.BaseRequest, path: str) -> web.Response:
        """Answer the daemon."""
        self.asked_at = time.monotonic()
        if path == "/__clown/orders" and request.method == "POST":
            order = decode_order(await _held(request))
            if order.instructions is not None:
                await self.reload(order.instructions)
        elif path != "/__clown/ident":
            return web.Response(status=404)
        return web.Response(body=msgspec.json.encode(self._ident()), content_type="application/json")

    async def reload(self, instructions: Instructions) -> None:
        """Go by other instructions from the next request on."""
        before, self.instructions = self.instructions, instructions
        if (before.upstream_proxy, before.ca_file) != (instructions.upstream_proxy, instructions.ca_file):
            self._retired.append(self.upstreams)
            self.upstreams = Upstreams(proxy=instructions.upstream_proxy, ca_file=instructions.ca_file)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._close_retired()
        await self.upstreams.close()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().close()

    def _ident(self) -> dict[str, object]:
        return {
            "profile": self.instructions.profile,
            "pid": os.getpid(),
            "in_flight": self.in_flight,
            "spool_problem": self.book.spool.problem,
        }

    def _remember(self, session: str, tokens: int) -> None:
        self._prompts.pop(session, None)
        self._prompts[session] = tokens
        if len(self._prompts) > MOST_SESSIONS:
            del self._prompts[next(iter(self._prompts))]


async def _held(request: web.BaseRequest) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_HELD_BYTES:
            raise TooLargeError
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _pieces(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        yield piece
        await asyncio.sleep(0)
