"""The dashboard's composition root: follower → reduce → one flush timer → picture → changed rows.

Messages of the daemon are collected as they come and reduced once a flush, at most ten times a second while the
terminal has the focus and twice a second while it has not; the timer is armed only when something came. One tick a
second moves clocks, and five a second the countdown to the next attempt, while there is one; what says the same as
before is not repainted.
"""

import asyncio
import gc
import os
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from textual.app import App
from textual.filter import LineFilter
from textual.timer import Timer

from clown_daemon import __version__
from clown_daemon.client.states import Message
from clown_daemon.clock import Clock, SystemClock
from clown_daemon.paths import Paths
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import resolve_names
from clown_tui.keys import ACTIONS, Action, rebind
from clown_tui.messages import RowChosen, ViewChanged
from clown_tui.screens.compose import Now, picture_of
from clown_tui.screens.cost_text import CostText
from clown_tui.screens.main import MainScreen
from clown_tui.screens.narrow import accepts_of
from clown_tui.screens.text import TextScreen
from clown_tui.screens.view import View
from clown_tui.settings import Settings, daemon_url, is_local, read_token
from clown_tui.state.event_log import EventLog
from clown_tui.state.model import Model, dismiss
from clown_tui.state.panes import Pane
from clown_tui.state.reducer import reduce
from clown_tui.state.selectors.details import detail_lines, resource_json
from clown_tui.state.selectors.header import header_line
from clown_tui.terminal import guarded_terminal
from clown_tui.widgets.ascii_filter import AsciiFilter

if TYPE_CHECKING:
    from clown_daemon.client.discovery import StartedDaemon

FLUSH_SECONDS = 0.1
BLURRED_FLUSH_SECONDS = 0.5
COUNTDOWN_SECONDS = 0.2
"""How often the header is written anew while it counts down to the next attempt, which is tenths of a second."""
_MOST_PENDING = 2_000
"""Messages that wait for a flush; more are reduced at once, so that no flush holds the loop for long."""


