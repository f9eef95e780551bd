"""The help of a pane, from the one registry of keys."""

from collections.abc import Sequence

from clown_tui.keys import ACTIONS, Action, help_of
from clown_tui.screens.text import TextScreen
from clown_tui.state.panes import Pane
from clown_tui.state.rows import Cell, Line, Tone

_GLYPHS = (
    ("● running", Tone.GOOD),
    ("◐ starting or stopping", Tone.WARN),
    ("○ idle", Tone.DIM),
    ("✗ failed", Tone.BAD),
    ("≠ the daemon is of another version than this program", Tone.WARN),
    ("~ estimated price   ? unknown price", Tone.PLAIN),
)


def help_lines(pane: Pane, actions: Sequence[Action] = ACTIONS) -> tuple[Line, ...]:
    """Write what the keys do in a pane, and what the glyphs mean."""
    keys = tuple((Cell(f"{keys:>10}  ", Tone.ACCENT), Cell(sentence)) for keys, sentence in help_of(pane, actions))
    glyphs = tuple((Cell(" " * 12), Cell(text, tone)) for text, tone in _GLYPHS)
    return (*keys, (), (Cell("    Glyphs", Tone.STRONG),), *glyphs)


def help_screen(pane: Pane, actions: Sequence[Action] = ACTIONS) -> TextScreen:
    """Make the help of a pane."""
    return TextScreen(f"Keys in {pane.heading}", help_lines(pane, actions))
