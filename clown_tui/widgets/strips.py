"""From cells to segments: the layout of columns, fitting text into them, frames. Pure.

Text is measured in terminal cells (wide characters take two) and never read as markup.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from clown_tui.state.rows import Cell, Column, Row, Tone
from clown_tui.widgets.palette import Look, Palette

Layout = tuple[tuple[int, int, int], ...]
"""`(column, width, gap before it)` of every column that is shown, from left to right."""


def width_of(text: str) -> int:
    """Answer how many terminal cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Cut or pad a text to exactly `width` cells; a cut one ends in `…`."""
    taken = width_of(text)
    if taken > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    blank = " " * (width - taken)
    return text + blank if align == "left" else blank + text


def lay_out(columns: Sequence[Column], width: int) -> Layout:
    """Choose the columns that fit, dropping the highest priority first; those that stretch share what is left."""
    shown = list(range(len(columns)))
    while _taken(columns, shown) > width:
        droppable = [index for index in shown if columns[index].priority > 0]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda index: (columns[index].priority, index)))
    spare = width - _taken(columns, shown)
    elastic = [index for index in shown if columns[index].stretch]
    return tuple(
        (index, max(1, columns[index].width + _share(spare, elastic, index)), _gap(columns, shown, place))
        for place, index in enumerate(shown)
    )


def _gap(columns: Sequence[Column], shown: Sequence[int], place: int) -> int:
    if place == 0:
        return 0
    # Numbers seldom fill their column, so one blank keeps them apart.
    return 1 if columns[shown[place - 1]].width == 1 or columns[shown[place]].align == "right" else 2


def _taken(columns: Sequence[Column], shown: Sequence[int]) -> int:
    return sum(columns[index].width + _gap(columns, shown, place) for place, index in enumerate(shown))


def _share(spare: int, elastic: Sequence[int], index: int) -> int:
    if index not in elastic:
        return 0
    share, rest = divmod(spare, len(elastic))
    return share + (rest if index == elastic[-1] else 0)


def title_segments(
    columns: Sequence[Column], layout: Layout, width: int, palette: Palette, look: Look
) -> list[Segment]:
    """Write the titles of the columns."""
    cells = tuple(Cell(column.title, Tone.DIM) for column in columns)
    return row_segments(Row("", cells), columns, layout, width, palette, look)


def row_segments(
    row: Row, columns: Sequence[Column], layout: Layout, width: int, palette: Palette, look: Look
) -> list[Segment]:
    """Write a row into its columns, exactly `width` cells wide; the last cell of a short row takes all that is left."""
    plain = palette.style(Tone.PLAIN, look)
    segments: list[Segment] = []
    used = 0
    for index, wanted, gap in layout:
        spans = index == len(row.cells) - 1 and len(row.cells) < len(columns)
        room = width - used - gap if spans else min(wanted, width - used - gap)
        if room <= 0 or index >= len(row.cells):
            break
        cell = row.cells[index]
        text = " " * gap + fit(cell.text, room, columns[index].align)
        segments.append(Segment(text, palette.style(cell.tone, look)))
        used += gap + room
    if used < width:
        segments.append(Segment(" " * (width - used), plain))
    return segments


def line_segments(line: Iterable[Cell], width: int, palette: Palette, look: Look) -> list[Segment]:
    """Write cells one after the other, cut or padded to exactly `width` cells."""
    segments: list[Segment] = []
    used = 0
    for cell in line:
        taken = width_of(cell.text)
        if not taken:
            continue
        if used + taken > width:
            if width > used:
                segments.append(Segment(fit(cell.text, width - used), palette.style(cell.tone, look)))
            used = width
            break
        segments.append(Segment(cell.text, palette.style(cell.tone, look)))
        used += taken
    if used < width:
        segments.append(Segment(" " * (width - used), palette.style(Tone.PLAIN, look)))
    return segments


def frame_segments(
    corners: str, left: str, right: str, width: int, palette: Palette, tone: Tone, text_tone: Tone
) -> list[Segment]:
    """Write an edge of a frame with a text near each corner; the right one goes when room is short."""
    rule, label = palette.style(tone), palette.style(text_tone)
    inner = width - 2
    if inner < 4:
        return [Segment(fit(corners[0] + "─" * max(0, inner) + corners[1], width), rule)]
    left_text = f" {fit(left, min(width_of(left), inner - 4))} " if left else ""
    spare = inner - 2 - width_of(left_text)
    right_text = f" {right} " if right and width_of(right) + 3 <= spare else ""
    dashes = inner - 2 - width_of(left_text) - width_of(right_text)
    segments = [
        Segment(corners[0] + "─", rule),
        Segment(left_text, label),
        Segment("─" * dashes, rule),
        Segment(right_text, palette.style(Tone.DIM)),
        Segment("─" + corners[1], rule),
    ]
    return [segment for segment in segments if segment.text]
