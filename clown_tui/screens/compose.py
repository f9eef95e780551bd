"""The one place where the model becomes a picture: selectors in, frames and rows out. Pure, given the time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from clown_daemon.client.states import Phase
from clown_tui.formatting import clean, plural
from clown_tui.keys import Action, footer_of
from clown_tui.screens.log_rows import LogRows
from clown_tui.screens.picture import Events, Frame, Picture, Table
from clown_tui.screens.view import Order, View
from clown_tui.state.event_log import EventLog
from clown_tui.state.filters import parse
from clown_tui.state.model import Model
from clown_tui.state.panes import PANES, Pane
from clown_tui.state.records import filter_lines, filter_rows
from clown_tui.state.rows import Cell, Column, Line, Row, Tone
from clown_tui.state.selectors import (
    PROFILE_SORTS,
    PROXY_COLUMNS,
    PROXY_SORTS,
    Sort,
    cost_lines,
    profile_columns,
    profile_rows,
    proxy_rows,
    registry_lines,
)
from clown_tui.state.selectors.connection import connection_card
from clown_tui.state.selectors.events import EVENT_COLUMNS
from clown_tui.state.selectors.header import header_line, status_line, summary_line, tab_titles
from clown_tui.state.selectors.titles import empty_lines, pane_summary, pane_title
from clown_tui.widgets.strips import width_of

CostLines = Callable[[Model, int, int, int | None], tuple[Line, ...]]
"""Model, epoch milliseconds, columns and lines in; the lines of the Cost pane out."""


@dataclass(frozen=True, slots=True)
class Now:
    """The time of a picture: wall time for ages, monotonic time for countdowns."""

    ms: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a pane of rows is made with."""

    columns: Callable[[Model], tuple[Column, ...]]
    sorts: tuple[Sort, ...]
    rows: Callable[..., Sequence[Row]]


_KINDS = {
    Pane.PROFILES: _Kind(profile_columns, PROFILE_SORTS, profile_rows),
    Pane.PROXIES: _Kind(lambda _model: PROXY_COLUMNS, PROXY_SORTS, proxy_rows),
}


def picture_of(
    model: Model,
    log: EventLog,
    view: View,
    now: Now,
    *,
    sizes: Mapping[Pane, tuple[int, int]],
    actions: Sequence[Action],
    may_start: bool = True,
    cost: CostLines = cost_lines,
) -> Picture:
    """Answer everything that the main screen shows now.

    Args:
        model: what the daemon said.
        log: the events.
        view: what a person chose to see.
        now: the time that is shown.
        sizes: columns and lines of every pane's body.
        actions: the keys, for the footer.
        may_start: whether starting a daemon is offered.
        cost: makes the Cost pane's lines; one that remembers them saves adding up.
    """
    return Picture(
        header=header_line(model, now.ms, view.width, monotonic=now.monotonic),
        status=(*_chip(view), *status_line(model, now.ms, view.width - _width(_chip(view)), may_start=may_start)),
        footer=_footer(view.pane, actions, view.width),
        summary=summary_line(model, now.ms, view.width),
        tabs=tab_titles(model, now.ms, log.unseen),
        frames={pane: _frame(pane, model, log, view, now) for pane in PANES},
        tables={pane: _table(pane, kind, model, view, now) for pane, kind in _KINDS.items()},
        texts={pane: _text(pane, model, view, now, sizes[pane], cost) for pane in (Pane.COST, Pane.REGISTRY)},
        events=Events(
            columns=EVENT_COLUMNS,
            source=LogRows(log, model.zone, view.times, now.ms),
            empty=_no_events(model, log, view),
        ),
        card=_card(model, may_start=may_start),
    )


def _card(model: Model, *, may_start: bool) -> tuple[Line, ...]:
    """The panes stand while the first attempt is under way, so that a start with a daemon never flashes a card."""
    first = model.connection.phase in {Phase.CONNECTING, Phase.SYNCING, Phase.STARTING}
    return () if first and not model.connection.attempt else connection_card(model, may_start=may_start)


def _table(pane: Pane, kind: _Kind, model: Model, view: View, now: Now) -> Table:
    columns = kind.columns(model)
    rows = kind.rows(model, now.ms, sort=sort_of(view, pane, kind.sorts))
    wanted = parse(view.filters.get(pane, ""))
    found = filter_rows(rows, columns, wanted) if wanted else rows
    empty = empty_lines(model, pane, filtered=len(rows) if rows and wanted else None)
    return Table(columns=columns, rows=found, empty=empty)


def _no_events(model: Model, log: EventLog, view: View) -> tuple[Line, ...]:
    if log.held and log.unseen:
        key = "space" if view.frozen else "F"
        return ((Cell(f"{plural(log.unseen, 'unseen event')}: "), Cell(key, Tone.ACCENT), Cell(" shows what came")),)
    narrowed = view.chip or view.errors_only or view.filters.get(Pane.EVENTS)
    return empty_lines(model, Pane.EVENTS, filtered=log.total if narrowed else None)


def _text(pane: Pane, model: Model, view: View, now: Now, size: tuple[int, int], cost: CostLines) -> tuple[Line, ...]:
    width, height = size
    wanted = parse(view.filters.get(pane, ""))
    if pane is Pane.REGISTRY:
        lines = registry_lines(model, now.ms, width)
    else:
        # A filter looks at all there is, also at what the height leaves out.
        lines = cost(model, now.ms, width, None if wanted else height)
    found = filter_lines(lines, wanted)
    return found or empty_lines(model, pane, filtered=len(lines))


def sort_of(view: View, pane: Pane, sorts: Sequence[Sort]) -> Sort:
    """Answer the order that a person chose."""
    order = view.orders.get(pane, Order())
    chosen = sorts[order.place % len(sorts)]
    return replace(chosen, descending=chosen.descending != order.inverted)


def _frame(pane: Pane, model: Model, log: EventLog, view: View, now: Now) -> Frame:
    return Frame(
        title=pane_title(model, pane),
        summary=pane_summary(model, pane, now.ms, log),
        note=_note(pane, view),
        stale=model.known and not model.live,
    )


def _note(pane: Pane, view: View) -> str:
    filtered = view.filters.get(pane, "")
    notes = [f"/ {clean(filtered)}"] if filtered else []
    if pane in _KINDS:
        notes.append(sort_of(view, pane, _KINDS[pane].sorts).words())
    if pane is Pane.EVENTS:
        notes += [*(["! errors only"] if view.errors_only else []), *([view.chip] if view.chip else [])]
    return " · ".join(notes)


def _chip(view: View) -> Line:
    if view.fault:
        return (Cell(f" ✗ filter, {clean(view.fault)} ", Tone.BAD),)
    return (Cell(f" [{clean(view.chip)}] Esc shows everything ", Tone.ACCENT),) if view.chip else ()


def _footer(pane: Pane, actions: Sequence[Action], width: int) -> Line:
    cells: list[Cell] = [Cell(" ")]
    for key, label in footer_of(pane, actions):
        entry = [Cell(key, Tone.ACCENT), Cell(f" {label}  ", Tone.DIM)]
        if _width(cells) + _width(entry) > width:
            break
        cells += entry
    return tuple(cells)


def _width(line: Sequence[Cell]) -> int:
    return sum(width_of(cell.text) for cell in line)
