import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from clown_daemon.api.refusals import Refusals
from clown_daemon.api.strangers import Strangers
from tests.support.api_server import TOKEN, running_api
from tests.support.raw_client import RawClient, raw_client

FEW = 4
"""How many strangers there may be in these tests."""


@contextlib.asynccontextmanager
async def silent_clients(port: int, count: int) -> AsyncIterator[list[RawClient]]:
    """Connections that say nothing, in the order in which they came."""
    async with contextlib.AsyncExitStack() as clients:
        yield [await clients.enter_async_context(raw_client(port)) for _ in range(count)]


async def test_who_says_nothing_longest_is_cut_when_too_many_come(tmp_path: Path) -> None:
    async with running_api(tmp_path, most_strangers=FEW) as api, silent_clients(api.port, 3 * FEW) as clients:
        for client in clients[:-FEW]:
            assert await client.ended()
        assert api.refusals.by_reason == {"too_many_connections": 2 * FEW}
        for client in reversed(clients[-FEW:]):
            assert (await client.call("GET", "/api/agents")).status == 200


async def test_who_was_let_in_stays_however_many_come(tmp_path: Path) -> None:
    async with (
        running_api(tmp_path, most_strangers=FEW) as api,
        raw_client(api.port) as caller,
        raw_client(api.port) as follower,
    ):
        assert (await caller.call("GET", "/api/agents")).status == 200
        assert (await follower.upgrade("/ws?hello=1")).status == 101
        assert (await follower.frame()).json()["type"] == "Hello"
        async with silent_clients(api.port, 3 * FEW) as clients:
            assert await clients[0].ended()
            assert (await caller.call("GET", "/api/agents")).status == 200
            await api.record("work")
            assert (await follower.frame()).json()["type"] == "ProfileDeleted"


async def test_who_was_refused_or_asked_for_health_alone_is_still_a_stranger(tmp_path: Path) -> None:
    async with running_api(tmp_path, auth="token", most_strangers=FEW) as api, contextlib.AsyncExitStack() as clients:
        refused = await clients.enter_async_context(raw_client(api.port))
        assert (await refused.call("GET", "/api/agents")).status == 401
        healthy = await clients.enter_async_context(raw_client(api.port))
        assert (await healthy.call("GET", "/api/health")).status == 200
        async with silent_clients(api.port, FEW):
            assert await refused.ended()
            assert await healthy.ended()
            async with api.client(Authorization=f"Bearer {TOKEN}") as owner:
                assert (await owner.get("/api/agents")).status_code == 200


class FakeStranger:
    def __init__(self) -> None:
        self.was_cut = False

    def cut(self) -> None:
        self.was_cut = True


def test_who_is_gone_leaves_the_place_to_the_next() -> None:
    refusals = Refusals()
    strangers = Strangers(refusals, most=FEW)
    for _ in range(3 * FEW):
        stranger = FakeStranger()
        strangers.add(stranger)
        strangers.remove(stranger)
        strangers.remove(stranger)
        assert not stranger.was_cut
    assert refusals.by_reason == {}
