"""Tells when and where to look again: the kernel's notifications, and a full look now and then in case one was lost.

Folders may appear later (an agent's first use, a new profile) and be replaced, so the set of folders is asked for again
every few seconds. Where notifications do not work the answer is simply "look everywhere" every few seconds.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from watchfiles import awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

logger = logging.getLogger(__name__)

WAKE_SECONDS = 2.0
"""How often the set of folders is asked for."""
POLL_SECONDS = 2.0
"""How often to look where there are no notifications."""
RESCAN_SECONDS = 30.0
"""How often to look everywhere all the same."""
SETTLE_MS = 50
GATHER_MS = 200
"""Changes are gathered until nothing changes for the first time, at most for the second."""

Hint = frozenset[Path] | None
"""Files and folders that changed, or None: look everywhere."""

Folder = tuple[str, int]
"""A folder and its inode: a folder that was replaced has to be watched anew."""


async def hints(folders: Callable[[], Awaitable[Sequence[Path]]]) -> AsyncGenerator[Hint, None]:
    """Answer hints for ever.

    Args:
        folders: answers the folders to watch; those that do not exist are waited for.
    """
    watched: frozenset[Folder] = frozenset()
    while True:
        existing = await _existing(folders)
        if existing and existing != watched:
            yield None
        watched = existing
        if not existing:
            await asyncio.sleep(WAKE_SECONDS)
            continue
        try:
            async with aclosing(_notifications(existing, folders)) as found:
                async for hint in found:
                    yield hint
        except (OSError, WatchfilesRustInternalError) as error:
            logger.warning("file notifications do not work, looking every %g seconds: %s", POLL_SECONDS, error)
            await asyncio.sleep(POLL_SECONDS)
            yield None


async def _notifications(
    watched: frozenset[Folder], folders: Callable[[], Awaitable[Sequence[Path]]]
) -> AsyncGenerator[Hint, None]:
    """Answer hints until the set of folders changes."""
    clock = asyncio.get_running_loop().time
    asked = clock()
    looked = float("-inf")  # What changed while the watch was being set up was not seen.
    changes = awatch(
        *(path for path, _ in sorted(watched)),
        watch_filter=None,
        recursive=True,
        debounce=GATHER_MS,
        step=SETTLE_MS,
        rust_timeout=round(WAKE_SECONDS * 1000),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    async with aclosing(changes):
        async for change in changes:
            if change:
                yield frozenset(Path(path) for _, path in change)
            if clock() - looked >= RESCAN_SECONDS:
                looked = clock()
                yield None
            if clock() - asked >= WAKE_SECONDS:
                asked = clock()
                if await _existing(folders) != watched:
                    return


async def _existing(folders: Callable[[], Awaitable[Sequence[Path]]]) -> frozenset[Folder]:
    return await asyncio.to_thread(_identify, await folders())


def _identify(folders: Sequence[Path]) -> frozenset[Folder]:
    return frozenset((str(path), path.stat().st_ino) for path in folders if path.is_dir())
