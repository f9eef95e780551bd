"""Watching a process that is not our child: one that an earlier daemon started and that outlived it.

Its exit code is lost (only the parent is told it), its end is not: Linux tells it through a pidfd, other systems are
asked again and again.
"""

import asyncio
import os
import sys

from clown_daemon.processes.groups import is_same_process

POLL_SECONDS = 0.5


async def wait_until_gone(pid: int, process_start: float) -> None:
    """Return once the process of that pid and start time has ended."""
    descriptor = _open_pidfd(pid)
    if descriptor is None:
        while await asyncio.to_thread(is_same_process, pid, process_start):  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(POLL_SECONDS)
        return
    try:
        # Asked after the descriptor is open: from here on it cannot come to mean another process.
        if await asyncio.to_thread(is_same_process, pid, process_start):
            await _wait_readable(descriptor)
    finally:
        os.close(descriptor)


def _open_pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


async def _wait_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
