"""How tones look: one table of Rich styles a theme, made once and shared by every widget.

Under an ANSI theme the terminal's own colours are used, and dimming is the terminal's attribute instead of a blend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from rich.style import Style
from textual.color import Color

from clown_tui.state.rows import Tone


class Look(Enum):
    """The state of a line, which changes how every tone in it looks."""

    NORMAL = auto()
    STALE = auto()
    """Not current any more: one step dimmer."""
    CURSOR = auto()
    MARKED = auto()
    """The cursor's row of a pane that has no focus."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The styles of one theme."""

    styles: Mapping[tuple[Tone, Look], Style]

    def style(self, tone: Tone, look: Look = Look.NORMAL) -> Style:
        """Answer how a tone looks."""
        return self.styles[tone, look]


_SOURCES: Mapping[Tone, str] = {
    Tone.PLAIN: "foreground",
    Tone.DIM: "foreground",
    Tone.STRONG: "foreground",
    Tone.ACCENT: "primary",
    Tone.GOOD: "success",
    Tone.WARN: "warning",
    Tone.BAD: "error",
}


def palette_of(variables: Mapping[str, str]) -> Palette:
    """Answer the palette of a theme, given its CSS variables."""
    names = ("foreground", "background", "primary", "success", "warning", "error")
    return _build(tuple((name, variables[name]) for name in names))


@lru_cache(maxsize=8)
def _build(colours: tuple[tuple[str, str], ...]) -> Palette:
    named = {name: Color.parse(value) for name, value in colours}
    return Palette({(tone, look): _style(tone, look, named) for tone in Tone for look in Look})


def _style(tone: Tone, look: Look, named: Mapping[str, Color]) -> Style:
    background, colour = named["background"], named[_SOURCES[tone]]
    bold = tone is Tone.STRONG
    if background.ansi is not None:
        return Style(
            color=colour.rich_color,
            bgcolor=background.rich_color,
            bold=bold or look is Look.MARKED,
            dim=tone is Tone.DIM or look is Look.STALE,
            reverse=look is Look.CURSOR,
        )
    shade = {Look.CURSOR: 0.28, Look.MARKED: 0.10}.get(look, 0.0)
    paper = background.blend(named["primary"], shade)
    if tone is Tone.DIM:
        colour = colour.blend(paper, 0.45)
    if look is Look.STALE:
        colour = colour.blend(paper, 0.4)
    # Under NO_COLOR the paper says nothing, so the cursor says itself by an attribute too.
    return Style(color=colour.rich_color, bgcolor=paper.rich_color, bold=bold, underline=look is Look.CURSOR)
