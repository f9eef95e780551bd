"""End a running daemon, and wait until it is gone: its state folder is free then, and so is its port."""

import asyncio
from functools import partial

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import StartedDaemon, is_held, read_token
from clown_daemon.client.errors import RefusedError, UnreachableError
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import ShutDown

STOP_SECONDS = 20.0
"""How long runs may take to end and the database to close."""
_POLL_SECONDS = 0.05


async def end_daemon(found: StartedDaemon, paths: Paths, request: ShutDown | None = None) -> None:
    """Ask a daemon to stop and wait until it is gone.

    Raises:
        RefusedError: with `if_idle`, somebody needs it (`busy`); or it is too old to know `if_idle`.
        ClownError: it did not stop within 20 s.
    """
    try:
        async with DaemonApi(found.url, token=partial(read_token, paths)) as api:
            await api.shutdown(request)
    except UnreachableError:
        pass  # somebody else ended it meanwhile; the wait tells
    except RefusedError as error:
        if error.problem.code != ProblemCode.SHUTTING_DOWN:
            raise
    await until_gone(paths, pid=found.pid)


async def until_gone(paths: Paths, *, pid: int | None = None) -> None:
    """Wait until no daemon holds the state folder.

    Raises:
        ClownError: one still does after 20 s; `pid` is named, if it is known.
    """
    try:
        async with asyncio.timeout(STOP_SECONDS):
            while await asyncio.to_thread(is_held, paths):  # noqa: ASYNC110  # another process; no event tells of its end
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        who = "the daemon" if pid is None else f"the daemon (pid {pid})"
        raise ClownError(
            f"{who} did not stop within {STOP_SECONDS:g} s",
            hint=f"see {paths.log_file}" if pid is None else f"see {paths.log_file}, or: kill {pid}",
        ) from None
