"""What happened: the newest 20,000 lines, typed, rendered only when somebody looks.

Consecutive `UsageUpdated` of one profile within 2 seconds become one line with sums; errors never collapse. The
filtered view grows with the log: an event is matched once, when it comes, and again only when its line changes.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from clown_daemon.client.states import EventReceived, GapFound, Message
from clown_daemon.protocol.events import Event, UnknownEvent, UsageUpdated
from clown_tui.formatting import nanos
from clown_tui.state.event_words import Level, level_of

CAPACITY = 20_000
COLLAPSE_MS = 2_000
KEPT_OF_A_LINE = 100
"""How many events of a collapsed line are kept for its details, the newest."""


class EventEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line: an event, or several of one kind."""

    number: int
    """Counts up; a line keeps its number while it grows."""
    at_ms: int
    """When the newest event of the line happened."""
    first_ms: int
    event: Event | UnknownEvent
    """The newest one."""
    count: int = 1
    tokens: int = 0
    """Sum over a line of `UsageUpdated`; 0 for others."""
    nanos: int = 0
    """Sum of what has a price, nano-dollars."""
    unpriced: int = 0
    """Events of the line without any known price."""
    earlier: tuple[Event, ...] = ()
    """Older events of the line, oldest first, the newest 100 of them."""


class GapEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The connection was away here."""

    number: int
    at_ms: int
    away_seconds: float
    missed: int | None


class MarkEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A person's mark."""

    number: int
    at_ms: int
    label: str


Entry: TypeAlias = EventEntry | GapEntry | MarkEntry
Accepts: TypeAlias = Callable[[Entry], bool]


