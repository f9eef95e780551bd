"""Real changes at a steady rate, from a process of its own: `PATCH /api/profiles/...` over connections that stay open.

Each change is a transaction, a commit and one `ProfileUpdated`. Runs until its standard input is closed, and prints one
JSON object: how many were asked for, and how many failed.
"""

import asyncio
import json
import sys

PROFILES = 20
CONNECTIONS = 4


class Caller:
    """One connection, one call after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.calls = 0
        self.failed = 0

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def call(self, method: str, path: str, body: object) -> bool:
        """Whether the call succeeded; a lost connection is opened again."""
        text = json.dumps(body).encode()
        self.calls += 1
        try:
            self._writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\n\r\n".encode()
                + text
            )
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.failed += 1
            await asyncio.sleep(0.1)
            await self.connect()
            return False
        good = head.split(b" ", 2)[1].startswith(b"2")
        self.failed += not good
        return good

    def close(self) -> None:
        self._writer.close()


async def main(port: int, rate: float) -> None:
    """Change profiles until nobody wants it any more."""
    callers = [Caller(port) for _ in range(CONNECTIONS)]
    for caller in callers:
        await caller.connect()
    for number in range(PROFILES):  # or they are there already
        profile = {"agent_id": "claude", "provider_id": "anthropic", "alias": f"load-{number}", "model": "m"}
        await callers[0].call("POST", "/api/profiles", profile)
    callers[0].calls = callers[0].failed = 0
    print("ready", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stopped.set)
    await asyncio.gather(*(_change(one, place, rate / len(callers), stopped) for place, one in enumerate(callers)))
    for caller in callers:
        caller.close()
    calls, failed = sum(one.calls for one in callers), sum(one.failed for one in callers)
    print(json.dumps({"calls": calls, "failed": failed}), flush=True)


async def _change(caller: Caller, place: int, rate: float, stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    number = 0
    while not stopped.is_set():
        alias = f"load-{(number * CONNECTIONS + place) % PROFILES}"
        await caller.call("PATCH", f"/api/profiles/{alias}", {"model": f"model-{number}"})
        number += 1
        # What the daemon could not take in time is asked for as soon as it can.
        await asyncio.sleep(max(0.0, began + number / rate - loop.time()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
