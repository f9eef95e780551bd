from collections.abc import Sequence

from textual.app import App, ComposeResult

from clown_tui.state.rows import Cell, Column, Row, Tone
from clown_tui.widgets.live_table import FixedRows, LiveTable
from tests.support.frames import frame_text
from tests.support.pictures import PROFILE_COLUMNS, profile_row


class TableApp(App[None]):
    CSS = "LiveTable { height: 1fr; }"

    def __init__(self, columns: Sequence[Column] = PROFILE_COLUMNS) -> None:
        super().__init__()
        self.table = LiveTable(columns, id="table")

    def compose(self) -> ComposeResult:
        yield self.table


async def test_only_the_changed_row_is_repainted() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        rows = [profile_row(number) for number in range(10)]
        app.table.set_rows(rows)
        await pilot.pause()
        before = app.table.repainted_lines
        app.table.set_rows([*rows[:4], profile_row(4, "$9.99"), *rows[5:]])
        await pilot.pause()
        assert app.table.repainted_lines - before == 1
        assert "$9.99" in frame_text(app)


async def test_equal_rows_repaint_nothing_and_neither_do_rows_out_of_sight() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        app.table.set_rows([profile_row(number) for number in range(500)])
        await pilot.pause()
        before = app.table.repainted_lines
        app.table.set_rows([profile_row(number) for number in range(500)])
        app.table.set_rows([profile_row(number, "$1.00" if number < 400 else "$2.00") for number in range(500)])
        assert app.table.repainted_lines == before


async def test_the_cursor_stays_on_its_row_when_rows_move() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        rows = [profile_row(number) for number in range(10)]
        app.table.set_rows(rows)
        await pilot.pause()
        app.table.move(3)
        app.table.set_rows(list(reversed(rows)))
        assert app.table.cursor_key == "p3"
        app.table.set_rows([row for row in rows if row.key != "p3"])
        assert app.table.cursor_key == "p7"


async def test_markup_is_shown_as_it_is() -> None:
    app = TableApp((Column("NAME", 30),))
    async with app.run_test(size=(70, 20)) as pilot:
        app.table.set_rows([Row("a", (Cell("[bold]x[/bold] [red]"),))])
        await pilot.pause()
        assert "[bold]x[/bold] [red]" in frame_text(app)


class BrokenRows(FixedRows):
    def window(self, start: int, stop: int) -> Sequence[Row]:
        raise ValueError(f"rows {start} to {stop} [are] broken")


async def test_a_broken_pane_shows_its_error() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        app.table.set_source(BrokenRows([profile_row(1)]))
        await pilot.pause()
        assert "✗ this pane failed: ValueError: rows" in frame_text(app)


async def test_an_empty_table_says_why() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        app.table.set_rows([], [(Cell("Nothing matches: Esc clears", Tone.DIM),)])
        await pilot.pause()
        assert "Nothing matches: Esc clears" in frame_text(app)


async def test_the_mouse_moves_the_cursor() -> None:
    app = TableApp()
    async with app.run_test(size=(70, 20)) as pilot:
        app.table.set_rows([profile_row(number) for number in range(10)])
        await pilot.pause()
        await pilot.click("#table", offset=(5, 6))
        assert app.table.cursor_key == "p4"
