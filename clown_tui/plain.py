"""The dashboard without a terminal: one event a line, or one snapshot. Loads neither Textual nor Rich.

Events are subscribed on the server, so a narrow watch costs the daemon and the network nothing else. What concerns the
connection goes to standard error; standard output holds events alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, TextIO

from clown_daemon import __version__
from clown_daemon.client.errors import UnreachableError
from clown_daemon.client.states import ConnectionChanged, EventReceived, GapFound, Message, Phase
from clown_daemon.errors import ClownError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, UnknownEvent
from clown_daemon.protocol.resources import Snapshot
from clown_tui.formatting import cells, clean, clock, fit
from clown_tui.state.event_words import Level, level_of, subject, words
from clown_tui.state.model import Model
from clown_tui.state.panes import Pane
from clown_tui.state.reducer import from_snapshot
from clown_tui.state.rows import Column, Line, Row
from clown_tui.state.selectors import (
    alarms,
    cost_lines,
    empty_lines,
    gap_line,
    profile_columns,
    profile_rows,
    registry_lines,
)

if TYPE_CHECKING:
    from clown_daemon.client.discovery import StartedDaemon
    from clown_daemon.client.sync import Follower

EXIT_OK = 0
EXIT_ERROR = 1

SUMMARY_WIDTH = 78
"""Columns of the text of `--once`: fits every terminal and mail."""

Starter = Callable[[], Awaitable["StartedDaemon"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is to be printed, and until when."""

    url: str
    token: Callable[[], str | None] = lambda: None
    """Reads the access token; asked again for every attempt, since it may be made or replaced meanwhile."""
    start: Starter | None = None
    """Starts a daemon when none answers; None never does."""
    events: Collection[str] | None = None
    """Names, resolved; None is all."""
    as_json: bool = False
    count: int | None = None
    """End after this many events."""
    timeout_seconds: float | None = None
    zone: tzinfo


# -- one event a line -------------------------------------------------------------------------------------------------


async def watch(wanted: Watch, out: TextIO, notices: TextIO) -> int:
    """Print events until enough were seen, time is up, or nobody reads any more; answer the exit code.

    Exit code 1: `count` events did not come within the time. 3: no daemon answers and none may be started.

    Raises:
        ClownError: the daemon refused.
    """
    from clown_daemon.client.sync import Follower  # noqa: PLC0415  # --help starts without it

    printer = _Printer(wanted, out)
    names = None if wanted.events is None else sorted(wanted.events)
    try:
        async with (
            asyncio.timeout(wanted.timeout_seconds),
            Follower(wanted.url, events=names, token=wanted.token, start=wanted.start) as follower,
            contextlib.aclosing(_events(follower, notices)) as batches,
        ):
            async for batch in batches:
                await asyncio.to_thread(printer.write, batch)
                if printer.done:
                    return EXIT_OK
    except TimeoutError:
        return EXIT_OK if wanted.count is None else EXIT_ERROR
    return EXIT_OK


class _Printer:
    """Writes events as lines, and counts them."""

    def __init__(self, wanted: Watch, out: TextIO) -> None:
        self._wanted = wanted
        self._out = out
        self._left = wanted.count

    @property
    def done(self) -> bool:
        return self._left == 0

    def write(self, events: Sequence[Event | UnknownEvent]) -> None:
        """Write a batch at once; a pipe that is slow to be read holds this thread, never the loop."""
        if self._left is not None:
            events = events[: self._left]
            self._left -= len(events)
        self._out.write("".join(f"{self._line(event)}\n" for event in events))
        self._out.flush()

    def _line(self, event: Event | UnknownEvent) -> str:
        return codec.encode(event).decode() if self._wanted.as_json else event_line(event, self._wanted.zone)


def event_line(event: Event | UnknownEvent, zone: tzinfo) -> str:
    """Write an event for people: time, type, subject, what happened; errors and warnings say so."""
    level = level_of(event)
    mark = "" if level is Level.INFO else f"{level.name}  "
    about = fit(subject(event) or "-", 12)
    return (
        f"{clock(event.at_ms, zone, parts=True)}  {fit(clean(event.type), 21)}  {about}  {mark}{words(event)}".rstrip()
    )


