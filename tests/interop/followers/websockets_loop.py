"""`websockets` on asyncio: `documented` is the call of the reference page, the others name an implementation."""

import asyncio
import importlib
import os

from tests.interop.followers.output import Output, arguments, say_connected

MODULES = {"documented": "websockets", "legacy": "websockets.legacy.client", "asyncio": "websockets.asyncio.client"}


async def follow() -> None:
    url, count, file, ping_seconds = arguments()
    connect = importlib.import_module(MODULES[os.environ["FLAVOUR"]]).connect
    output = Output(file, count)
    async with connect(url, ping_interval=ping_seconds) as websocket:
        protocol = getattr(websocket, "protocol", websocket)
        say_connected(protocol.extensions)
        async for message in websocket:
            if output.take(message):
                break


asyncio.run(follow())
