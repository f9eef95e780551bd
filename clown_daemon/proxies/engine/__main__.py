"""Entry of the proxy process: `python -m clown_daemon.proxies.engine --fd N --spool FOLDER --log FILE`.

The daemon hands over the listening socket (`--fd`) and tells everything else on standard input, one JSON line an order.
One line on standard output says that requests are answered now. The end of standard input means that the daemon died:
the agent's session goes on, so the proxy does too, until nobody has asked for anything for a while.
"""

import argparse
import asyncio
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path

from aiohttp import web

from clown_daemon.proxies.engine.book import Book
from clown_daemon.proxies.engine.instructions import Instructions, decode_order
from clown_daemon.proxies.engine.log import log, open_log
from clown_daemon.proxies.engine.server import Proxy
from clown_daemon.proxies.engine.spool import Spool
from clown_daemon.proxies.engine.upstream import LONGEST_LINE_BYTES, Upstreams

DRAIN_SECONDS = 4.0
"""How long streams under way may take to end once the proxy was asked to."""
ORPHAN_SECONDS = 600.0
"""How long a proxy without its daemon waits for another request."""
ORDER_BYTES = 4 * 1024 * 1024
LOOK_SECONDS = 1.0


def main() -> int:
    """Serve until told otherwise; answer the exit status."""
    parser = argparse.ArgumentParser(prog="clown-proxy", description="The metering proxy of one profile of Clown.")
    parser.add_argument("--fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--spool", type=Path, required=True, help="the folder that records are written into")
    parser.add_argument("--log", type=Path, required=True, help="the file that says what passed, one line a request")
    parser.add_argument(
        "--orphan-seconds", type=float, default=ORPHAN_SECONDS, help="how long to wait without a daemon"
    )
    asked = parser.parse_args()
    open_log(asked.log)
    return asyncio.run(_serve(socket.socket(fileno=asked.fd), asked.spool, asked.orphan_seconds))


async def _serve(listening: socket.socket, folder: Path, orphan_seconds: float) -> int:
    orders = await _standard_input()
    started = decode_order(await orders.readline())
    if started.instructions is None:
        raise ValueError("the first order starts nothing")
    boot = f"{int(time.time() * 1000):x}-{secrets.token_hex(4)}"
    spool = Spool(folder, boot)
    proxy = Proxy(
        instructions=started.instructions,
        upstreams=_upstreams(started.instructions),
        book=Book(spool, boot, lambda: time.time_ns() // 1_000_000),
        hosts=_hosts(listening.getsockname()[1]),
    )
    server = web.Server(
        proxy.handle,
        handler_cancellation=True,
        auto_decompress=False,
        access_log=None,
        max_line_size=LONGEST_LINE_BYTES,
        max_field_size=LONGEST_LINE_BYTES,
    )
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listening, backlog=1024).start()
    print('{"op":"ready"}', flush=True)  # noqa: T201  # what the daemon waits for
    await _live(proxy, orders, spool, orphan_seconds)
    await runner.cleanup()
    await proxy.close()
    await spool.sync()
    spool.close()
    return 0


async def _live(proxy: Proxy, orders: asyncio.StreamReader, spool: Spool, orphan_seconds: float) -> None:
    """Return once the proxy should end."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    async with asyncio.TaskGroup() as tasks:
        background = [
            tasks.create_task(_obey(proxy, orders, ending, orphan_seconds), name="orders"),
            tasks.create_task(spool.keep_synced(), name="spool"),
        ]
        await ending.wait()
        for task in background:
            task.cancel()


async def _obey(proxy: Proxy, orders: asyncio.StreamReader, ending: asyncio.Event, orphan_seconds: float) -> None:
    while line := await orders.readline():
        order = decode_order(line)
        if order.op == "drain":
            ending.set()
        elif order.instructions is not None:
            await proxy.reload(order.instructions)
    await _outlive_the_daemon(proxy, orphan_seconds)
    ending.set()


async def _outlive_the_daemon(proxy: Proxy, orphan_seconds: float) -> None:
    """Return once nobody has asked for anything for a while: no agent, and no daemon that took it over."""
    log.info("the daemon is gone; going on until nobody asks any more")
    proxy.asked_at, seen = time.monotonic(), proxy.book.requests
    while time.monotonic() - proxy.asked_at < orphan_seconds:
        await asyncio.sleep(min(LOOK_SECONDS, orphan_seconds))
        if proxy.in_flight or proxy.book.requests != seen:
            proxy.asked_at, seen = time.monotonic(), proxy.book.requests


def _upstreams(instructions: Instructions) -> Upstreams:
    return Upstreams(proxy=instructions.upstream_proxy, ca_file=instructions.ca_file)


def _hosts(port: int) -> frozenset[str]:
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=ORDER_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb"))
    return reader


if __name__ == "__main__":
    sys.exit(main())