async def _events(follower: "Follower", notices: TextIO) -> AsyncGenerator[Sequence[Event | UnknownEvent], None]:
    """Give the events of each batch; say on standard error what became of the connection."""
    was_live = False
    phase = Phase.CONNECTING
    while True:
        batch = await follower.next_batch()
        for message in batch:
            if isinstance(message, ConnectionChanged):
                if message.phase is not phase:
                    _say_phase(message, notices, was_live=was_live)
                phase = message.phase
                was_live = was_live or phase is Phase.LIVE
            elif isinstance(message, GapFound):
                _say(notices, gap_line(message.away_seconds, message.missed))
        if events := _of(batch):
            yield events


def _of(batch: Iterable[Message]) -> list[Event | UnknownEvent]:
    return [message.event for message in batch if isinstance(message, EventReceived)]


def _say_phase(message: ConnectionChanged, notices: TextIO, *, was_live: bool) -> None:
    """Tell what a person at the other end of a pipe must know.

    Raises:
        ClownError: there is no use in waiting.
    """
    reason = message.reason or "the daemon does not answer"
    match message.phase:
        case Phase.FATAL:
            raise ClownError(reason, hint=message.hint)
        case Phase.DOWN if not was_live:
            raise UnreachableError(reason, refused=True, hint=message.hint)
        case Phase.DOWN | Phase.BACKOFF | Phase.STOPPED:
            _say(notices, f"{reason}; trying again")
        case Phase.STARTING:
            _say(notices, "starting a daemon")
        case _:
            pass


def _say(notices: TextIO, sentence: str) -> None:
    notices.write(f"clown-tui: {clean(sentence)}\n")
    notices.flush()


# -- one snapshot -----------------------------------------------------------------------------------------------------


async def once(wanted: Watch, out: TextIO, now_ms: Callable[[], int]) -> int:
    """Print the daemon's whole state once.

    Raises:
        ClownError: the daemon does not answer and none may be started, or it refused.
    """
    async with asyncio.timeout(wanted.timeout_seconds):
        snapshot, url = await _snapshot(wanted)
    text = codec.encode(snapshot).decode() if wanted.as_json else "\n".join(summary(snapshot, now_ms(), url))
    out.write(f"{text}\n")
    out.flush()
    return EXIT_OK


async def _snapshot(wanted: Watch) -> tuple[Snapshot, str]:
    from clown_daemon.client.api import DaemonApi  # noqa: PLC0415  # --help starts without it

    try:
        async with DaemonApi(wanted.url, token=wanted.token) as api:
            return await api.snapshot(), wanted.url
    except UnreachableError as error:
        if wanted.start is None or not error.refused:
            raise
    started = await wanted.start()
    async with DaemonApi(started.url, token=wanted.token) as api:
        return await api.snapshot(), started.url


def summary(snapshot: Snapshot, now_ms: int, url: str) -> tuple[str, ...]:
    """Write a snapshot for people: the daemon, profiles, cost, agents, and what is broken."""
    model = from_snapshot(Model(own_version=__version__), snapshot, now_ms)
    rows = profile_rows(model, now_ms)
    profiles = table(rows, profile_columns(model)) if rows else _texts(empty_lines(model, Pane.PROFILES))
    broken = tuple(f"▲ {alarm.text}" for alarm in alarms(model, now_ms))
    skew = f", this is {__version__}: clown-daemon restart" if model.skewed else ""
    when = f"{clock(snapshot.at_ms, model.zone)} {clean(model.time_zone)}"
    return (
        f"daemon {clean(snapshot.daemon.version)} on {clean(url)}, {when}{skew}",
        *broken,
        "",
        *profiles,
        "",
        *_texts(cost_lines(model, now_ms, SUMMARY_WIDTH)),
        "",
        *_texts(registry_lines(model, now_ms, SUMMARY_WIDTH)),
    )


def _texts(lines: Sequence[Line]) -> tuple[str, ...]:
    return tuple("".join(cell.text for cell in line).rstrip() for line in lines)


def table(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[str, ...]:
    """Lay rows out in columns as wide as their widest text."""
    texts = [[column.title for column in columns], *([cell.text for cell in row.cells] for row in rows)]
    widths = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    return tuple(
        "  ".join(
            fit(text, width, column.align) for text, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in texts
    )
