"""Thousands of real changes over HTTP, as fast as the daemon commits them."""

import asyncio
import json

from tests.support.raw_client import RawClient, raw_client

CALLERS = 16
"""Connections that change at the same time, each a profile of its own: the daemon commits in the order they come."""


async def make_events(port: int, count: int) -> None:
    """Make exactly so many events, at least 2: profiles are created, changed and deleted."""
    callers = min(CALLERS, count // 2)
    async with asyncio.TaskGroup() as tasks:
        for number in range(callers):
            share = count // callers + (number < count % callers)
            tasks.create_task(_change(port, f"many-{number}", share), name=f"changes.{number}")


async def _change(port: int, alias: str, count: int) -> None:
    profile = {"alias": alias, "agent_id": "quick", "provider_id": "anthropic"}
    async with raw_client(port) as client:
        await _succeed(client, "POST", "/api/profiles", profile)
        for number in range(count - 2):
            await _succeed(client, "PATCH", f"/api/profiles/{alias}", {"model": f"model-{number}"})
        await _succeed(client, "DELETE", f"/api/profiles/{alias}", {})


async def _succeed(client: RawClient, method: str, path: str, body: dict[str, str]) -> None:
    reply = await client.call(method, path, json.dumps(body).encode())
    assert reply.status < 300, reply
