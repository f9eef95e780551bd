"""Connections on which nobody was let in yet: how many there may be at once.

Every user of the machine can open connections and say nothing, or be refused and stay. Each costs a file descriptor,
and a daemon without any left can neither take a call nor write a file. So they are bounded: when one too many comes,
the one that has been here longest is cut. Who has something to say is let in long before that.
"""

from typing import Protocol

from clown_daemon.api.refusals import Refusals
from clown_daemon.protocol.problems import ProblemCode

MOST_STRANGERS = 300
"""More than the streams that come back at the same time after a restart (256)."""


class Stranger(Protocol):
    """A connection."""

    def cut(self) -> None:
        """End it at once."""


class Strangers:
    """The connections. For the event loop alone."""

    def __init__(self, refusals: Refusals, *, most: int = MOST_STRANGERS) -> None:
        """Begin with none; the ones that are cut are counted as refused."""
        self._refusals = refusals
        self._most = most
        # A dict, because it remembers who came first.
        self._here: dict[Stranger, None] = {}

    def add(self, connection: Stranger) -> None:
        """Take one in, and cut the oldest if that is one too many."""
        self._here[connection] = None
        if len(self._here) > self._most:
            oldest = next(iter(self._here))
            del self._here[oldest]
            self._refusals.count(ProblemCode.TOO_MANY_CONNECTIONS)
            oldest.cut()

    def remove(self, connection: Stranger) -> None:
        """Count it no longer: it was let in, or it is gone; twice does no harm."""
        self._here.pop(connection, None)
