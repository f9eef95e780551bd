"""The clients that are installed anyway follow 10,000 events of a plain stream; `make interop` has all the others."""

import itertools
from pathlib import Path

from clown_daemon.protocol.events import KINDS
from clown_daemon.protocol.examples import EVENTS
from tests.interop.clients import Client
from tests.interop.following import assert_plain_stream, following
from tests.support.api_server import running_api

COUNT = 10_000
DOCUMENTED = [data for data, _ in EVENTS if KINDS[type(data).__name__].documented]
CLIENTS = [
    Client("websockets, as documented", "-", "websockets_loop.py", "documented"),
    Client("websockets, on threads", "-", "websockets_sync.py", "-"),
    Client("websocket-client", "-", "websocket_client_create.py", "-"),
    Client("aiohttp", "-", "aiohttp_client.py", "-"),
]


async def test_the_installed_clients_follow_10_000_events(tmp_path: Path) -> None:
    async with (
        running_api(tmp_path) as api,
        following(CLIENTS, api.stream_url, COUNT, tmp_path, ping_seconds=0.5) as followers,
    ):
        every_type = itertools.cycle(DOCUMENTED)
        for _ in range(COUNT // 100):
            await api.record_data(list(itertools.islice(every_type, 100)))
        for follower in followers:
            assert_plain_stream(follower.client.name, await follower.events(), count=COUNT)
            assert follower.extensions == "none", follower
