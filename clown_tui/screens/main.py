"""The main screen: five panes, laid out in steps by the size of the terminal. It shows pictures and posts intents.

What a person chose (focus, full screen, cursor) lives here and in the widgets; what the daemon said comes in a
`Picture` and is only compared and painted.
"""

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from clown_tui.messages import PaneChosen
from clown_tui.screens.picture import Picture
from clown_tui.state.panes import PANES, Pane
from clown_tui.widgets.event_view import EventView
from clown_tui.widgets.line_bar import LineBar
from clown_tui.widgets.lines_view import LinesView
from clown_tui.widgets.live_table import LiveTable
from clown_tui.widgets.pane import PaneWidget
from clown_tui.widgets.tab_strip import TabStrip

STEPS = ("-grid", "-tabs", "-narrow", "-summary")


def step_of(width: int, height: int) -> str:
    """Answer how a terminal of this size is laid out."""
    if width < 40 or height < 8:
        return "-summary"
    if width < 60:
        return "-narrow"
    return "-grid" if width >= 100 and height >= 30 else "-tabs"


class MainScreen(Screen[None]):
    """Five panes, a header, a status line and a footer."""

    AUTO_FOCUS = None

    def __init__(self, *, pane: Pane = Pane.PROFILES, full: bool = False) -> None:
        super().__init__()
        self.pane = pane
        self.full = full
        self.picture: Picture | None = None

    # -- the tree

    def compose(self) -> ComposeResult:
        yield LineBar(id="header")
        yield TabStrip(id="tabs")
        yield LineBar(id="summary")
        yield LinesView(id="card")
        with Container(id="panes"):
            # In the order of the grid's cells; the numbers of the panes are another order.
            yield LiveTable((), id=Pane.PROFILES.value)
            yield LinesView(id=Pane.COST.value)
            yield LiveTable((), id=Pane.PROXIES.value)
            yield LinesView(id=Pane.REGISTRY.value)
            yield EventView((), id=Pane.EVENTS.value)
        yield EventView((), id="tail")
        yield LineBar(id="status")
        yield LineBar(id="footer")

    def on_mount(self) -> None:
        """Find the widgets once; they live as long as the screen."""
        self._bars: Mapping[str, LineBar] = {
            name: self.query_one(f"#{name}", LineBar) for name in ("header", "summary", "status", "footer")
        }
        self._tabs = self.query_one(TabStrip)
        self._card = self.query_one("#card", LinesView)
        self._tail = self.query_one("#tail", EventView)
        self._tail.can_focus = False
        self._card.can_focus = False
        self.panes: Mapping[Pane, PaneWidget] = {pane: self.query_one(f"#{pane.value}", PaneWidget) for pane in PANES}
        self._arrange(self.app.size.width, self.app.size.height)
        self._activate()

    # -- showing

    def show(self, picture: Picture) -> None:
        """Show a picture; only what differs is repainted."""
        self.picture = picture
        self.set_class(bool(picture.card), "-card")
        for name in ("header", "status", "footer", "summary"):
            self._bars[name].set_line(getattr(picture, name))
        self._tabs.set_tabs(picture.tabs, self.pane.number)
        self._card.set_lines(picture.card)
        for pane, frame in picture.frames.items():
            widget = self.panes[pane]
            widget.set_frame(frame.title, frame.summary, frame.note, stale=frame.stale)
        for pane, table in picture.tables.items():
            widget = self.panes[pane]
            if isinstance(widget, LiveTable):
                widget.set_columns(table.columns)
                widget.set_rows(table.rows, table.empty)
        for pane, lines in picture.texts.items():
            widget = self.panes[pane]
            if isinstance(widget, LinesView):
                widget.set_lines(lines)
        self._show_events(picture)

    def _show_events(self, picture: Picture) -> None:
        log = picture.events
        views = [self.event_view]
        if self._tail.display:
            frame = picture.frames[Pane.EVENTS]
            self._tail.set_frame(frame.title, "FOLLOW", "", stale=frame.stale)
            views.append(self._tail)
        for view in views:
            view.set_columns(log.columns)
            view.set_source(log.source, log.empty)

    @property
    def event_view(self) -> EventView:
        """The event log's view."""
        view = self.panes[Pane.EVENTS]
        assert isinstance(view, EventView)  # our own tree
        return view

    @property
    def active(self) -> PaneWidget:
        """The focused pane."""
        return self.panes[self.pane]

    # -- arranging

    def on_resize(self, event: events.Resize) -> None:
        """Choose the step for the new size."""
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int, height: int) -> None:
        step = step_of(width, height)
        for name in STEPS:
            self.set_class(name == step, name)
        self._mark()
        for widget in self.panes.values():
            widget.set_framed(framed=step != "-narrow")

    def _activate(self) -> None:
        self.active.focus()
        self._mark()

    def _mark(self) -> None:
        self.set_class(self.full, "-full")
        self.set_class(self.pane is Pane.EVENTS, "-events-active")
        for pane, widget in self.panes.items():
            widget.set_class(pane is self.pane, "active")
        if self.picture is not None:
            self._tabs.set_tabs(self.picture.tabs, self.pane.number)

    def choose(self, pane: Pane) -> None:
        """Focus a pane; choosing the focused one again fills the screen with it, or gives the screen back."""
        self.full = not self.full if pane is self.pane else self.full
        self.pane = pane
        self._activate()

    def set_full(self, *, full: bool) -> None:
        """Fill the screen with the focused pane, or give it back."""
        self.full = full
        self._mark()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click or Tab moved the focus: that pane is the active one now."""
        chosen = next((pane for pane, widget in self.panes.items() if widget is event.widget), None)
        if chosen is not None and chosen is not self.pane:
            self.pane = chosen
            self._mark()

    def on_pane_chosen(self, message: PaneChosen) -> None:
        """A tab was clicked."""
        self.choose(PANES[message.number - 1])
