"""Programs that start the daemon in the same instant: they are forked from one that has loaded everything, and wait.

`python -m tests.support.racers COUNT FLAG...` prints a line of JSON for each: `{url, pid, version}` or `{error, hint}`.
"""

import asyncio
import json
import os
import sys

import httpx  # noqa: F401  # loaded here, once, instead of by each of them

from clown_daemon.client.launcher import start_daemon
from clown_daemon.errors import ClownError


async def _start(flags: tuple[str, ...]) -> dict[str, object]:
    try:
        started = await start_daemon(os.environ, flags=flags)
    except ClownError as error:
        return {"error": str(error), "hint": error.hint}
    return {"url": started.url, "pid": started.pid, "version": started.version}


def main(count: int, flags: tuple[str, ...]) -> None:
    """Fork the racers, let them go, and wait for all."""
    waiting, going = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.close(going)
            os.read(waiting, 1)  # ends when the last writer is gone: for all of them at once
            line = json.dumps(asyncio.run(_start(flags))) + "\n"
            os.write(1, line.encode())
            os._exit(0)
        children.append(child)
    os.close(going)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[2:]))
