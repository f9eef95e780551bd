from clown_tui.state.rows import Cell, Column, Row, Tone
from clown_tui.widgets.palette import Look, palette_of
from clown_tui.widgets.strips import fit, frame_segments, lay_out, line_segments, row_segments, width_of

PALETTE = palette_of(
    {
        "foreground": "#ffffff",
        "background": "#000000",
        "primary": "#0000ff",
        "success": "#00ff00",
        "warning": "#ffff00",
        "error": "#ff0000",
    }
)


def test_text_is_measured_in_terminal_cells() -> None:
    assert fit("日本語", 5) == "日本…"
    assert width_of(fit("日本語", 4)) == 4
    assert fit("ab", 4, "right") == "  ab"
    assert fit("ab", 0) == ""


def test_the_highest_priority_is_dropped_first() -> None:
    columns = (Column("A", 10), Column("B", 10, priority=1), Column("C", 10, priority=2))
    assert [index for index, _, _ in lay_out(columns, 34)] == [0, 1, 2]
    assert [index for index, _, _ in lay_out(columns, 33)] == [0, 1]
    assert [index for index, _, _ in lay_out(columns, 5)] == [0]


def test_what_is_left_goes_to_the_columns_that_stretch() -> None:
    columns = (Column("A", 5, stretch=True), Column("B", 5), Column("C", 5, stretch=True))
    assert [width for _, width, _ in lay_out(columns, 30)] == [10, 5, 11]


def test_a_line_fills_exactly_its_width() -> None:
    for width in range(12):
        segments = line_segments((Cell("日本", Tone.BAD), Cell("abcdef")), width, PALETTE, Look.NORMAL)
        assert sum(width_of(segment.text) for segment in segments) == width


def test_a_frame_fills_exactly_its_width() -> None:
    for width in range(2, 60):
        segments = frame_segments("╭╮", "1 Profiles", "5 things", width, PALETTE, Tone.DIM, Tone.PLAIN)
        assert sum(width_of(segment.text) for segment in segments) == width


def test_ansi_themes_use_the_colours_of_the_terminal() -> None:
    names = ("foreground", "background", "primary", "success", "warning", "error")
    colours = dict.fromkeys(names, "ansi_default") | {"error": "ansi_red"}
    style = palette_of(colours).style(Tone.BAD, Look.STALE)
    assert style.dim
    assert style.color is not None
    assert style.color.number == 1


def test_the_last_cell_of_a_short_row_takes_all_that_is_left() -> None:
    columns = (Column("A", 3), Column("B", 4), Column("C", 5, stretch=True))
    row = Row("gap", (Cell("---"), Cell("one long sentence")))
    segments = row_segments(row, columns, lay_out(columns, 24), 24, PALETTE, Look.NORMAL)
    assert "".join(segment.text for segment in segments) == "---  one long sentence  "
