"""A real daemon whose profiles have proxies, and a provider that says what it is told to."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.raw_upstream import Heard, RawUpstream, ask, raw_upstream
from tests.support.real_daemon import RealDaemon

KEY = "sk-real-key-of-the-provider"
MODEL = "claude-sonnet-4-5"
AGENT = """#!/bin/sh
[ "$1" = --version ] && { echo "1.2.3"; exit 0; }
exec sleep 60
"""
PROVIDER = """\
id = "stub"
name = "Stub"
type = "anthropic"
default_endpoint = "default"
models = ["claude-sonnet-4-5"]
[endpoints]
default = "{url}"
"""
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nrequest-id: {id}\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


def event(data: object) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def chunk(data: bytes) -> bytes:
    """A chunk of a body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def stream_pieces(number: int, *, fresh: int = 100, output: int = 20) -> tuple[bytes, bytes, bytes]:
    """The head with the first event of a streamed message, its middle, and its end with the usage."""
    usage = {"input_tokens": fresh, "output_tokens": 1}
    start = {"type": "message_start", "message": {"id": f"msg_{number}", "model": MODEL, "usage": usage}}
    delta = {"type": "content_block_delta", "delta": {"text": "hello"}}
    end = {"type": "message_delta", "usage": {"output_tokens": output}}
    head = STREAM_HEAD.replace(b"{id}", f"req_{number}".encode())
    return head + chunk(event(start)), chunk(event(delta)), chunk(event(end) + event({"type": "message_stop"}))


@dataclass
class Metered:
    """The daemon, the provider, and who asks through proxies."""

    daemon: RealDaemon
    provider: RawUpstream

    async def add_profile(self, alias: str = "work") -> None:
        """Make a profile of the provider."""
        body = {"alias": alias, "agent_id": "quick", "provider_id": "stub", "api_key": KEY}
        await self.daemon.ask("POST", "/api/profiles", body)

    async def start_proxy(self, alias: str = "work") -> Any:
        """Start a profile's proxy; answers its status."""
        return await self.daemon.ask("POST", f"/api/proxy/{alias}/start")

    async def proxy(self, alias: str = "work") -> Any:
        """What the snapshot says of a proxy."""
        proxies = (await self.daemon.ask("GET", "/api/snapshot"))["proxies"]
        return next((proxy for proxy in proxies if proxy["profile"] == alias), None)

    async def events(self, types: str = "Proxy*") -> list[tuple[str, Any]]:
        """Names and data of what was told."""
        found = (await self.daemon.ask("GET", f"/api/events?types={types}&limit=1000"))["events"]
        return [(event["type"], event["data"]) for event in found]

    async def totals(self) -> tuple[int, int]:
        """Input and output tokens of all that was ever metered."""
        tokens = (await self.daemon.ask("GET", "/api/usage?period=all"))["total_tokens"]
        return tokens["input_tokens"], tokens["output_tokens"]

    def token(self, alias: str = "work") -> str:
        """What agents show a proxy."""
        kept: dict[str, str] = json.loads((self.daemon.state_dir / "secrets.json").read_text())
        return kept[f"{alias} proxy"]

    def answer(self, number: int, *, fresh: int = 100, output: int = 20) -> None:
        """Give the provider's next answer: a whole message."""
        usage = {"input_tokens": fresh, "output_tokens": output}
        body = {"id": f"msg_{number}", "model": MODEL, "usage": usage}
        self.provider.answer_whole(json.dumps(body).encode(), head=f"request-id: req_{number}\r\n".encode())

    def request(self, port: int, alias: str = "work", body: bytes = b'{"model":"claude-sonnet-4-5"}') -> bytes:
        """The bytes of a request of an agent."""
        head = f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {self.token(alias)}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def ask(self, port: int, alias: str = "work") -> Heard:
        """Ask as an agent would."""
        return await ask(port, self.request(port, alias))

    def children(self) -> list[psutil.Process]:
        """The proxy processes that live and use this daemon's files."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "clown_daemon.proxies.engine" in words and any(str(self.daemon.root) in word for word in words):
                found.append(process)
        return found


@asynccontextmanager
async def metered(root: Path, **environ: str) -> AsyncIterator[Metered]:
    """A running daemon with a provider; no proxy is left afterwards, whatever the test did to the daemon."""
    async with raw_upstream() as provider:
        daemon = RealDaemon(root, recorded=True, **environ)
        daemon.add_agent("quick", AGENT)
        folder = root / "clown" / "providers.d"
        folder.mkdir(parents=True)
        (folder / "stub.toml").write_text(PROVIDER.format(url=provider.url))
        found = Metered(daemon, provider)
        await daemon.start()
        try:
            yield found
        finally:
            await daemon.stop()
            for process in found.children():
                process.kill()
