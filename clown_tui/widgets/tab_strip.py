"""The panes as tabs, for screens that show one at a time; alarms in the titles keep nothing hidden."""

from collections.abc import Sequence

from textual import events

from clown_tui.messages import PaneChosen
from clown_tui.state.rows import Cell, Tone
from clown_tui.widgets.line_bar import LineBar
from clown_tui.widgets.strips import width_of


class TabStrip(LineBar):
    """A tab per pane; a click chooses it."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._ends: list[int] = []

    def set_tabs(self, titles: Sequence[Cell], active: int) -> None:
        """Show the tabs, the active one marked; numbers count from 1."""
        cells: list[Cell] = []
        self._ends = []
        used = 0
        for number, title in enumerate(titles, 1):
            here = number == active
            text = f"▌{title.text}▐" if here else f" {title.text} "
            cells.append(Cell(text, Tone.STRONG if here else title.tone))
            used += width_of(text)
            if number not in (active, active - 1) and number < len(titles):
                cells.append(Cell("│", Tone.DIM))
                used += 1
            self._ends.append(used)
        self.set_line(tuple(cells))

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        for number, end in enumerate(self._ends, 1):
            if event.x < end:
                self.post_message(PaneChosen(number))
                return
