"""Clown's own clients in a process of their own: `Follower`s that tell when each of them is live again.

Prints `ready` when all are live, and after each loss, when all are live again, one JSON object: `live` has the instants
in epoch seconds, one a follower. Ends when its standard input is closed.
"""

import asyncio
import json
import sys
import time

from clown_daemon.client.states import ConnectionChanged, Phase
from clown_daemon.client.sync import Follower


class Board:
    """Who is live, and since when."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._live: dict[int, float] = {}
        self._lost: set[int] = set(range(count))
        self._first = True

    def changed(self, number: int, phase: Phase) -> None:
        """Write down a change of a follower; tell when the last one is live."""
        if phase is not Phase.LIVE:
            self._lost.add(number)
            return
        self._lost.discard(number)
        self._live[number] = time.time()
        if not self._lost:
            print("ready" if self._first else json.dumps({"live": list(self._live.values())}), flush=True)
            self._first = False


async def _follow(url: str, number: int, board: Board) -> None:
    async with Follower(url) as follower:
        async for message in follower:
            if isinstance(message, ConnectionChanged):
                board.changed(number, message.phase)


async def main(url: str, count: int) -> None:
    """Follow with so many clients."""
    board = Board(count)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    following = [asyncio.create_task(_follow(url, number, board), name=f"f.{number}") for number in range(count)]
    await ended.wait()
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
