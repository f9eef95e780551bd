"""How lines are made to fit."""

from clown_tui.formatting import cells, cut
from clown_tui.state.rows import Cell, Line


def line_width(line: Line) -> int:
    """Answer how many columns a line takes."""
    return sum(cells(cell.text) for cell in line)


def shorten(line: Line, width: int) -> Line:
    """Cut a line to `width` columns."""
    kept: list[Cell] = []
    for cell in line:
        room = width - sum(cells(before.text) for before in kept)
        if room <= 0:
            break
        kept.append(Cell(cut(cell.text, room), cell.tone))
    return tuple(kept)
