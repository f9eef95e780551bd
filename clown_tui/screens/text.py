"""A text over the dashboard that a person asked for: help, details. Esc closes it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from clown_tui.state.rows import Line
from clown_tui.widgets.lines_view import LinesView


class TextScreen(ModalScreen[None]):
    """Shows lines, scrollable."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "close"),
        Binding("j,down", "move(1)", "down"),
        Binding("k,up", "move(-1)", "up"),
        Binding("pagedown,space", "page(1)", "page down"),
        Binding("pageup", "page(-1)", "page up"),
        Binding("g,home", "ends(True)", "top"),
        Binding("G,end", "ends(False)", "bottom"),
    ]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._heading = title
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        yield LinesView(id="text", wraps=True)

    def on_mount(self) -> None:
        view = self.query_one(LinesView)
        view.set_frame(self._heading, "", "Esc closes · j k scroll")
        view.set_lines(self._lines)
        view.focus()

    def action_close(self) -> None:
        """Go back to the dashboard."""
        self.dismiss()

    def action_move(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(LinesView).move(lines)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        self.query_one(LinesView).page(pages)

    def action_ends(self, top: bool) -> None:
        """Scroll to the first or the last line."""
        view = self.query_one(LinesView)
        if top:
            view.to_top()
        else:
            view.to_bottom()
