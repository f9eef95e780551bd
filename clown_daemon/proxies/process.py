"""One proxy process: started on a socket that the daemon holds, asked whether it answers, told what changes.

Orders after the first go over HTTP: a process that outlived its daemon has no standard input any more.
"""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import msgspec

from clown_daemon.processes.child import Command, SpawnError
from clown_daemon.processes.supervisor import Supervised, Supervisor
from clown_daemon.proxies.engine.instructions import Instructions, Order

READY_SECONDS = 10.0
"""How long a process may take until it answers."""
AGAIN_SECONDS = 0.02
ANSWER_SECONDS = 2.0
"""How long a living one may take to answer the daemon."""


class Ident(msgspec.Struct, frozen=True):
    """What a proxy says of itself."""

    profile: str
    pid: int
    in_flight: int
    spool_problem: str | None = None


async def spawn(
    supervisor: Supervisor,
    listening: socket.socket,
    instructions: Instructions,
    *,
    spool_dir: Path,
    log_file: Path,
    environ: Mapping[str, str],
) -> Supervised:
    """Start a proxy process.

    Raises:
        SpawnError: it could not be started.
    """
    descriptor = listening.fileno()
    words = ("-m", "clown_daemon.proxies.engine", "--fd", str(descriptor))
    return await supervisor.spawn(
        Command(
            argv=(sys.executable, *words, "--spool", str(spool_dir), "--log", str(log_file)),
            environ=environ,
            working_dir=Path("/"),
            secrets=secrets_of(instructions),
            orders=msgspec.json.encode(Order(op="start", instructions=instructions)) + b"\n",
            descriptors=(descriptor,),
        ),
        name=f"proxy of {instructions.profile}",
    )


def secrets_of(instructions: Instructions) -> tuple[str, ...]:
    """Texts that nothing that the process prints may show."""
    keys = (upstream.key for upstream in instructions.upstreams.values())
    return (instructions.token, *(key for key in keys if key is not None))


async def wait_ready(session: aiohttp.ClientSession, port: int, token: str, process: Supervised) -> None:
    """Wait until the process answers; the socket takes the question at once, whoever will answer it.

    Raises:
        SpawnError: it ended first, or did not answer in time; with the last thing it printed.
    """
    asking = asyncio.ensure_future(_answered_by(session, port, token, process.pid))
    ended = asyncio.ensure_future(process.exited.wait())
    try:
        await asyncio.wait((asking, ended), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done() or asking.exception() is not None:
            raise SpawnError(_why(process))
    finally:
        for task in (asking, ended):
            task.cancel()
        await asyncio.gather(asking, ended, return_exceptions=True)


async def _answered_by(session: aiohttp.ClientSession, port: int, token: str, pid: int) -> None:
    """Ask until this very process answers: the one whose place it takes may still do."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                if (await ask(session, port, token, seconds=READY_SECONDS)).pid == pid:
                    return
            except aiohttp.ClientConnectionError:
                pass  # whoever took the question ended over it
            await asyncio.sleep(AGAIN_SECONDS)


async def ask(session: aiohttp.ClientSession, port: int, token: str, *, seconds: float = ANSWER_SECONDS) -> Ident:
    """Ask a proxy who it is.

    Raises:
        OSError, TimeoutError, aiohttp.ClientError, msgspec.DecodeError: nobody of ours answers there.
    """
    # Not kept open: what answers here may be on its way out.
    async with session.get(
        f"http://127.0.0.1:{port}/__clown/ident",
        headers={**_shown(token), "Connection": "close"},
        timeout=aiohttp.ClientTimeout(total=seconds),
        raise_for_status=True,
    ) as answer:
        return msgspec.json.decode(await answer.read(), type=Ident)


async def reload(session: aiohttp.ClientSession, port: int, token: str, instructions: Instructions) -> None:
    """Tell a proxy what has changed; it shows the token of before.

    Raises:
        OSError, TimeoutError, aiohttp.ClientError: it was not taken.
    """
    async with session.post(
        f"http://127.0.0.1:{port}/__clown/orders",
        headers=_shown(token),
        data=msgspec.json.encode(Order(op="reload", instructions=instructions)),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        raise_for_status=True,
    ):
        pass


def last_words(process: Supervised) -> str | None:
    """The last line that a process printed on standard error."""
    if process.output is None:
        return None
    lines = [line.text for line in process.output.page().lines if line.stream == "stderr" and line.text.strip()]
    return lines[-1] if lines else None


def _why(process: Supervised) -> str:
    said = last_words(process)
    if process.exited.is_set():
        return f"the proxy ended before it answered (exit code {process.exit_code}){f': {said}' if said else ''}"
    return f"the proxy did not answer within {READY_SECONDS:g} s{f': {said}' if said else ''}"


def _shown(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
