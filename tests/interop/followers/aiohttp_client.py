"""aiohttp's client, offering compression, with its own heartbeat."""

import asyncio

import aiohttp

from tests.interop.followers.output import Output, arguments, say_connected


async def follow() -> None:
    url, count, file, ping_seconds = arguments()
    output = Output(file, count)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, compress=15, heartbeat=ping_seconds) as websocket,
    ):
        say_connected(websocket.compress)
        async for message in websocket:
            if output.take(message.data):
                break


asyncio.run(follow())
