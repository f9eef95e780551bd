"""Rows that change many times a second: the cursor stays on its row by key, only changed visible rows are repainted."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.segment import Segment
from textual import events

from clown_tui.messages import RowChosen
from clown_tui.state.rows import Cell, Column, Line, Row, Tone
from clown_tui.widgets.palette import Look
from clown_tui.widgets.pane import PaneWidget, Text
from clown_tui.widgets.strips import Layout, lay_out, row_segments, title_segments


class RowSource(Protocol):
    """Rows that are made when they are seen."""

    def __len__(self) -> int: ...

    def window(self, start: int, stop: int) -> Sequence[Row]:
        """Make the rows from `start` up to `stop`."""

    def key_at(self, index: int) -> str:
        """Answer the key of one row."""

    def index_of(self, key: str) -> int | None:
        """Answer where a key stands; None when it is gone."""


class FixedRows:
    """Rows that all exist."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def window(self, start: int, stop: int) -> Sequence[Row]:
        return self.rows[start:stop]

    def key_at(self, index: int) -> str:
        return self.rows[index].key

    def index_of(self, key: str) -> int | None:
        return next((index for index, row in enumerate(self.rows) if row.key == key), None)


@dataclass(frozen=True, slots=True)
class _Titles:
    layout: Layout
    look: Look


@dataclass(frozen=True, slots=True)
class _Painted:
    row: Row
    layout: Layout
    look: Look


class LiveTable(PaneWidget):
    """A table for rows that change often."""

    def __init__(self, columns: Sequence[Column], *, id: str, titles: bool = True) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.source: RowSource = FixedRows(())
        self.cursor_key: str | None = None
        self._index = 0
        self._top = 0
        self._moved = False
        """Until somebody moves it the cursor stays on the first row, whichever that is."""
        self._titles = titles
        self._empty: tuple[Line, ...] = ()
        self._layouts: dict[int, Layout] = {}

    # -- what the screen sets

    def set_rows(self, rows: Sequence[Row], empty: Sequence[Line] = ()) -> None:
        """Show these rows; `empty` says the fact, the reason and the cure where there are none."""
        self.set_source(FixedRows(rows), empty)

    def set_source(self, source: RowSource, empty: Sequence[Line] = ()) -> None:
        """Show rows that are made when seen."""
        self.source = source
        self._empty = tuple(empty)
        self._find_cursor()
        self._keep_in_sight()
        self.update()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._layouts.clear()
            self.update()

    # -- the cursor

    @property
    def rows_height(self) -> int:
        """Lines for rows."""
        return max(0, self.body_height - (1 if self._titles else 0))

    def move(self, delta: int) -> None:
        """Move the cursor by rows."""
        self.move_to(self._index + delta)

    def move_to(self, index: int) -> None:
        """Move the cursor to a row; the nearest there is."""
        if not len(self.source):
            return
        self._moved = True
        self._index = max(0, min(index, len(self.source) - 1))
        self.cursor_key = self.source.key_at(self._index)
        self._keep_in_sight()
        self.update()

    def page(self, pages: int) -> None:
        """Move by a page."""
        self.move(pages * max(1, self.rows_height - 1))

    def to_top(self) -> None:
        """Move to the first row."""
        self.move_to(0)

    def to_bottom(self) -> None:
        """Move to the last row."""
        self.move_to(len(self.source) - 1)

    def _find_cursor(self) -> None:
        count = len(self.source)
        if not count:
            self._index = 0
            return
        if self.cursor_key is None or not self._moved:
            self._index = 0
            self.cursor_key = self.source.key_at(0)
        if self._index < count and self.source.key_at(self._index) == self.cursor_key:
            return
        found = self.source.index_of(self.cursor_key)
        if found is None:
            # The row is gone: its neighbour takes the cursor, so that repeated keys do not jump to the top.
            found = min(self._index, count - 1)
            self.cursor_key = self.source.key_at(found)
        self._index = found

    def _keep_in_sight(self) -> None:
        height = self.rows_height
        last = max(0, len(self.source) - height)
        if self._index < self._top:
            self._top = self._index
        elif height and self._index >= self._top + height:
            self._top = self._index - height + 1
        self._top = max(0, min(self._top, last))

    # -- painting

    def _layout(self) -> Layout:
        width = self.body_width
        if width not in self._layouts:
            self._layouts[width] = lay_out(self.columns, width)
        return self._layouts[width]

    def describe_body(self, height: int) -> Sequence[Hashable]:
        if not len(self.source):
            return [Text(line, self.data_look) for line in (*self._blank_above(height), *self._empty)]
        layout = self._layout()
        lines: list[Hashable] = [_Titles(layout, self.data_look)] if self._titles else []
        start = self._top
        for index, row in enumerate(self.source.window(start, start + self.rows_height), start):
            lines.append(_Painted(row, layout, self._look(index)))
        return lines

    def _blank_above(self, height: int) -> tuple[Line, ...]:
        return ((Cell("", Tone.PLAIN),),) if height > len(self._empty) + 2 else ()

    def _look(self, index: int) -> Look:
        if index != self._index:
            return self.data_look
        if self.has_focus:
            return Look.CURSOR
        return self.data_look

    def paint_body(self, line: Hashable, width: int) -> list[Segment]:
        if isinstance(line, _Titles):
            return title_segments(self.columns, line.layout, width, self.palette, line.look)
        if isinstance(line, _Painted):
            return row_segments(line.row, self.columns, line.layout, width, self.palette, line.look)
        return []

    def thumb(self, height: int) -> range:
        count, rows = len(self.source), self.rows_height
        if count <= rows or rows <= 0:
            return range(0)
        size = max(1, rows * rows // count)
        first = (height - rows) + self._top * (rows - size) // max(1, count - rows)
        return range(first, first + size)

    # -- mouse

    def on_resize(self, event: events.Resize) -> None:
        self._keep_in_sight()
        super().on_resize(event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)

    def on_click(self, event: events.Click) -> None:
        line = event.y - self.body_top - (1 if self._titles else 0)
        index = self._top + line
        if line < 0 or index >= len(self.source):
            return
        if index == self._index and event.chain == 2 and self.cursor_key is not None:  # a double click
            self.post_message(RowChosen(self.id or "", self.cursor_key))
        self.move_to(index)
