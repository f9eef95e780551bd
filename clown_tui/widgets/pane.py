"""A pane: a frame with texts in its edges around lines that a subclass describes and paints.

Everything painted is first described: one hashable value a screen line, which says all that is to be seen there. A
change repaints exactly the lines whose description changed, so a row that stays costs nothing. A pane that fails
shows its failure; the others live.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.widgets.palette import Look, Palette, palette_of
from clown_tui.widgets.strips import frame_segments, line_segments

_KEPT_STRIPS = 512
"""Painted lines kept for reuse; some screens full."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The upper or lower edge of the frame."""

    corners: str
    left: str
    right: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Text:
    """A body line that is plain cells."""

    line: Line
    look: Look = Look.NORMAL


@dataclass(frozen=True, slots=True)
class Framed:
    """A body line with the frame's side at its right, where the scroll mark is."""

    body: Hashable
    thumb: bool
    focused: bool


class PaneWidget(Widget, can_focus=True):
    """A framed part of the screen. Subclasses describe their body with `describe_body` and paint it with `paint_body`.

    Attributes:
        repainted_lines: how many lines were repainted since the start, for tests of economy.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.repainted_lines = 0
        self.stale = False
        self.framed = True
        self._texts = ("", "", "")
        self._described: list[Hashable] = []
        self._strips: dict[Hashable, Strip] = {}
        self._palette: Palette | None = None

    # -- what the screen sets

    def set_frame(self, title: str, summary: str = "", note: str = "", *, stale: bool = False) -> None:
        """Set what stands upper left, upper right and lower right; stale data is dimmed."""
        if (title, summary, note) == self._texts and stale == self.stale:
            return
        self._texts = (title, summary, note)
        self.stale = stale
        self.update()

    def set_framed(self, *, framed: bool) -> None:
        """Draw a frame, or leave every cell to the data."""
        self.framed = framed
        self.update()

    # -- what a subclass says

    def describe_body(self, height: int) -> Sequence[Hashable]:
        """Describe at most `height` body lines, from the top."""
        raise NotImplementedError

    def paint_body(self, line: Hashable, width: int) -> list[Segment]:
        """Paint what `describe_body` described, `width` cells wide."""
        raise NotImplementedError

    def thumb(self, height: int) -> range:
        """Answer the body lines beside which the scroll mark stands; empty when nothing scrolls."""
        del height
        return range(0)

    # -- geometry

    @property
    def body_height(self) -> int:
        """Lines inside the frame."""
        return max(0, self.size.height - (2 if self.framed else 0))

    @property
    def body_width(self) -> int:
        """Cells between the frame's sides and their blanks."""
        return max(0, self.size.width - (4 if self.framed else 0))

    @property
    def body_top(self) -> int:
        """The first body line, counted from the widget's top."""
        return 1 if self.framed else 0

    @property
    def palette(self) -> Palette:
        """The theme's styles."""
        if self._palette is None:
            self._palette = palette_of(self.app.theme_variables)
        return self._palette

    @property
    def data_look(self) -> Look:
        """How data without a cursor looks."""
        return Look.STALE if self.stale else Look.NORMAL

    # -- painting

    def update(self) -> None:
        """Repaint the lines that are described differently now."""
        if not self.is_attached or not self.size.height:
            return
        described = self._describe()
        old = self._described
        changed = [y for y, line in enumerate(described) if y >= len(old) or old[y] != line]
        self._described = described
        if changed:
            self.repainted_lines += len(changed)
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _describe(self) -> list[Hashable]:
        height = self.body_height
        try:
            body = list(self.describe_body(height))[:height]
        except Exception as error:  # noqa: BLE001  # a pane that fails shows it, and the rest of the dashboard lives
            body = [_failure(error)]
        body += [Text(())] * (height - len(body))
        if not self.framed:
            return body
        title, summary, note = self._texts
        tone = Tone.ACCENT if self.has_focus else Tone.DIM
        marks = self.thumb(height)
        return [
            Edge("╭╮", title, summary, tone),
            *(Framed(line, y in marks, self.has_focus) for y, line in enumerate(body)),
            Edge("╰╯", "", note, tone),
        ]

    def render_line(self, y: int) -> Strip:
        """Paint one line, or take it from the lines already painted."""
        if len(self._described) != self.size.height:
            self._described = self._describe()
        if y >= len(self._described):
            return Strip.blank(self.size.width)
        line = self._described[y]
        key = (line, self.size.width)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = Strip(self._paint(line), self.size.width)
        return strip

    def _paint(self, line: Hashable) -> list[Segment]:
        if isinstance(line, Edge):
            label = Tone.STRONG if self.has_focus else Tone.PLAIN
            return frame_segments(line.corners, line.left, line.right, self.size.width, self.palette, line.tone, label)
        if not isinstance(line, Framed):
            return self._paint_safely(line)
        side = self.palette.style(Tone.ACCENT if line.focused else Tone.DIM)
        right = " ┃" if line.thumb else " │"
        return [Segment("│ ", side), *self._paint_safely(line.body), Segment(right, side)]

    def _paint_safely(self, line: Hashable) -> list[Segment]:
        try:
            if isinstance(line, Text):
                return line_segments(line.line, self.body_width, self.palette, line.look)
            return self.paint_body(line, self.body_width)
        except Exception as error:  # noqa: BLE001  # as in _describe
            return line_segments(_failure(error).line, self.body_width, self.palette, Look.NORMAL)

    def notify_style_update(self) -> None:
        """Forget what was painted in another theme."""
        super().notify_style_update()
        self._palette = None
        self._strips.clear()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._strips.clear()
        self._described = []
        self.update()

    def on_focus(self) -> None:
        self.update()

    def on_blur(self) -> None:
        self.update()


def _failure(error: Exception) -> Text:
    words = " ".join(str(error).split()) or "no message"
    return Text((Cell("✗ ", Tone.BAD), Cell(f"this pane failed: {type(error).__name__}: {words}", Tone.BAD)))
