"""Rows of the Events pane, made only when they are seen."""

from datetime import UTC, tzinfo
from typing import Literal

from clown_daemon.protocol.events import UsageUpdated
from clown_tui.formatting import ago, clean, clock, dollars, duration, plural
from clown_tui.state.event_log import Entry, EventEntry, GapEntry, MarkEntry
from clown_tui.state.event_words import Level, level_of, subject, usage_words, words
from clown_tui.state.rows import Cell, Column, Row, Tone

EVENT_COLUMNS: tuple[Column, ...] = (
    Column("TIME", 12),
    Column("TYPE", 22),
    Column("", 4, "right", priority=2),
    Column("SUBJECT", 11, priority=1),
    Column("WHAT", 20, stretch=True),
)

Times = Literal["local", "utc", "ago"]

_TONES = {Level.INFO: Tone.PLAIN, Level.WARN: Tone.WARN, Level.ERROR: Tone.BAD}


def event_row(entry: Entry, *, zone: tzinfo, times: Times = "local", now_ms: int = 0) -> Row:
    """Show one line of the log.

    Args:
        entry: the line.
        zone: where `local` times are.
        times: how instants are written.
        now_ms: for `ago`.
    """
    key = str(entry.number)
    match entry:
        case GapEntry():
            return Row(key, (_rule(), Cell(gap_line(entry.away_seconds, entry.missed), Tone.WARN)))
        case MarkEntry():
            return Row(key, (_rule(), Cell(clean(entry.label), Tone.ACCENT)))
        case EventEntry():
            return Row(key, _cells(entry, _time(entry.at_ms, zone, times, now_ms)))


def gap_line(away_seconds: float, missed: int | None) -> str:
    """Write a gap as one sentence: how long, and what was missed (None: it cannot be known)."""
    away = f"reconnected after {duration(away_seconds)}"
    if missed == 0:
        return f"{away} · resumed, nothing was missed"
    if missed is None:
        return f"{away} · state read again · how many events were not seen is unknown"
    return f"{away} · state read again · up to {plural(missed, 'event')} not seen"


def _rule() -> Cell:
    return Cell("─" * 12, Tone.DIM)


def _time(at_ms: int, zone: tzinfo, times: Times, now_ms: int) -> str:
    if times == "ago":
        return ago(at_ms, now_ms)
    return clock(at_ms, UTC if times == "utc" else zone, parts=True)


def _cells(entry: EventEntry, time: str) -> tuple[Cell, ...]:
    tone = _TONES[level_of(entry.event)]
    return (
        Cell(time, Tone.DIM),
        Cell(clean(entry.event.type), tone),
        Cell(f"×{entry.count}" if entry.count > 1 else "", Tone.ACCENT),
        Cell(subject(entry.event) or "-", Tone.PLAIN if subject(entry.event) else Tone.DIM),
        Cell(entry_words(entry), tone),
    )


def entry_words(entry: EventEntry) -> str:
    """Say what happened on a line; sums where it holds several events."""
    data = entry.event.data
    if entry.count == 1 or not isinstance(data, UsageUpdated):
        return words(entry.event)
    cost = "?" if entry.unpriced == entry.count else f"+{dollars(entry.nanos, 4)}"
    if 0 < entry.unpriced < entry.count:
        cost = f"~{cost}"
    return usage_words(entry.tokens, cost, data.models, imported=data.imported)
