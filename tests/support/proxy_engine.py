"""The proxy engine in this process, on a free port, with its spool in a folder."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.engine.book import Book
from clown_daemon.proxies.engine.instructions import Instructions, KeyHeader, Rule, Upstream
from clown_daemon.proxies.engine.server import Proxy
from clown_daemon.proxies.engine.spool import Spool
from clown_daemon.proxies.engine.upstream import Upstreams

TOKEN = "clown-local-token"
KEY = "sk-real-key-of-the-provider"


def upstream(url: str, wire: Wire = "anthropic", **more: object) -> Upstream:
    """An upstream with a key."""
    headers: dict[Wire, KeyHeader] = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}
    fields = {"provider": "made-up", "key": KEY, "key_header": headers.get(wire, "bearer"), **more}
    return Upstream(url=url, wire=wire, **fields)  # type: ignore[arg-type]


def instructions(
    upstreams: Mapping[str, Upstream], *rules: Rule, fallbacks: tuple[str, ...] = (), refusal: str | None = None
) -> Instructions:
    """What a proxy is told; the first upstream is the default."""
    return Instructions(
        profile="work",
        agent_id="claude",
        token=TOKEN,
        upstreams=dict(upstreams),
        default=next(iter(upstreams)),
        rules=rules,
        fallbacks=fallbacks,
        refusal=refusal,
    )


@dataclass
class Engine:
    """A proxy that answers."""

    proxy: Proxy
    port: int
    folder: Path

    def records(self, kind: str | None = None) -> list[dict[str, object]]:
        """What was written down so far."""
        lines = [line for file in sorted(self.folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
        records: list[dict[str, object]] = [json.loads(line) for line in lines]
        return [record for record in records if kind is None or record["kind"] == kind]

    def request(
        self, body: bytes = b'{"model":"claude-sonnet-4-5"}', *, line: str = "POST /v1/messages", more: str = ""
    ) -> bytes:
        """The bytes of a request that shows the token."""
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n{more}"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def engine(told: Instructions, folder: Path) -> AsyncIterator[Engine]:
    """Serve until the block ends."""
    spool = Spool(folder, "boot")
    proxy = Proxy(
        instructions=told,
        upstreams=Upstreams(proxy=None, ca_file=None),
        book=Book(spool, "boot", lambda: 1_795_000_000_000),
        hosts=frozenset(),
    )
    server = web.Server(proxy.handle, handler_cancellation=True, auto_decompress=False, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    proxy.hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
    try:
        yield Engine(proxy, port, folder)
    finally:
        await runner.cleanup()
        await proxy.close()
        spool.close()