class Feed(Protocol):
    """What the dashboard needs of `clown_daemon.client.sync.Follower`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next_batch(self) -> list[Message]: ...

    def retry_now(self) -> None: ...

    def refresh(self) -> None: ...

    def start_now(self) -> None: ...


class ClownApp(App[int]):
    """Five live panes of one daemon."""

    CSS_PATH = "styles/dashboard.tcss"
    TITLE = "clown"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        *,
        settings: Settings,
        connect: Callable[[], Feed],
        clock: Clock,
        actions: Sequence[Action] = ACTIONS,
        version: str = "",
    ) -> None:
        """Make the dashboard.

        Args:
            settings: what to show, and whether a daemon may be started.
            connect: makes the feed; called in a thread after the first frame, since it loads the client's libraries.
            clock: the time that is shown.
            actions: the keys.
            version: this program's; a daemon of another one is pointed out. Empty compares with none.
        """
        colourless = settings.color == "never"
        # Textual's own answer to NO_COLOR is shades of grey, unless the terminal's own colours are asked for.
        super().__init__(ansi_color=True if colourless else None)
        if colourless:
            self.theme = "ansi-dark"
        self._settings = settings
        self._connect = connect
        self._clock = clock
        self._feed: Feed | None = None
        self._pending: list[Message] = []
        self._flush_timer: Timer | None = None
        self._countdown_timer: Timer | None = None
        self._cost = CostText()
        self._narrowed: tuple[object, ...] = ()
        self._names = resolve_names(settings.events, EVENT_NAMES, any_case=True)
        self.model = Model(own_version=version)
        self.event_log = EventLog()
        self.flushes = 0
        chip = ",".join(settings.events)
        view = View(chip=chip, times=settings.times, pane=Pane.EVENTS if chip else Pane.PROFILES)
        self.main = MainScreen(actions=actions, view=view, full=bool(chip))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Let every drawn line pass through what the settings ask for."""
        asked = (AsciiFilter(),) if self._settings.ascii else ()
        return (*super().get_line_filters(), *asked)

    # -- life

    def on_mount(self) -> None:
        """Draw first; then load the client's libraries, which take longer than the frame."""
        self.push_screen(self.main)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        # The event log is a hundred thousand objects without cycles; a full collection over it takes 0.3 s.
        gc.freeze()
        gc.set_threshold(10_000, 10, 1_000)
        self.show()
        self.set_interval(1.0, self.show, name="tick")
        self.run_worker(self._follow(), name="follow")

    async def _follow(self) -> None:
        feed = await asyncio.to_thread(self._connect)
        async with feed:
            self._feed = feed
            while batch := await feed.next_batch():
                self._pending += batch
                if len(self._pending) >= _MOST_PENDING:
                    self._reduce()
                self._arm()

    # -- from messages to the screen

    def _arm(self) -> None:
        if self._flush_timer is None:
            seconds = FLUSH_SECONDS if self.app_focus else BLURRED_FLUSH_SECONDS
            self._flush_timer = self.set_timer(seconds, self._flush_pending, name="flush")

    def _flush_pending(self) -> None:
        self._flush_timer = None
        self.flushes += 1
        self._reduce()
        self.show()

    def _reduce(self) -> None:
        batch, self._pending = self._pending, []
        self.event_log.extend(batch)
        rung, self.model = self.model.rings, reduce(self.model, batch)
        if self.model.rings > rung:
            self.bell()

    def show(self) -> None:
        """Show the state as it is now."""
        if not self.main.is_mounted:
            return
        self._narrow()
        now = Now(self._clock.now_ms(), self._clock.monotonic())
        self.main.show(
            picture_of(
                self.model,
                self.event_log,
                self.main.view,
                now,
                sizes=self.main.sizes(),
                actions=self.main.actions,
                may_start=self._settings.start,
                cost=self._cost.lines,
            )
        )
        self._count_down(now)

    def _count_down(self, now: Now) -> None:
        retry_at = self.model.connection.retry_at
        if self._countdown_timer is None and retry_at is not None and retry_at > now.monotonic:
            self._countdown_timer = self.set_timer(COUNTDOWN_SECONDS, self._show_countdown, name="countdown")

    def _show_countdown(self) -> None:
        self._countdown_timer = None
        now = Now(self._clock.now_ms(), self._clock.monotonic())
        self.main.show_header(header_line(self.model, now.ms, self.main.view.width, monotonic=now.monotonic))
        self._count_down(now)

    def _narrow(self) -> None:
        """Tell the log what is to be seen, when that changed: matching all its lines anew is work."""
        view = self.main.view
        choices = (view.chip, view.errors_only, view.filters.get(Pane.EVENTS, ""))
        if choices != self._narrowed:
            self._narrowed = choices
            self.event_log.set_filter(accepts_of(view, self._names, self._clock.now_ms()))
        if view.frozen or not view.following:
            self.event_log.hold(freeze=view.frozen)
        elif self.event_log.held:
            self.event_log.release()

    def on_view_changed(self, message: ViewChanged) -> None:
        """A person chose to see something else."""
        message.stop()
        self.show()

    # -- what a person asks of the daemon

    def action_refresh(self) -> None:
        """Read the daemon's whole state again."""
        if self._feed is not None:
            self._feed.refresh()

    def action_connect(self) -> None:
        """Try now instead of when the countdown ends."""
        if self._feed is not None:
            self._feed.retry_now()

    def action_start_daemon(self) -> None:
        """Start a daemon, when none answers."""
        if self.model.live:
            self.notify("The daemon runs already.", markup=False)
        elif self._feed is not None:
            self._feed.start_now()

    def action_dismiss(self) -> None:
        """Take the error off the status line."""
        self.model = dismiss(self.model)
        self.show()

    def action_details(self) -> None:
        """Show everything about the row under the cursor."""
        key = self.main.cursor_key
        if key is not None:
            pane = self.main.pane
            lines = detail_lines(self.model, pane, key, self.event_log, now_ms=self._clock.now_ms())
            title = pane.heading if pane is Pane.EVENTS else key
            self.push_screen(TextScreen(f"{pane.number} {title}", lines))

    def action_copy_row(self) -> None:
        """Copy the row under the cursor as the daemon spells it."""
        key = self.main.cursor_key
        text = None if key is None else resource_json(self.model, self.main.pane, key, self.event_log)
        self.main.copy(text, "the row as JSON")

    def on_row_chosen(self, message: RowChosen) -> None:
        """A double click opens the row, as Enter does."""
        message.stop()
        self.action_details()


def dashboard(settings: Settings) -> ClownApp:
    """Put the dashboard together for this process's environment."""
    paths = Paths.from_environment(os.environ)
    url = daemon_url(settings, paths)

    # The follower asks once by itself, when nothing listens at first, and after that only for the user's key.
    unasked = not settings.start

    async def start() -> "StartedDaemon | None":
        nonlocal unasked
        if unasked:
            unasked = False
            return None
        from clown_daemon.client.launcher import start_daemon  # noqa: PLC0415  # only where one is started

        return await start_daemon(os.environ, settings.port)

    def connect() -> Feed:
        # Loads httpx and websockets, after the first frame.
        from clown_daemon.client.sync import Follower  # noqa: PLC0415  # see above

        return Follower(url, token=partial(read_token, url, paths), start=start if is_local(url) else None)

    return ClownApp(
        settings=settings, connect=connect, clock=SystemClock(), actions=rebind(settings.keys), version=__version__
    )


def run_dashboard(settings: Settings) -> int:
    """Run the dashboard until it is quit, or its terminal is gone; answers the exit code."""
    if settings.color == "never":
        # Textual reads it once, while the app is made.
        os.environ["NO_COLOR"] = "1"
    app = dashboard(settings)
    with guarded_terminal():
        app.run()
    return app.return_code or 0
