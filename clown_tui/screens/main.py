"""The main screen: five panes, laid out in steps by the size of the terminal. It shows pictures and posts intents.

What a person chose (focus, full screen, cursor) lives here and in the widgets; what the daemon said comes in a
`Picture` and is only compared and painted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from clown_tui.keys import ACTIONS, Action
from clown_tui.messages import FilterClosed, FilterTyped, FollowChanged, PaneChosen, ViewChanged
from clown_tui.screens.help import help_screen
from clown_tui.screens.picture import Picture
from clown_tui.screens.view import TIMES, Order, View
from clown_tui.state.filters import FilterError, parse
from clown_tui.state.panes import PANES, Pane
from clown_tui.state.rows import Line
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

    def __init__(self, *, actions: Sequence[Action] = ACTIONS, view: View | None = None, full: bool = False) -> None:
        super().__init__()
        self.actions = tuple(actions)
        self.view = view or View()
        self.full = full
        self.picture: Picture | None = None
        self._actions_by_key = {key: action for action in actions for key in action.keys}

    @property
    def pane(self) -> Pane:
        """The focused pane."""
        return self.view.pane

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

    def show_header(self, line: Line) -> None:
        """Show another first line; nothing else is looked at."""
        self._bars["header"].set_line(line)

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
        self.post_message(ViewChanged())

    def _arrange(self, width: int, height: int) -> None:
        step = step_of(width, height)
        self.view = replace(self.view, width=width)
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
        if pane is self.pane:
            self.full = not self.full
        else:
            self.view = replace(self.view, pane=pane)
        self._activate()
        self.post_message(ViewChanged())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click or Tab moved the focus: that pane is the active one now."""
        chosen = next((pane for pane, widget in self.panes.items() if widget is event.widget), None)
        if chosen is not None and chosen is not self.pane:
            self.view = replace(self.view, pane=chosen)
            self._mark()
            self.post_message(ViewChanged())

    def on_pane_chosen(self, message: PaneChosen) -> None:
        """A tab was clicked."""
        self.choose(PANES[message.number - 1])

    def on_follow_changed(self, message: FollowChanged) -> None:
        """Scrolling up paused the log, or reaching its end let it follow again."""
        message.stop()
        if self.event_view.following != self.view.following:
            self._see(following=self.event_view.following)

    # -- keys

    async def on_key(self, event: events.Key) -> None:
        """Run the action that a key is bound to: here, or in the app."""
        action = self._actions_by_key.get(event.key) or self._actions_by_key.get(event.character or "")
        typing = self.focused is not None and self.focused.id == "filter"
        if typing or action is None or self.pane not in action.panes:
            return
        event.stop()
        event.prevent_default()
        here = hasattr(self, f"action_{action.id}")
        await self.run_action(action.id if here else f"app.{action.id}")

    def _see(self, **choices: Any) -> None:
        self.view = replace(self.view, **choices)
        self.post_message(ViewChanged())

    def action_help(self) -> None:
        self.app.push_screen(help_screen(self.pane, self.actions))

    def action_pane_1(self) -> None:
        self.choose(PANES[0])

    def action_pane_2(self) -> None:
        self.choose(PANES[1])

    def action_pane_3(self) -> None:
        self.choose(PANES[2])

    def action_pane_4(self) -> None:
        self.choose(PANES[3])

    def action_pane_5(self) -> None:
        self.choose(PANES[4])

    def action_next_pane(self) -> None:
        self.choose(PANES[self.pane.number % len(PANES)])

    def action_previous_pane(self) -> None:
        self.choose(PANES[self.pane.number - 2])

    def action_full(self) -> None:
        self.full = not self.full
        self._mark()

    def action_back(self) -> None:
        """One step back: the filter, then the chip of `--events`, then full screen."""
        if self.view.filters.get(self.pane) or (self.pane is Pane.EVENTS and self.view.errors_only):
            self._see(filters={**self.view.filters, self.pane: ""}, errors_only=False)
        elif self.view.chip:
            self.full = False
            self._see(chip="", pane=Pane.PROFILES)
            self._activate()
        elif self.full:
            self.full = False
            self._mark()

    def action_cursor_down(self) -> None:
        self._movable.move(1)

    def action_cursor_up(self) -> None:
        self._movable.move(-1)

    def action_page_down(self) -> None:
        self._movable.page(1)

    def action_page_up(self) -> None:
        self._movable.page(-1)

    def action_top(self) -> None:
        self._movable.to_top()

    def action_bottom(self) -> None:
        self._movable.to_bottom()

    def action_follow(self) -> None:
        self.event_view.follow()
        self._see(following=True, frozen=False)

    def action_freeze(self) -> None:
        self._see(frozen=not self.view.frozen)

    def action_errors(self) -> None:
        self._see(errors_only=not self.view.errors_only)

    def action_times(self) -> None:
        self._see(times=TIMES[(TIMES.index(self.view.times) + 1) % len(TIMES)])

    def action_sort(self) -> None:
        before = self.view.orders.get(self.pane, Order())
        self._see(orders={**self.view.orders, self.pane: Order(place=before.place + 1)})

    def action_invert(self) -> None:
        before = self.view.orders.get(self.pane, Order())
        self._see(orders={**self.view.orders, self.pane: replace(before, inverted=not before.inverted)})

    # -- filter

    async def action_filter(self) -> None:
        """Open the filter bar over the status line."""
        # Inputs are seldom needed and cost start-up time, so they are loaded when they are.
        from clown_tui.widgets.filter_bar import FilterBar  # noqa: PLC0415  # see above

        if not self.query(FilterBar):
            bar = FilterBar(self.view.filters.get(self.pane, ""))
            await self.mount(bar, after="#status")
            bar.focus()

    def on_filter_typed(self, message: FilterTyped) -> None:
        """Narrow the pane at once."""
        try:
            parse(message.text)
        except FilterError as error:
            self._see(fault=f"at {error.position + 1}: {error}")
        else:
            self._see(filters={**self.view.filters, self.pane: message.text}, fault="")

    async def on_filter_closed(self, message: FilterClosed) -> None:
        """Give the keys back to the pane."""
        kept = self.view.filters.get(self.pane, "") if message.keep else ""
        self._see(filters={**self.view.filters, self.pane: kept}, fault="")
        self.active.focus()
        await self.query("#filter").remove()

    def action_copy(self) -> None:
        """Copy the name of the row under the cursor."""
        self.copy(self.cursor_key, "the name")

    def copy(self, text: str | None, what: str) -> None:
        """Copy by OSC 52, and say so truthfully."""
        if text is None:
            self.app.notify("There is nothing to copy.", markup=False)
            return
        self.app.copy_to_clipboard(text)
        # OSC 52 has no answer: whether the terminal obeyed cannot be known.
        self.app.notify(f"Sent {what} to the terminal's clipboard; not every terminal takes it.", markup=False)

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor of the focused pane."""
        table = self.active
        return table.cursor_key if isinstance(table, LiveTable) and len(table.source) else None

    def sizes(self) -> Mapping[Pane, tuple[int, int]]:
        """Columns and lines of every pane's body."""
        return {pane: (widget.body_width, widget.body_height) for pane, widget in self.panes.items()}

    @property
    def _movable(self) -> LiveTable | LinesView:
        widget = self.active
        assert isinstance(widget, LiveTable | LinesView)  # our own tree
        return widget
