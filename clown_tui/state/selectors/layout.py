"""How lines are made to fit."""

from collections.abc import Iterator

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


def wrap(line: Line, width: int) -> tuple[Line, ...]:
    """Break a line at blanks to `width` columns; what follows stands below the beginning of its last cell."""
    if line_width(line) <= width:
        return (line,)
    *before, last = line
    indent = line_width(tuple(before))
    if indent > max(2, width // 2):  # too little room is left beside it
        return shorten(tuple(before), width), *wrap((Cell("  "), last), width)
    first, *others = _pieces(last.text, width - indent)
    blank = Cell(" " * indent)
    return (*before, Cell(first, last.tone)), *((blank, Cell(text, last.tone)) for text in others)


def _pieces(text: str, width: int) -> Iterator[str]:
    width = max(2, width)  # the widest character
    while cells(text) > width:
        head = cut(text, width + 1)[:-1]  # an ellipsis, or the one character too many
        blank = head.rfind(" ")
        if blank > 0 and not text[len(head)].isspace():
            head = head[:blank]
        yield head
        text = text[len(head) :].lstrip()
    yield text
