"""Followers in processes of their own, and what is true of what each of them got."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clown_daemon.protocol.events import CATALOGUE
from tests.interop.clients import Client

CONNECT_SECONDS = 60
FOLLOW_SECONDS = 240
ENVELOPE = {"type", "timestamp", "data", "seq", "log", "at_ms", "resource"}
DOCUMENTED = {kind.name: set(kind.data.__struct_fields__) for kind in CATALOGUE if kind.documented}


@dataclass(frozen=True)
class Follower:
    """A client that is connected."""

    client: Client
    process: asyncio.subprocess.Process
    output: Path
    extensions: str
    """What it negotiated: `none`."""

    async def events(self) -> list[dict[str, Any]]:
        """Everything that it got, once it has it all and has ended."""
        _, errors = await asyncio.wait_for(self.process.communicate(), FOLLOW_SECONDS)
        assert self.process.returncode == 0, f"{self.client.name}: {errors.decode()}"
        return [json.loads(line) for line in self.output.read_text(encoding="utf-8").splitlines()]


@contextlib.asynccontextmanager
async def following(
    all_clients: Sequence[Client], url: str, count: int, folder: Path, *, ping_seconds: float
) -> AsyncIterator[list[Follower]]:
    """Followers of one stream, all connected; what is left of them at the end is killed."""
    processes: list[asyncio.subprocess.Process] = []
    followers: list[Follower] = []
    try:
        for number, client in enumerate(all_clients):
            output = folder / f"follower-{number}"
            process = await asyncio.create_subprocess_exec(
                *(*client.command(), url, str(count), str(output), str(ping_seconds)),
                env=client.environ(),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            processes.append(process)
            followers.append(Follower(client, process, output, await _connected(client, process)))
        yield followers
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def _connected(client: Client, process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), CONNECT_SECONDS)).decode()
    if not line.startswith("connected "):
        _, errors = await process.communicate()
        raise AssertionError(f"{client.name} did not connect: {line}{errors.decode()}")
    return line.split(maxsplit=1)[1].strip()


def assert_plain_stream(name: str, events: list[dict[str, Any]], *, count: int) -> None:
    """All of them, in order, without a hole, documented, and nothing else."""
    assert len(events) == count, f"{name} got {len(events)} messages"
    first = events[0]["seq"]
    assert [event.get("seq") for event in events] == list(range(first, first + count)), name
    assert len({event["log"] for event in events}) == 1, name
    for event in events:
        assert event.keys() == ENVELOPE, (name, event)
        assert event["data"].keys() >= DOCUMENTED[event["type"]], (name, event)
