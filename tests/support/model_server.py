"""A stand-in for the providers of models on loopback, which remembers exactly what it billed.

It speaks Anthropic's Messages, OpenAI's Responses and Chat Completions, and Gemini's API. No two responses have the
same counts, so that whoever counts one twice and misses another does not come out even.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.model_replies import (
    Billed,
    Call,
    Event,
    anthropic,
    anthropic_events,
    chat,
    chat_events,
    gemini,
    gemini_events,
    responses,
    responses_events,
)


class ModelServer:
    """Answers every request with one short text, or with a tool call where a conversation begins.

    Attributes:
        billed: what was answered, in order.
        call: the tool that every conversation begins with, if the agent offers it.
    """

    def __init__(self, call: Call | None = None) -> None:
        self.billed: list[Billed] = []
        self.call = call
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ModelServer"]:
        """Serve on a free port of loopback."""
        runner = web.AppRunner(self._app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("HEAD", "/{path:.*}", _nothing)
        app.router.add_post("/{prefix:.*}messages/count_tokens", _count_anthropic)
        app.router.add_post("/{prefix:.*}messages", self._answer(anthropic, anthropic_events))
        app.router.add_post("/{prefix:.*}responses", self._answer(responses, responses_events))
        app.router.add_post("/{prefix:.*}chat/completions", self._answer(chat, chat_events))
        app.router.add_post("/{prefix:.*}models/{model}:countTokens", _count_gemini)
        app.router.add_post("/{prefix:.*}models/{model}:{method}", self._answer(gemini, gemini_events))
        app.router.add_get("/{prefix:.*}models", _models)
        return app

    def _bill(self, model: str, *, writes_cache: bool) -> Billed:
        number = len(self.billed) + 1
        billed = Billed(
            response_id=f"resp_{number:032}",
            model=model,
            input=100 + number,
            output=40 + 3 * number,
            cache_read=2000 + 7 * number,
            cache_write=300 + 11 * number if writes_cache else 0,
            reasoning=0 if writes_cache else 10 + number,
        )
        self.billed.append(billed)
        return billed

    def _answer(
        self,
        whole: Callable[[Billed, Call | None], dict[str, Any]],
        events: Callable[[Billed, Call | None], Iterator[Event]],
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            text = await request.text()
            body = json.loads(text)
            model = body.get("model") or request.match_info["model"]
            billed = self._bill(model, writes_cache=whole is anthropic)
            call = self.call if self.call and _wants(self.call, body, text) else None
            head = {"request-id": f"req_{billed.response_id}"}
            if not (body.get("stream") or request.match_info.get("method") == "streamGenerateContent"):
                return web.json_response(whole(billed, call), headers=head)
            end = b"data: [DONE]\n\n" if whole is chat else b""
            return await _stream(request, events(billed, call), head, end)

        return answer


async def _stream(
    request: web.Request, events: Iterator[Event], head: dict[str, str], end: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream", **head})
    await response.prepare(request)
    for name, data in events:
        named = f"event: {name}\n" if name else ""
        await response.write(f"{named}data: {json.dumps(data)}\n\n".encode())
    await response.write_eof(end)
    return response


def _wants(call: Call, body: dict[str, Any], text: str) -> bool:
    """Whether the conversation has that tool and no result of one yet."""
    results = ('"tool_result"', '"role":"tool"', '"function_call_output"', '"functionResponse"')
    dense = text.replace('": "', '":"')
    return f'"{call.tool}"' in json.dumps(body.get("tools")) and not any(result in dense for result in results)


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response()


async def _count_anthropic(_request: web.Request) -> web.Response:
    return web.json_response({"input_tokens": 2000})


async def _count_gemini(_request: web.Request) -> web.Response:
    return web.json_response({"totalTokens": 2000})


async def _models(_request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": []})
