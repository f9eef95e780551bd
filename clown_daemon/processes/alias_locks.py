"""One lock per profile: commands on the same alias take turns, those on different ones do not wait for each other."""

import asyncio
from weakref import WeakValueDictionary


class AliasLocks:
    """The locks; one exists as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, alias: str) -> asyncio.Lock:
        """The lock of a profile; names that differ in case alone share one, since they would share a home."""
        return self._locks.setdefault(alias.casefold(), asyncio.Lock())
