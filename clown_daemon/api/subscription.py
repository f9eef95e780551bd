"""What one client of the stream wants, and how much it may say: pure, so each rule is a test without a socket."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from clown_daemon.protocol.codec import DecodeError
from clown_daemon.protocol.events import CATALOGUE, EVENT_NAMES
from clown_daemon.protocol.names import resolve_names
from clown_daemon.protocol.stream import ERRORS_PER_MINUTE, MAX_NAMES, MESSAGE_BURST, MESSAGES_PER_SECOND

MAX_NAME_LENGTH = 100
"""Longer than any name or useful glob; matching is not done on more."""

ALL = frozenset(EVENT_NAMES)
DOCUMENTED = frozenset(kind.name for kind in CATALOGUE if kind.documented)
"""What a plain client gets: a client that was written to the reference page never meets another type."""


@dataclass(frozen=True)
class Subscription:
    """The event types a client wants. The first subscribe narrows, later ones add, `["*"]` restores all."""

    names: frozenset[str] = ALL
    narrowed: bool = False

    @property
    def filter(self) -> frozenset[str] | None:
        """The names to let through, None for all."""
        return None if self.names == ALL else self.names

    @property
    def listed(self) -> tuple[str, ...]:
        """The names in the order of the catalogue."""
        return tuple(name for name in EVENT_NAMES if name in self.names)

    def subscribe(self, patterns: Sequence[str]) -> "Subscription":
        """Answer the subscription after a `subscribe`.

        Raises:
            DecodeError: `too_many_names` or `invalid_field`.
            UnknownNameError: a pattern matches nothing.
        """
        asked = resolve(patterns)
        if "*" in patterns:
            return Subscription()
        return Subscription(self.names | asked if self.narrowed else asked, narrowed=True)

    def unsubscribe(self, patterns: Sequence[str]) -> "Subscription":
        """Answer the subscription after an `unsubscribe`; raises as `subscribe` does."""
        return Subscription(self.names - resolve(patterns), narrowed=True)


def resolve(patterns: Sequence[str]) -> frozenset[str]:
    """Resolve names, globs and groups of a client, within bounds.

    Raises:
        DecodeError: `too_many_names`, or `invalid_field` for none at all or one that is too long.
        UnknownNameError: a pattern matches nothing.
    """
    if not patterns:
        raise DecodeError("invalid_field", "events names nothing", field="events", hint='use ["*"] for all')
    if len(patterns) > MAX_NAMES:
        raise DecodeError("too_many_names", f"a subscription holds at most {MAX_NAMES} names", field="events")
    for index, pattern in enumerate(patterns):
        if len(pattern) > MAX_NAME_LENGTH:
            raise DecodeError("invalid_field", "a name is at most 100 characters long", field=f"events[{index}]")
    return resolve_names(patterns, EVENT_NAMES)


class Allowance:
    """How much a client may still say: messages a second with a burst, and errors a minute. Times are seconds."""

    def __init__(self, now: float) -> None:
        self._left = float(MESSAGE_BURST)
        self._at = now
        self._errors: deque[float] = deque(maxlen=ERRORS_PER_MINUTE + 1)

    def take(self, now: float) -> int:
        """Let one message in and answer 0, or answer the milliseconds until the next one may come."""
        self._left = min(float(MESSAGE_BURST), self._left + (now - self._at) * MESSAGES_PER_SECOND)
        self._at = now
        if self._left < 1:
            return max(1, round((1 - self._left) / MESSAGES_PER_SECOND * 1000))
        self._left -= 1
        return 0

    def count_error(self, now: float) -> bool:
        """Count one refused message; True when the client has had more than its share within a minute."""
        self._errors.append(now)
        return len(self._errors) > ERRORS_PER_MINUTE and now - self._errors[0] < 60
