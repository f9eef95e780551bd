"""What a filter sees of a row, a line and an event."""

from collections.abc import Sequence

from clown_daemon.protocol.events import UsageUpdated, profile_of
from clown_tui.formatting import NANOS, clean
from clown_tui.state.event_log import Entry, EventEntry, GapEntry, MarkEntry
from clown_tui.state.event_words import level_of, subject
from clown_tui.state.filters import Filter, Record
from clown_tui.state.rows import Column, Line, Row
from clown_tui.state.selectors.events import entry_words, gap_line

_TITLES = {"NAME": "profile", "PROFILE": "profile", "AGENT": "agent", "MODEL": "model", "STATE": "state"}


def row_record(row: Row, columns: Sequence[Column]) -> Record:
    """See a row as a filter does: its texts by the titles of their columns, and its cost where that is known."""
    titled = [(column.title, cell.text) for column, cell in zip(columns, row.cells, strict=False)]
    fields = {_TITLES[title]: text for title, text in titled if title in _TITLES}
    costs = [text for title, text in titled if title == "COST"]
    return Record(text=" ".join(text for _, text in titled), fields=fields, numbers=_shown_cost(costs))


def _shown_cost(texts: Sequence[str]) -> dict[str, float]:
    for text in texts:
        bare = text.lstrip("~<").replace("$", "").replace(",", "")
        try:
            return {"cost": float(bare)}
        except ValueError:
            return {}
    return {}


def entry_record(entry: Entry) -> Record:
    """See a line of the log as a filter does."""
    match entry:
        case GapEntry():
            text = gap_line(entry.away_seconds, entry.missed)
            return Record(text=text, fields={"type": "Gap", "level": "warn"}, at_ms=entry.at_ms)
        case MarkEntry():
            return Record(text=clean(entry.label), fields={"type": "Mark", "level": "info"}, at_ms=entry.at_ms)
        case EventEntry():
            return _event_record(entry)


def _event_record(entry: EventEntry) -> Record:
    event = entry.event
    about = subject(event)
    fields = {"type": event.type, "level": level_of(event).name.lower()}
    data = event.data
    if not isinstance(data, dict):
        if alias := profile_of(data):
            fields["profile"] = alias
        if event.type.startswith("Proxy"):
            fields["proxy"] = about
        agent = about if event.type.startswith("Agent") else getattr(data, "agent_id", None)
        if agent:
            fields["agent"] = agent
        model = ", ".join(data.models) if isinstance(data, UsageUpdated) else getattr(data, "model", None)
        if model:
            fields["model"] = model
    return Record(
        text=f"{event.type} {about} {entry_words(entry)}", fields=fields, numbers=_numbers(entry), at_ms=entry.at_ms
    )


def _numbers(entry: EventEntry) -> dict[str, float]:
    if not isinstance(entry.event.data, UsageUpdated):
        return {}
    numbers = {"tokens": float(entry.tokens)}
    if entry.unpriced < entry.count:
        numbers["cost"] = entry.nanos / NANOS
    return numbers


def filter_rows(rows: Sequence[Row], columns: Sequence[Column], wanted: Filter) -> tuple[Row, ...]:
    """Keep the rows that a filter wants."""
    return tuple(row for row in rows if wanted.matches(row_record(row, columns))) if wanted else tuple(rows)


def filter_lines(lines: Sequence[Line], wanted: Filter) -> tuple[Line, ...]:
    """Keep the lines that a filter wants."""
    if not wanted:
        return tuple(lines)
    return tuple(line for line in lines if wanted.matches(Record(text="".join(cell.text for cell in line))))
