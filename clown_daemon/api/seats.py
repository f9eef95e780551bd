"""How many streams may be open at once, with some places kept for callers who hold the token.

Any program of this user comes in without the token, so it may take every place by mistake or ill will. Whoever can read
the token, as the dashboard does, still finds one.
"""

import contextlib
from collections.abc import Iterator

from clown_daemon.protocol.stream import MAX_CONNECTIONS, RESERVED_CONNECTIONS


class NoSeatError(Exception):
    """Every place that the caller may have is taken."""


class Seats:
    """The places. For the event loop alone."""

    def __init__(self, *, total: int = MAX_CONNECTIONS, reserved: int = RESERVED_CONNECTIONS) -> None:
        """Make the places; `reserved` of `total` are for holders of the token."""
        self._total = total
        self._open_to_all = total - reserved
        self._taken = 0
        self._taken_without_token = 0

    @contextlib.contextmanager
    def taken(self, *, has_token: bool) -> Iterator[None]:
        """Hold a place for the length of the block.

        Raises:
            NoSeatError: there is none for this caller.
        """
        if self._taken >= self._total or (not has_token and self._taken_without_token >= self._open_to_all):
            raise NoSeatError
        self._taken += 1
        self._taken_without_token += not has_token
        try:
            yield
        finally:
            self._taken -= 1
            self._taken_without_token -= not has_token
