"""How often callers were refused, and why: what `/metrics` tells of who tried to come in.

Reasons are problem codes and nothing else, so the table is bounded however many callers are refused.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from clown_daemon.protocol.problems import ProblemCode


class Refusals:
    """Counts refused requests and connections since the daemon started. For the event loop alone."""

    def __init__(self) -> None:
        self._by_reason: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """Count one.

        Args:
            reason: the problem code that the caller was told.

        Raises:
            ValueError: it is no problem code.
        """
        self._by_reason[ProblemCode(reason).value] += 1

    @property
    def by_reason(self) -> Mapping[str, int]:
        """How many for each reason; one that never happened is not in it. A live view."""
        return MappingProxyType(self._by_reason)
