"""Tells the daemon how a run fares, from a thread of the waiter, so that the agent never waits for it.

A daemon that is away is looked for again. When it is still away after the end, the end is left as a note for the next
one, and the user is told in one sentence.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import clown_daemon.client.transport  # noqa: F401  # loaded before the fork, it serves caller and waiter
from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import find_daemon, read_token
from clown_daemon.client.errors import ClientError, RefusedError
from clown_daemon.paths import Paths
from clown_daemon.profiles.unheard_ends import UnheardEnd, leave_note
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Message
from clown_daemon.protocol.requests import RunBegan, RunEnded

Telling = Callable[[DaemonApi], Awaitable[Message]]

LOOK_SECONDS = 5.0
"""How often a daemon that is away is looked for while the agent runs."""
LAST_LOOK_SECONDS = 0.1
"""The same once it has ended."""
END_SECONDS = 3.0
"""How long the end may be tried to be told: a daemon that is restarted takes about one second."""

SETTLED = frozenset({ProblemCode.UNKNOWN_RUN, ProblemCode.RUN_BEGUN})
"""The daemon knows better already."""


class Teller:
    """Tells of one run; a watcher of `processes.waiter`.

    Args:
        alias: the profile.
        environ: decides where the daemon is.
    """

    def __init__(self, alias: str, environ: Mapping[str, str]) -> None:
        self._alias = alias
        self._paths = Paths.from_environment(environ)
        self._over = threading.Event()
        self._end = RunEnded()
        self._thread = threading.Thread()

    def began(self, label: str, pid: int) -> None:
        """Begin to tell, and do not wait for it."""
        self._thread = threading.Thread(target=self._tell, args=(label, pid), name=f"telling of {label}", daemon=True)
        self._thread.start()

    def ended(self, label: str, pid: int, exit_code: int) -> None:
        """Tell the end, for a short while; else leave a note."""
        self._end = RunEnded(exit_code=exit_code)
        self._over.set()
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            self._leave_note(UnheardEnd(run_id=label, pid=pid, exit_code=exit_code, ended_ms=time.time_ns() // 10**6))

    def _tell(self, run_id: str, pid: int) -> None:
        self._until_heard(lambda api: api.run_began(run_id, RunBegan(pid=pid)))
        self._over.wait()
        self._until_heard(lambda api: api.run_ended(run_id, self._end))

    def _until_heard(self, telling: Telling) -> None:
        while not asyncio.run(self._heard(telling)):
            if self._over.is_set():
                time.sleep(LAST_LOOK_SECONDS)
            else:
                self._over.wait(LOOK_SECONDS)

    async def _heard(self, telling: Telling) -> bool:
        found = await find_daemon(self._paths)
        if found is None:
            return False
        async with DaemonApi(found.url, token=partial(read_token, self._paths)) as api:
            try:
                await telling(api)
            except RefusedError as error:
                return error.problem.code in SETTLED
            except ClientError:
                return False
        return True

    def _leave_note(self, end: UnheardEnd) -> None:
        try:
            leave_note(self._paths.unheard_ends_dir, end)
        except OSError as error:
            sentence = f"no daemon could be told that {self._alias} has ended, and no note be left: {error.strerror}"
        else:
            sentence = f"no daemon could be told that {self._alias} has ended; the next one will know"
        print(f"clown: {sentence}", file=sys.stderr, flush=True)
