"""One full session with a seeded key; then the key and the access token are looked for everywhere a session leaves."""

import asyncio
import base64
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect

from clown_daemon.client.discovery import read_token
from clown_daemon.client.states import Phase
from clown_daemon.client.sync import Follower
from clown_daemon.paths import Paths
from tests.support.following import Told
from tests.support.real_daemon import RealDaemon
from tests.support.secret_search import files_below, forms, leaks
from tests.support.waiting import until

AGENT = """\
#!/bin/sh
[ "$1" = --version ] && { echo "1.2.3"; exit 0; }
[ "$1" = once ] || echo "the key is $KEYED_API_KEY" >&2
echo "$KEYED_API_KEY"
env
[ "$1" = once ] && exit
sleep 60
"""
MANIFEST = """\
id = "keyed"
name = "Keyed"
binary = "keyed"
wire = ["anthropic"]

[profile.env]
KEYED_API_KEY = "{api_key}"
KEYED_HOME = "{profile_home}"
"""
PROFILE = {"alias": "work", "agent_id": "keyed", "provider_id": "anthropic"}
SAMPLE_SECONDS = 0.01


@dataclass
class Session:
    """A daemon, and everything that anybody heard of it."""

    daemon: RealDaemon
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> int:
        reply = await self.daemon.call(method, path, body, **options)
        head = "\n".join(f"{name}: {value}" for name, value in reply.headers.items())
        self.heard.append((f"{method} reply {len(self.heard)}", f"{head}\n\n".encode() + reply.content))
        return reply.status_code

    @contextlib.asynccontextmanager
    async def listening(self, query: str = "", **headers: str) -> AsyncIterator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.daemon.port}/ws{query}"
        async with connect(url, proxy=None, additional_headers=headers) as connection:
            listening = asyncio.create_task(self._listen(connection), name="listening")
            try:
                yield connection
            finally:
                await connection.close()
                await listening

    async def _listen(self, connection: ClientConnection) -> None:
        async for message in connection:
            assert isinstance(message, str)
            self.heard.append((f"frame {len(self.heard)}", message.encode()))


async def command_lines(seen: set[bytes]) -> None:
    """Look at every command line of the machine, again and again."""
    while True:
        seen |= await asyncio.to_thread(_command_lines_now)
        await asyncio.sleep(SAMPLE_SECONDS)


def _command_lines_now() -> set[bytes]:
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.add(file.read_bytes())
    return found


