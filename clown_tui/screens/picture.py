"""All that the main screen shows at one instant: frozen, made from the model, so that the screen knows no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clown_tui.state.panes import Pane
from clown_tui.state.rows import Cell, Column, Line, Row
from clown_tui.widgets.live_table import RowSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The texts in a pane's frame, and whether its data is current."""

    title: str
    summary: str = ""
    note: str = ""
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A pane of rows that all exist."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: Sequence[Line] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The event log; its rows are made when they are seen."""

    columns: Sequence[Column]
    source: RowSource
    empty: Sequence[Line] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything on the main screen."""

    header: Line
    status: Line
    footer: Line
    summary: Line
    tabs: Sequence[Cell]
    frames: Mapping[Pane, Frame]
    tables: Mapping[Pane, Table]
    texts: Mapping[Pane, Sequence[Line]]
    events: Events
    card: Sequence[Line] = ()
    """What to say instead of the panes, while there has never been a daemon; empty otherwise."""
