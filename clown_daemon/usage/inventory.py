"""Which logs there are now: the folders of the agents and of the profiles, looked at in a thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.usage.scanner import Root, Scan, find_roots, scan, with_roots
from clown_daemon.usage.sources import SOURCES
from clown_daemon.usage.status import LogFolder
from clown_daemon.usage.watcher import Folder, Hint


class LogOwner(NamedTuple):
    """A profile, as far as its logs are concerned."""

    home: Path
    provider_id: str | None
    """Who bills it; None where its agent's own login decides."""


Owners = Callable[[], Awaitable[Mapping[str, LogOwner]]]
"""Answers every profile, by alias."""


class Found(NamedTuple):
    """How much was found below a folder."""

    files: int
    bytes: int


class Inventory:
    """Looks for logs.

    Attributes:
        found: what the last look at everything found, by source.
        providers: who bills each profile, where that is known, as of the last look.
    """

    def __init__(self, environ: Mapping[str, str], owners: Owners) -> None:
        self.found: dict[str, Found] = {}
        self.providers: dict[str, str] = {}
        self._environ = environ
        self._owners = owners

    async def roots(self) -> tuple[Root, ...]:
        """Answer every folder where logs may be."""
        owners = await self._owners()
        self.providers = {alias: owner.provider_id for alias, owner in owners.items() if owner.provider_id}
        homes = {alias: owner.home for alias, owner in owners.items()}
        return await asyncio.to_thread(find_roots, self._environ, homes)

    async def folders(self) -> Iterable[Folder]:
        """Answer the folders to watch."""
        return [Folder(root.folder, root.nested) for root in await self.roots()]

    async def places(self) -> tuple[Mapping[str, list[LogFolder]], frozenset[str]]:
        """Answer the folders where logs may be, by source, and which of them are there."""
        places: dict[str, list[LogFolder]] = {source.name: [] for source in SOURCES}
        for root in await self.roots():
            folder = LogFolder(root.folder, root.profile)
            if folder not in places[root.source]:  # some agents keep logs of two kinds in one folder
                places[root.source].append(folder)
        for source in SOURCES:
            if not source.kinds:
                places[source.name] = [LogFolder(str(path), UNATTRIBUTED) for path in source.folders(self._environ)]
        paths = {folder.path for folders in places.values() for folder in folders}
        return places, await asyncio.to_thread(_existing, paths)

    async def look(self, hint: Hint = None) -> Scan:
        """Look at everything, or only at what changed."""
        found = await asyncio.to_thread(scan, await self.roots(), hint)
        if hint is None:
            self.found = {}
            for file in found.files:
                files, size = self.found.get(file.source, Found(0, 0))
                self.found[file.source] = Found(files + 1, size + file.size)
        return found

    async def look_also(self, roots: Iterable[Root]) -> Scan:
        """Look only below these folders; what a profile owns in them stays the profile's."""
        also = tuple(roots)
        known = with_roots(await self.roots(), also)
        return await asyncio.to_thread(scan, known, [Path(root.folder) for root in also])


def _existing(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path for path in paths if Path(path).is_dir())
