"""The access token as it is now: given once, or read again whenever it may have changed."""

import asyncio
from collections.abc import Callable

TokenSource = str | Callable[[], str | None] | None
"""The token; or what reads it, from a file say, and may block; None is none."""

ACCESS_REFUSED = frozenset({401, 403})
"""Statuses that another token may change."""


class Credentials:
    """Knows the token that was read last, and reads it again when asked."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token = source if isinstance(source, str) else None
        self._read = not callable(source)

    async def current(self) -> str | None:
        """The token that was read last; it is read now if it never was."""
        return self._token if self._read else await self.refresh()

    async def refresh(self) -> str | None:
        """Read the token anew."""
        if callable(self._source):
            self._token = await asyncio.to_thread(self._source)
            self._read = True
        return self._token

    async def changed(self) -> bool:
        """Read the token anew and answer whether it is another one."""
        before = self._token
        return await self.refresh() != before


def bearer(token: str | None) -> dict[str, str]:
    """The header that carries a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}
