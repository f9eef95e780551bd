"""Fake agents: manifests and little programs in a temporary folder, and a service over them."""

import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from clown_daemon.agents.service import AgentService
from clown_daemon.clock import ManualClock
from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent


def write_program(path: Path, *lines: str, interpreter: str = "/bin/sh") -> Path:
    """Write a script and put it in place in one step, as installers do: nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text("\n".join((f"#!{interpreter}", *lines, "")), encoding="utf-8")
    fresh.chmod(stat.S_IRWXU)
    fresh.replace(path)
    return path


def environ_of(tmp_path: Path, *folders: Path) -> dict[str, str]:
    """An environment whose PATH is the given folders and whose HOME is a fresh one."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return {"PATH": os.pathsep.join(str(folder) for folder in folders), "HOME": str(home)}


def catalogue_of(*agents: AgentManifest) -> Catalogue:
    return Catalogue(agents={agent.id: agent for agent in agents}, providers={})


class Announced:
    """What a database announced."""

    def __init__(self) -> None:
        self.events: list[EncodedEvent] = []

    def __call__(self, events: Sequence[EncodedEvent]) -> None:
        self.events.extend(events)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@asynccontextmanager
async def agent_service(
    tmp_path: Path,
    catalogue: Catalogue,
    environ: dict[str, str],
    *,
    timeout_seconds: float = 5,
    clock: ManualClock | None = None,
) -> AsyncIterator[tuple[AgentService, Database, Announced]]:
    """A service with a database of its own; notifications settle at once."""
    announced = Announced()
    clock = clock or ManualClock()
    database = await open_database(tmp_path / "clown.db", clock, announced)
    try:
        service = AgentService(
            catalogue=catalogue,
            database=database,
            environ=environ,
            clock=clock,
            timeout_seconds=timeout_seconds,
            quiet_ms=20,
            look_anyway_ms=100,
        )
        yield service, database, announced
    finally:
        await database.close()