@contextlib.asynccontextmanager
async def dashboard(session: Session) -> AsyncIterator[None]:
    """The dashboard's lines, as a program of its own; what it prints is heard too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clown_tui", "--json", "--no-start", "--url", session.daemon.url),
        env=session.daemon.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    yield
    process.terminate()
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    session.heard.append(("dashboard", out))


async def misplaced(session: Session, key: str, token: str) -> None:
    """The key and the token, wherever they do not belong; each is refused."""
    for secret in (key, token):
        bearer = {"Authorization": f"Bearer {secret}x"}
        for method, path, body, options in (
            ("GET", f"/api/profiles/{secret}", None, {}),
            ("DELETE", f"/api/profiles/{quote(secret).replace('-', '%2D')}", None, {}),
            ("GET", f"/{secret}", None, {}),
            ("PUT", f"/api/{secret}", {}, {}),
            ("GET", f"/api/agents/{secret}", None, {}),
            ("GET", f"/api/providers/{secret}", None, {}),
            ("GET", f"/api/usage?period={secret}", None, {}),
            ("GET", f"/api/usage?{secret}=1", None, {}),
            ("GET", f"/api/usage?tz={secret}", None, {}),
            ("GET", f"/api/usage/series?bucket={secret}", None, {}),
            ("GET", f"/api/usage/sessions?after={secret}", None, {}),
            ("GET", f"/api/usage/export?provider={secret}", None, {}),
            ("GET", f"/api/events?types={secret}", None, {}),
            ("GET", f"/ws?token={secret}", None, {}),
            ("GET", f"/ws?since={secret}&log={secret}", None, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "agent_id": secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "provider_id": secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "endpoint_id": secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "model": secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", secret: secret}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "api_key": f"{secret}\n{secret}"}, {}),
            ("POST", "/api/profiles", {**PROFILE, "alias": "b", "api_key": [secret]}, {}),
            ("POST", "/api/profiles", None, {"content": f'{{"api_key": "{secret}"', "headers": {}}),
            ("POST", "/api/profiles", None, {"content": secret, "headers": {"Content-Type": "application/json"}}),
            ("POST", "/api/profiles", None, {"content": secret, "headers": {"Content-Type": f"text/{secret}"}}),
            ("PATCH", "/api/profiles/work", {"key": secret}, {}),
            ("PATCH", "/api/profiles/work", {"model": secret}, {}),
            ("POST", "/api/profiles/work/run", {"args": [], "working_dir": secret}, {}),
            ("POST", f"/api/usage/import-claude?claude_dir={secret}", {}, {}),
            ("GET", "/api/agents", None, {"headers": bearer}),
            ("GET", "/api/agents", None, {"headers": {"Authorization": f"Basic {secret}"}}),
            ("GET", "/api/agents", None, {"headers": {"Host": f"{secret}.example"}}),
            ("GET", "/api/agents", None, {"headers": {"Origin": f"http://{secret}.example"}}),
        ):
            status = await session.call(method, path, body, **options)
            assert 400 <= status < 500, (method, path)


async def say_nonsense(connection: ClientConnection, secret: str) -> None:
    await connection.send(secret)
    await connection.send(f'{{"action": "{secret}"}}')
    await connection.send(f'{{"action": "subscribe", "events": ["{secret}"]}}')
    await connection.send(f'{{"action": "subscribe", "events": ["*"], "{secret}": 1}}')


async def start_in_terminals(session: Session) -> None:
    """Make starts ready, and start one; the key is in the environment of the agent alone."""
    assert await session.call("POST", "/api/profiles/work/prepare") == 200
    assert await session.call("POST", "/api/runs", {"alias": "work", "args": ["hi"]}) == 201
    run_id = json.loads(session.heard[-1][1].partition(b"\n\n")[2])["data"]["run_id"]
    assert await session.call("PUT", f"/api/runs/{run_id}/finished", {"error": "it was not started"}) == 200
    for command in (("run", "work", "--", "once"), ("env", "work")):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clown_daemon.cli.clown", *command),
            env=session.daemon.environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,  # the agent prints its key, and `env` is there to do so
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        assert process.returncode == 0, said
        session.heard.append((f"clown {command[0]}", said))


async def live(session: Session, key: str, second_key: str) -> None:
    """Everything that a person does with one profile, and everything that may be asked."""
    daemon = session.daemon
    assert await session.call("POST", "/api/profiles", {**PROFILE, "api_key": key}) == 201
    assert await session.call("POST", "/api/profiles/work/run", {"args": ["hi"]}) == 202
    await until_printed(daemon, 3)
    assert await session.call("GET", "/api/profiles/work/output") == 200
    assert await session.call("PATCH", "/api/profiles/work", {"api_key": second_key}) == 200
    assert await session.call("POST", "/api/profiles/work/stop") == 200
    await start_in_terminals(session)
    assert await session.call("PUT", "/api/proxy/work/settings", {"enabled": True}) == 200
    await start_in_terminals(session)
    assert await session.call("POST", "/api/usage/import-claude") in {200, 202}
    for path in (
        *("/api/profiles", "/api/profiles/work", "/api/profiles/work/output", "/api/agents", "/api/agents/keyed"),
        *("/api/providers", "/api/providers/anthropic", "/api/usage", "/api/daemon/status", "/api/health"),
        *("/api/usage/series", "/api/usage/sessions", "/api/usage/export"),
        *("/api/snapshot", "/api/events?limit=1000", "/metrics", "/api/openapi.json", "/api/asyncapi.json"),
    ):
        assert await session.call("GET", path) == 200, path


async def until_printed(daemon: RealDaemon, lines: int) -> None:
    async with asyncio.timeout(20):
        while len((await daemon.ask("GET", "/api/profiles/work/output"))["lines"]) < lines:  # noqa: ASYNC110  # another process prints
            await asyncio.sleep(0.02)


async def test_a_key_and_the_token_are_found_where_they_are_kept_and_nowhere_else(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path, CLOWN_LOG_LEVEL="debug")
    daemon.add_agent("keyed", AGENT)
    (tmp_path / "clown" / "agents.d" / "keyed.toml").write_text(MANIFEST)
    # As long and as random as a real one, and never written into a file or an argument by the test.
    key, second_key = (f"sk-ant-api03-{secrets.token_urlsafe(24)}" for _ in range(2))
    paths = Paths.from_environment(daemon.environ)
    (tmp_path / "home" / ".claude" / "projects").mkdir(parents=True)
    session = Session(daemon)
    seen: set[bytes] = set()
    await daemon.start()
    sampling = asyncio.create_task(command_lines(seen), name="command lines")
    token = read_token(paths)
    assert token is not None
    bearer = {"Authorization": f"Bearer {token}"}
    async with (
        session.listening(),
        session.listening("?hello=1", **bearer) as extended,
        dashboard(session),
        Follower(daemon.url, token=token) as follower,
    ):
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await live(session, key, second_key)
        await misplaced(session, key, token)
        for secret in (key, token):
            await say_nonsense(extended, secret)
        await until(lambda: sum(content.startswith(b'{"type":"Error"') for _, content in session.heard) == 8)
        await told.until(lambda: "ProfileStopped" in repr(told.messages))
        session.heard.append(("follower", repr(told.messages).encode()))
    await daemon.stop()
    await daemon.start()
    assert await session.call("POST", "/api/profiles/work/run", {"args": []}, headers=bearer) == 202
    await until_printed(daemon, 3)
    assert await session.call("GET", "/api/profiles/work/output") == 200

    # While it runs, with the write-ahead log of the database beside it.
    everywhere = [*session.heard, ("a command line", b"\n".join(seen)), *files_below(tmp_path)]
    store = str(paths.secrets_file.relative_to(tmp_path))
    assert leaks(key, everywhere) == []
    assert leaks(second_key, everywhere) == [f"{store}: plain"]
    assert leaks(token, everywhere) == [f"{paths.token_file.relative_to(tmp_path)}: plain"]
    proxy_token = json.loads(paths.secrets_file.read_bytes())["work proxy"]
    assert leaks(proxy_token, everywhere) == [f"{store}: plain"]
    # What was looked through is what there was: the agent printed its key, and it is blanked.
    assert any(b"the key is [secret]" in content for _, content in session.heard)
    assert any(b"clown_daemon" in line for line in seen)
    assert any(b"/keyed\0hi" in line for line in seen)

    assert await session.call("POST", "/api/profiles/work/stop") == 200
    assert await session.call("DELETE", "/api/profiles/work") == 200
    await daemon.stop()
    sampling.cancel()
    everywhere = [*session.heard, ("a command line", b"\n".join(seen)), *files_below(tmp_path)]
    assert leaks(second_key, everywhere) == []


@pytest.mark.parametrize("form", forms("x-" * 20))
def test_a_secret_that_was_planted_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    key = f"sk-ant-api03-{secrets.token_urlsafe(24)}"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"before " + forms(key)[form] + b" after")
    assert f"deep/log: {form}" in leaks(key, files_below(tmp_path))
    assert leaks(f"sk-ant-api03-{secrets.token_urlsafe(24)}", files_below(tmp_path)) == []


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b'{"key":"'])
@pytest.mark.parametrize("after", [b"", b"z", b"zy", b'"}'])
def test_a_secret_is_found_in_base64_whatever_stands_around_it(before: bytes, after: bytes) -> None:
    for length in range(20, 24):
        key = secrets.token_urlsafe(length)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert leaks(key, [("somewhere", encode(before + key.encode() + after))]) != []
