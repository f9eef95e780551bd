"""Made-up pictures of the dashboard, and an app that shows nothing else."""

from collections.abc import Sequence
from pathlib import Path

from textual.app import App

import clown_tui
from clown_tui.screens.main import MainScreen
from clown_tui.screens.picture import Events, Frame, Picture, Table
from clown_tui.state.panes import PANES, Pane
from clown_tui.state.rows import Cell, Column, Line, Row, Tone
from clown_tui.widgets.live_table import FixedRows

PROFILE_COLUMNS = (
    Column("", 1),
    Column("NAME", 10, stretch=True),
    Column("AGENT", 11, priority=3),
    Column("MODEL", 12, priority=5),
    Column("UP", 7, "right", priority=2),
    Column("COST", 7, "right"),
)
EVENT_COLUMNS = (Column("TIME", 8), Column("TYPE", 16), Column("WHO", 8, priority=1), Column("WHAT", 10, stretch=True))


def profile_row(number: int, cost: str = "$1.00") -> Row:
    cells = ("●", f"work{number}", "Claude Code", "sonnet-4.5", "2h14m", cost)
    return Row(f"p{number}", tuple(Cell(text) for text in cells))


def event_rows(count: int) -> tuple[Row, ...]:
    return tuple(
        Row(f"e{number}", (Cell("14:03:21", Tone.DIM), Cell("UsageUpdated"), Cell("work"), Cell(f"+{number} tok")))
        for number in range(count)
    )


def picture(
    *, profiles: Sequence[Row] = (), events: Sequence[Row] = (), stale: bool = False, card: Sequence[Line] = ()
) -> Picture:
    summary = "as of 14:03:22" if stale else "5 things"
    return Picture(
        header=(Cell(" clown  "), Cell("● LIVE", Tone.GOOD)),
        status=(Cell(" all well", Tone.DIM),),
        footer=(Cell(" ? help"),),
        summary=(Cell("● LIVE 2/5 $4.12"),),
        tabs=[Cell(f"{pane.number} {pane.heading}") for pane in PANES],
        frames={pane: Frame(title=f"{pane.number} {pane.heading}", summary=summary, stale=stale) for pane in PANES},
        tables={
            Pane.PROFILES: Table(columns=PROFILE_COLUMNS, rows=profiles, empty=((Cell("No profiles yet."),),)),
            Pane.PROXIES: Table(columns=PROFILE_COLUMNS, rows=(), empty=((Cell("No proxies yet."),),)),
        },
        texts={Pane.COST: ((Cell("TODAY $4.12"),),), Pane.REGISTRY: ((Cell("never synced"),),)},
        events=Events(columns=EVENT_COLUMNS, source=FixedRows(events), empty=((Cell("No events yet."),),)),
        card=card,
    )


class PictureApp(App[None]):
    """Shows the main screen with pictures that a test gives it."""

    CSS_PATH = Path(clown_tui.__file__).parent / "styles" / "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.main = MainScreen()

    def on_mount(self) -> None:
        self.push_screen(self.main)
