"""Fan-out: events a second that reach their clients, Clown's broadcaster against `websockets.broadcast`.

Method: one server process (this one) and one process of raw sockets that count frames by parsing their lengths.
Events of 150 bytes are handed over in bursts of 64 (what a busy tick brings) and, as the hardest case for joining,
one at a time; both servers get the same bursts, and publishing rests while a client has some hundred KiB unsent.
Counted from the first frame that came to the last. Best of three, alternating.
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Callable

from benchmarks.support.servers import Server, clown, count, peer

BODY = (b'{"type":"ProfileDeleted","data":{"alias":"' + b"x" * 150)[:147] + b'"}}'
ROUNDS = 3
CASES = {
    (10, 64): {"clown": 200_000, "websockets": 20_000},
    (100, 64): {"clown": 80_000, "websockets": 4_000},
    (100, 1): {"clown": 40_000, "websockets": 4_000},
}
"""Clients and burst, and how many events each server gets: about a second's worth."""
SERVERS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Server]]] = {"clown": clown, "websockets": peer}


async def measure() -> dict[str, float]:
    """Answer frames a second by server and number of clients, and the ratios."""
    figures: dict[str, float] = {}
    for (clients, burst), amounts in CASES.items():
        best = dict.fromkeys(SERVERS, 0.0)
        for _ in range(ROUNDS):
            for name, open_server in SERVERS.items():
                async with open_server() as server:
                    report = await count(server, clients, amounts[name], _feeder(amounts[name], burst))
                best[name] = max(best[name], report["frames"] / report["seconds"])
        case = _case(clients, burst)
        for name, rate in best.items():
            figures[f"{name}_{case}_per_second"] = round(rate)
        figures[f"ratio_{case}"] = round(best["clown"] / best["websockets"], 1)
    return figures


def _case(clients: int, burst: int) -> str:
    return f"{clients}" if burst > 1 else f"{clients}_single"


def _feeder(frames: int, most: int) -> Callable[[Server], object]:
    async def feed(server: Server) -> None:
        left = frames
        while left:
            burst = min(most, left)
            server.publish([BODY] * burst)
            left -= burst
            await asyncio.sleep(0)
            while server.crowded():  # noqa: ASYNC110  # a socket tells nobody that it has room
                await asyncio.sleep(0.0005)

    return feed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    as_json = parser.parse_args().json
    figures = asyncio.run(measure())
    if as_json:
        print(json.dumps(figures))
        return
    print(__doc__)
    for clients, burst in CASES:
        case = _case(clients, burst)
        ours, theirs = figures[f"clown_{case}_per_second"], figures[f"websockets_{case}_per_second"]
        ratio = figures[f"ratio_{case}"]
        print(f"{clients:>4} clients, bursts of {burst:>2}: clown {ours:>10,}/s   websockets {theirs:>8,}/s   {ratio}x")
    print("\ntarget: at least 8x at 100 clients")


if __name__ == "__main__":
    main()
