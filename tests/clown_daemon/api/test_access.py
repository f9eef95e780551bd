"""Who may come in, with a kernel that says what the test wants; tests/integration has the real one and every row."""

import os
from pathlib import Path

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect

from clown_daemon.api.peers import Address
from clown_daemon.config import Auth
from tests.support.api_server import TOKEN, ApiServer, running_api

PROFILE = {"agent_id": "claude", "alias": "new", "provider_id": "anthropic"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


class Kernel:
    """Names one user for every connection, and counts how often it was asked."""

    def __init__(self, user: int | None) -> None:
        self.user = user
        self.asked: list[tuple[Address, Address]] = []

    def user_of(self, there: Address, here: Address) -> int | None:
        self.asked.append((there, here))
        return self.user


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json().get("code", "")


async def stream_status(api: ApiServer) -> int:
    try:
        async with connect(api.stream_url, proxy=None):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("user", [os.geteuid() + 1, None])
async def test_another_user_and_an_unknown_one_are_refused_but_for_health_and_with_the_token(
    tmp_path: Path, user: int | None
) -> None:
    async with running_api(tmp_path, lookup=Kernel(user).user_of) as api, api.client() as client:
        for _ in range(2):
            assert code(await client.get("/api/agents")) == (403, "foreign_user")
        assert code(await client.post("/api/profiles", json=PROFILE)) == (403, "foreign_user")
        assert await stream_status(api) == 403
        assert "token" in (await client.get("/api/agents")).json()["hint"]
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.get("/api/agents", headers=RIGHT)).status_code == 200
        assert api.refusals.by_reason == {"foreign_user": 5}


async def test_root_is_another_user_unless_the_daemon_is_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for own_user, status in ((1000, 403), (0, 200)):
        monkeypatch.setattr(os, "geteuid", lambda own_user=own_user: own_user)
        folder = tmp_path / str(own_user)
        folder.mkdir()
        async with running_api(folder, lookup=Kernel(0).user_of) as api, api.client() as client:
            assert (await client.get("/api/agents")).status_code == status


async def test_the_kernel_is_asked_once_for_a_connection_about_its_two_ends(tmp_path: Path) -> None:
    kernel = Kernel(os.geteuid())
    async with running_api(tmp_path, lookup=kernel.user_of) as api:
        async with api.client() as client:
            for _ in range(3):
                assert (await client.get("/api/agents")).status_code == 200
        assert len(kernel.asked) == 1
        [((host, _), here)] = kernel.asked
        assert (host, here) == ("127.0.0.1", ("127.0.0.1", api.port))
        async with api.client() as client:
            assert (await client.get("/api/agents")).status_code == 200
        assert len(kernel.asked) == 2


async def test_who_was_unknown_is_asked_for_again(tmp_path: Path) -> None:
    kernel = Kernel(None)
    async with running_api(tmp_path, lookup=kernel.user_of) as api, api.client() as client:
        assert (await client.get("/api/agents")).status_code == 403
        kernel.user = os.geteuid()
        assert (await client.get("/api/agents")).status_code == 200


async def test_a_kernel_that_fails_lets_nobody_in(tmp_path: Path) -> None:
    def failing(there: Address, here: Address) -> int | None:
        raise OSError(105, "No buffer space available")

    async with running_api(tmp_path, lookup=failing) as api, api.client() as client:
        assert code(await client.get("/api/agents")) == (403, "foreign_user")


@pytest.mark.parametrize(("auth", "status"), [("token", 401), ("off", 200)])
async def test_with_token_or_off_the_user_does_not_matter(tmp_path: Path, auth: Auth, status: int) -> None:
    kernel = Kernel(os.geteuid() + 1)
    async with running_api(tmp_path, auth=auth, lookup=kernel.user_of) as api, api.client() as client:
        assert (await client.get("/api/agents")).status_code == status
        assert (await client.get("/api/agents", headers=RIGHT)).status_code == 200
        assert (await client.get("/api/agents", headers={"Authorization": "Bearer wrong"})).status_code == 401
        assert kernel.asked == []


@pytest.mark.parametrize(
    ("fetch_site", "origin", "status"),
    [
        ("none", None, 200),
        ("same-origin", None, 200),
        ("cross-site", None, 403),
        ("same-site", None, 403),
        ("nonsense", None, 403),
        ("cross-site", "own", 200),
    ],
)
async def test_a_page_that_asks_for_an_image_is_told_by_its_browser(
    tmp_path: Path, fetch_site: str, origin: str | None, status: int
) -> None:
    async with running_api(tmp_path) as api, api.client() as client:
        headers = {"Sec-Fetch-Site": fetch_site, **({"Origin": api.url} if origin else {})}
        assert (await client.get("/api/agents", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("media_type", "body", "status"),
    [
        (None, b"", 200),
        ("application/json", b"", 200),
        ("application/json; charset=utf-8", b"", 200),
        ("application/x-www-form-urlencoded", b"", 415),
        ("text/plain", b"{}", 415),
        (None, b"{}", 415),
    ],
)
async def test_a_change_is_json_or_says_nothing_at_all(
    tmp_path: Path, media_type: str | None, body: bytes, status: int
) -> None:
    async with running_api(tmp_path) as api, api.client() as client:
        headers = {"Content-Type": media_type} if media_type else {}
        reply = await client.post("/api/profiles/work/stop", content=body, headers=headers)
        assert reply.status_code == status
