"""Mutation load by real commands, over a good and a bad network, each command's outcome written down as it is known."""

import asyncio
import itertools
import json
import random
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.chaos.history import Commanded, History, SnapshotRead
from tests.support.real_daemon import RealDaemon

AGENT = """#!/bin/sh
[ "$1" = --version ] && { echo "1.2.3"; exit 0; }
case "$1" in sleep) exec sleep 60 ;; fail) exit 3 ;; esac
"""
COMMANDS = {"create": 5, "update": 14, "delete": 3, "run": 2, "stop": 2, "spend": 3, "detect": 0.2, "snapshot": 1.5}
ALIASES = ("a", "b", "c", "d")
DIRECT_SECONDS = 5.0
FLAKY_SECONDS = 0.4
REST_SECONDS = 0.1
"""After a command that nobody answered; calling a dead daemon in a loop would only keep it from starting."""


class Load:
    """Gives commands until told to stop.

    Attributes:
        unknown: how many commands nobody ever answered.
        answered: how many were.
    """

    def __init__(self, daemon: RealDaemon, flaky_url: str, history: History, seed: object) -> None:
        self.unknown = self.answered = 0
        self._daemon = daemon
        self._urls = (daemon.url, flaky_url)
        self._history = history
        self._seed = seed
        self._numbers = itertools.count(1)

    async def run(self, name: str, *, flaky: bool, ended: asyncio.Event) -> None:
        """Command, one after the other, as this one of several callers."""
        chance = random.Random(f"{self._seed}/{name}")  # noqa: S311  # a script, not a secret
        client = httpx.AsyncClient(
            base_url=self._urls[flaky],
            trust_env=False,
            timeout=FLAKY_SECONDS if flaky else DIRECT_SECONDS,
            verify=False,  # noqa: S501  # loopback speaks no TLS, and loading certificates takes 20 ms
        )
        async with client:
            while not ended.is_set():
                what = chance.choices(list(COMMANDS), list(COMMANDS.values()))[0]
                if what == "spend":
                    spend(Path(self._daemon.environ["HOME"]), chance.choice(ALIASES), next(self._numbers))
                elif what == "snapshot":
                    await self._read(client, name)
                else:
                    await self._command(client, name, *self._request(what, chance))
                await asyncio.sleep(chance.uniform(0, 0.01))

    def _request(self, what: str, chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        """Method, path and body. Each model is new, so that each event tells whose it is."""
        alias = chance.choice(ALIASES)
        path = f"/api/profiles/{alias}"
        model = f"m{next(self._numbers)}"
        match what:
            case "create":
                body = {"alias": alias, "agent_id": "quick", "provider_id": "anthropic", "model": model}
                return "POST", "/api/profiles", body
            case "update":
                return "PATCH", path, {"model": model}
            case "delete":
                return "DELETE", path, None
            case "run":
                return "POST", f"{path}/run", {"args": [chance.choice(["sleep", "fail", "x"])]}
            case "stop":
                return "POST", f"{path}/stop", None
            case _:
                return "POST", "/api/agents/detect", None

    async def _command(
        self, client: httpx.AsyncClient, name: str, method: str, path: str, body: dict[str, Any] | None
    ) -> None:
        asked_at = time.monotonic()
        status, data = None, None
        try:
            reply = await client.request(method, path, json=body)
            status, data = reply.status_code, reply.json().get("data")
        except httpx.ConnectError:
            await asyncio.sleep(REST_SECONDS)
            return  # it was never sent
        except (httpx.TransportError, ValueError):
            self.unknown += 1
            await asyncio.sleep(REST_SECONDS)
        else:
            self.answered += 1
        self._history.add(
            Commanded(
                client=name,
                asked_at=asked_at,
                method=method,
                path=path,
                body=body,
                status=status,
                reply=data if isinstance(data, dict) else None,
            )
        )

    async def _read(self, client: httpx.AsyncClient, name: str) -> None:
        asked_at = time.monotonic()
        try:
            reply = await client.get("/api/snapshot")
            data = reply.json()["data"] if reply.status_code == 200 else None
        except (httpx.TransportError, ValueError):
            await asyncio.sleep(REST_SECONDS)
            return
        if data is not None:
            self._history.add(SnapshotRead(client=name, asked_at=asked_at, data=data))


def spend(home: Path, session: str, number: int) -> None:
    """Append a response to a log of Claude Code, as the agent would."""
    folder = home / ".claude" / "projects" / session
    folder.mkdir(parents=True, exist_ok=True)
    usage = {"input_tokens": 10 + number % 7, "output_tokens": 5, "cache_read_input_tokens": 7}
    message = {"id": f"msg_{number}", "model": "claude-sonnet-4-5", "role": "assistant", "usage": usage}
    line = {
        "type": "assistant",
        "requestId": f"req_{number}",
        "timestamp": "2026-01-08T10:30:00.000Z",
        "sessionId": session,
        "message": {**message, "stop_reason": "end_turn"},
    }
    with (folder / "session.jsonl").open("a") as out:
        out.write(json.dumps(line) + "\n")