class EventLog:
    """The bounded log and the view on it. Not shared between threads."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: list[Entry] = []
        self._next = 0
        self._accepts: Accepts | None = None
        self._visible: list[int] = []
        """Numbers of the lines that the filter accepts; unused without one."""
        self._frozen: list[Entry] | None = None
        self._open = True
        """False when the last line must not grow any more."""
        self.total = 0
        """Events that ever came."""
        self.unseen = 0
        """Matching events that came while the view was held."""
        self.held = False

    # -- what comes in ------------------------------------------------------------------------------------------------

    def extend(self, messages: Sequence[Message]) -> bool:
        """Add what happened; answer whether there was anything for the log."""
        before = self._next, self.total
        for message in messages:
            if isinstance(message, EventReceived):
                self._event(message.event)
            elif isinstance(message, GapFound):
                self._append(
                    GapEntry(
                        number=self._next,
                        at_ms=message.at_ms,
                        away_seconds=message.away_seconds,
                        missed=message.missed,
                    )
                )
        self._trim()
        return before != (self._next, self.total)

    def mark(self, at_ms: int, label: str = "mark") -> None:
        """Draw a line across the log."""
        self._append(MarkEntry(number=self._next, at_ms=at_ms, label=label))
        self._trim()

    def _event(self, event: Event | UnknownEvent) -> None:
        self.total += 1
        data = event.data
        if not isinstance(data, UsageUpdated) or not isinstance(event, Event):
            self._append(EventEntry(number=self._next, at_ms=event.at_ms, first_ms=event.at_ms, event=event))
            return
        cost = data.cost.total_cost
        tokens, money, unpriced = data.tokens.total, nanos(cost or 0.0), int(cost is None)
        last = self._entries[-1] if self._entries and self._open else None
        if not isinstance(last, EventEntry) or not _joins(last, event, data):
            self._append(
                EventEntry(
                    number=self._next,
                    at_ms=event.at_ms,
                    first_ms=event.at_ms,
                    event=event,
                    tokens=tokens,
                    nanos=money,
                    unpriced=unpriced,
                )
            )
            return
        self._replace_last(
            EventEntry(
                number=last.number,
                at_ms=event.at_ms,
                first_ms=last.first_ms,
                event=event,
                count=last.count + 1,
                tokens=last.tokens + tokens,
                nanos=last.nanos + money,
                unpriced=last.unpriced + unpriced,
                earlier=_with(last.earlier, last.event),
            )
        )

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._next += 1
        self._open = True
        accepted = self._accepts is None or self._accepts(entry)
        if accepted and self._accepts is not None:
            self._visible.append(entry.number)
        self._count_unseen(entry, accepted=accepted)

    def _replace_last(self, entry: EventEntry) -> None:
        self._entries[-1] = entry
        accepted = self._accepts is None or self._accepts(entry)
        if self._accepts is not None:
            listed = bool(self._visible) and self._visible[-1] == entry.number
            if accepted and not listed:
                self._visible.append(entry.number)
            elif listed and not accepted:
                self._visible.pop()
        self._count_unseen(entry, accepted=accepted)

    def _count_unseen(self, entry: Entry, *, accepted: bool) -> None:
        if self.held and accepted and isinstance(entry, EventEntry):
            self.unseen += 1

    def _trim(self) -> None:
        """Drop what is too old, a thousand lines at a time: taking from the front of a list moves all the rest."""
        over = len(self._entries) - self._capacity
        if over > min(1000, self._capacity // 10):
            del self._entries[:over]
            del self._visible[: bisect_left(self._visible, self._entries[0].number)]

    # -- what is seen -------------------------------------------------------------------------------------------------

    def set_filter(self, accepts: Accepts | None) -> None:
        """Narrow the view; None shows everything. Matches every line once."""
        self._accepts = accepts
        self._visible = [] if accepts is None else [entry.number for entry in self._entries if accepts(entry)]

    def hold(self, *, freeze: bool) -> None:
        """Count what comes from now on as unseen; with `freeze` the view also stays as it is."""
        if not self.held:
            self.held, self.unseen = True, 0
        if freeze and self._frozen is None:
            self._frozen = self._current()
            self._open = False
        elif not freeze:
            self._frozen = None

    def release(self) -> None:
        """Show everything again, and begin to count anew."""
        self.held, self.unseen, self._frozen = False, 0, None

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def __len__(self) -> int:
        """Answer how many lines the view has."""
        if self._frozen is not None:
            return len(self._frozen)
        if self._accepts is not None:
            return len(self._visible) - self._hidden()
        return min(len(self._entries), self._capacity)

    def __getitem__(self, index: int) -> Entry:
        """Answer a line of the view, 0 the oldest, -1 the newest.

        Raises:
            IndexError: the view has no such line.
        """
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._frozen is not None:
            return self._frozen[index]
        if self._accepts is not None:
            return self._entries[self._visible[index + self._hidden()] - self._entries[0].number]
        return self._entries[index + max(0, len(self._entries) - self._capacity)]

    def index_of(self, number: int) -> int | None:
        """Answer where a line stands in the view, or None."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self[middle].number < number:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self[low].number == number else None

    def find(self, number: int) -> Entry | None:
        """Answer a line by its number, whether the view shows it or not; None when it is gone."""
        for entries in (self._entries, self._frozen or ()):
            if entries and 0 <= (index := number - entries[0].number) < len(entries):
                entry = entries[index]
                if entry.number == number:
                    return entry
        position = self.index_of(number)
        return None if position is None else self[position]

    def latest(self, accepts: Accepts, limit: int = 10) -> tuple[Entry, ...]:
        """Answer the newest lines that are accepted, newest first; looks at the last 5,000."""
        found: list[Entry] = []
        for entry in reversed(self._entries[-5000:]):
            if accepts(entry):
                found.append(entry)
                if len(found) == limit:
                    break
        return tuple(found)

    def _current(self) -> list[Entry]:
        return [self[index] for index in range(len(self))]

    def _hidden(self) -> int:
        """Count listed lines that are over the capacity and wait to be dropped."""
        over = len(self._entries) - self._capacity
        return bisect_left(self._visible, self._entries[over].number) if over > 0 else 0


def _joins(last: EventEntry, event: Event, data: UsageUpdated) -> bool:
    before = last.event.data
    return (
        isinstance(before, UsageUpdated)
        and before.profile == data.profile
        and before.imported == data.imported
        and 0 <= event.at_ms - last.first_ms <= COLLAPSE_MS
    )


def _with(earlier: tuple[Event, ...], event: Event | UnknownEvent) -> tuple[Event, ...]:
    return (*earlier[1 - KEPT_OF_A_LINE :], event) if isinstance(event, Event) else earlier


def is_error(entry: Entry) -> bool:
    """Tell whether a line is an error; what the errors-only view accepts besides gaps."""
    return isinstance(entry, EventEntry) and level_of(entry.event) is Level.ERROR
