"""One line across the screen: header, footer, status, summary. It repaints only when its text changed."""

from textual.strip import Strip
from textual.widget import Widget

from clown_tui.state.rows import Line
from clown_tui.widgets.palette import Look, palette_of
from clown_tui.widgets.strips import line_segments


class LineBar(Widget):
    """Shows one line of cells."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "LineBar { height: 1; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.line: Line = ()

    def set_line(self, line: Line) -> None:
        """Show this line."""
        if line != self.line:
            self.line = line
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint the line; whatever is below it is blank."""
        palette = palette_of(self.app.theme_variables)
        line = self.line if y == 0 else ()
        return Strip(line_segments(line, self.size.width, palette, Look.NORMAL), self.size.width)
