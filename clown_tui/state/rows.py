"""What widgets are given: frozen rows of cells. A cell says what it means (`tone`); the theme draws it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Tone(StrEnum):
    """The meaning of a piece of text. A glyph or word always says the same, since colour may be absent."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    ACCENT = "accent"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text, without control characters and without markup."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a pane. Equal rows are painted once."""

    key: str
    """Stable identity: the cursor stays on it when rows move."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """How one cell of every row is laid out."""

    title: str
    width: int
    """Columns of the terminal; the least, when `stretch`."""
    align: Literal["left", "right"] = "left"
    stretch: bool = False
    priority: int = 0
    """The highest is dropped first when the pane is too narrow; 0 is never dropped."""


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of rows: a column's title, and which way."""

    column: str = "NAME"
    descending: bool = False

    def words(self) -> str:
        """Say it as the pane's border does: `sort COST ▼`."""
        return f"sort {self.column} {'▼' if self.descending else '▲'}"


Line = tuple[Cell, ...]
"""Cells one after the other, for text that is no table."""
