"""Lines of text in a pane: cost, registry, details. They scroll when they do not fit."""

from collections.abc import Hashable, Sequence

from rich.segment import Segment
from textual import events

from clown_tui.state.rows import Line
from clown_tui.state.selectors.layout import wrap
from clown_tui.widgets.pane import PaneWidget, Text


class LinesView(PaneWidget):
    """Shows lines of cells."""

    def __init__(self, *, id: str, wraps: bool = False) -> None:  # noqa: A002  # Textual's own name
        """Make it; with `wraps` a line that is too long is broken instead of cut."""
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()
        self._given: tuple[Line, ...] = ()
        self._wraps = wraps
        self._top = 0

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        self._given = tuple(lines)
        self._fit()
        self.move(0)

    def _fit(self) -> None:
        width = self.body_width
        self.lines = tuple(part for line in self._given for part in wrap(line, width)) if self._wraps else self._given

    def move(self, delta: int) -> None:
        """Scroll by lines."""
        self._top = max(0, min(self._top + delta, len(self.lines) - self.body_height))
        self.update()

    def page(self, pages: int) -> None:
        """Scroll by pages."""
        self.move(pages * max(1, self.body_height - 1))

    def to_top(self) -> None:
        """Show the first line."""
        self.move(-len(self.lines))

    def to_bottom(self) -> None:
        """Show the last line."""
        self.move(len(self.lines))

    def describe_body(self, height: int) -> Sequence[Hashable]:
        return [Text(line, self.data_look) for line in self.lines[self._top : self._top + height]]

    def paint_body(self, line: Hashable, width: int) -> list[Segment]:
        del line, width
        return []

    def thumb(self, height: int) -> range:
        count = len(self.lines)
        if count <= height or height <= 0:
            return range(0)
        size = max(1, height * height // count)
        first = self._top * (height - size) // max(1, count - height)
        return range(first, first + size)

    def on_resize(self, event: events.Resize) -> None:
        self._fit()
        self._top = max(0, min(self._top, len(self.lines) - self.body_height))
        super().on_resize(event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)
