"""Tells when and where to look again: the kernel's notifications, and a full look now and then in case one was lost.

Folders may appear later (an agent's first use, a new profile) and be replaced, so the set of folders is asked for again
every few seconds. Where notifications do not come (network file systems, the kernel's limit) a folder is looked at
every few seconds instead.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from clown_daemon.usage.mounts import read_mountinfo, silent

logger = logging.getLogger(__name__)

WAKE_SECONDS = 2.0
"""How often the set of folders is asked for."""
POLL_SECONDS = 2.0
"""How often to look where there are no notifications."""
RESCAN_SECONDS = 30.0
"""How often to look everywhere all the same."""
SETTLE_MS = 15
GATHER_MS = 60
"""Changes are gathered until nothing changes for the first time, at most for the second."""

Hint = frozenset[Path] | None
"""Files and folders that changed, or None: look everywhere."""


class Folder(NamedTuple):
    """A folder to watch."""

    path: str
    """A real path."""
    nested: bool
    """Whether what lies deeper matters, too."""


class Changes:
    """What changed since it was taken last."""

    def __init__(self) -> None:
        self._paths: set[Path] = set()
        self._everywhere = False
        self._some = asyncio.Event()

    def add(self, hint: Hint) -> None:
        """Note where to look."""
        if hint is None:
            self._everywhere = True
        else:
            self._paths |= hint
        self._some.set()

    async def wait(self) -> None:
        """Wait until there is something."""
        await self._some.wait()

    def take(self) -> Hint:
        """Answer where to look now."""
        hint = None if self._everywhere else frozenset(self._paths)
        self._paths.clear()
        self._everywhere = False
        self._some.clear()
        return hint


class Watcher:
    """Watches a changing set of folders; `watch` runs for ever.

    Attributes:
        polled: the folders that are looked at every few seconds.
    """

    def __init__(self, folders: Callable[[], Awaitable[Iterable[Folder]]], changes: Changes) -> None:
        """Prepare to watch.

        Args:
            folders: answers the folders to watch; those that do not exist are waited for.
            changes: where it is told.
        """
        self.polled: frozenset[str] = frozenset()
        self._folders = folders
        self._changes = changes

    async def watch(self) -> None:
        """Watch for ever."""
        while True:
            watched = await self._existing()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._look_everywhere(), name="usage.rescan")]
                found = [folder for folder, _ in watched]
                self.polled = await asyncio.to_thread(_polled, found)
                for nested in (True, False):
                    paths = [folder.path for folder in found if folder.nested is nested]
                    told = [path for path in paths if path not in self.polled]
                    tasks.append(group.create_task(self._notify(told, nested=nested), name="usage.notify"))
                tasks.append(group.create_task(self._poll(self.polled), name="usage.poll"))
                await self._while_they_are(watched)
                for task in tasks:
                    task.cancel()

    async def _while_they_are(self, watched: frozenset[tuple[Folder, int]]) -> None:
        """Wait until there is another set of folders; nobody tells of a folder that appears anywhere."""
        while True:
            await asyncio.sleep(WAKE_SECONDS)
            if await self._existing() != watched:
                return

    async def _look_everywhere(self) -> None:
        while True:
            await asyncio.sleep(RESCAN_SECONDS)
            self._changes.add(None)

    async def _poll(self, paths: Iterable[str]) -> None:
        while paths:
            await asyncio.sleep(POLL_SECONDS)
            self._changes.add(frozenset(map(Path, paths)))

    async def _notify(self, paths: list[str], *, nested: bool) -> None:
        """Tell what the kernel says of folders; look at them now and then where it does not."""
        if not paths:
            return
        error = await _Notifications(paths, self._changes, nested=nested).told()
        logger.warning("file notifications do not work, looking every %g seconds: %s", POLL_SECONDS, error)
        self.polled |= frozenset(paths)
        await self._poll(paths)

    async def _existing(self) -> frozenset[tuple[Folder, int]]:
        """Answer the folders that are there, with their inodes: one that was replaced has to be watched anew."""
        return await asyncio.to_thread(_identified, await self._folders())


class _Notifications:
    """The thread that waits for the kernel."""

    def __init__(self, paths: list[str], changes: Changes, *, nested: bool) -> None:
        self._paths = paths
        self._changes = changes
        self._nested = nested
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[Exception] = self._loop.create_future()

    async def told(self) -> Exception:
        """Tell changes until it does not work; answer why not."""
        thread = threading.Thread(target=self._run, name="clown-watcher", daemon=True)
        thread.start()
        try:
            return await self._failed
        finally:
            self._stop.set()

    def _run(self) -> None:
        try:
            # In a thread, since a watch is set for every folder there is.
            with RustNotify(self._paths, False, False, 0, self._nested, True) as kernel:
                self._tell(self._changes.add, None)  # what changed before the watch stood was not seen
                while not self._stop.is_set():
                    found = kernel.watch(GATHER_MS, SETTLE_MS, round(WAKE_SECONDS * 1000), self._stop)
                    if isinstance(found, set):
                        self._tell(self._changes.add, frozenset(Path(path) for _, path in found))
        except (OSError, WatchfilesRustInternalError) as error:
            self._tell(self._fail, error)

    def _tell(self, call: Callable[..., None], value: object) -> None:
        # The loop may be gone when a daemon was torn down.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, value)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_result(error)


def _identified(folders: Iterable[Folder]) -> frozenset[tuple[Folder, int]]:
    found: set[tuple[Folder, int]] = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            if (path := Path(folder.path)).is_dir():
                found.add((folder, path.stat().st_ino))
    return frozenset(found)


def _polled(folders: Iterable[Folder]) -> frozenset[str]:
    return silent((folder.path for folder in folders), read_mountinfo())
