"""`--ascii`: every line that is drawn passes here last, so that no widget has to know of it."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from clown_tui.formatting import to_ascii


class AsciiFilter(LineFilter):
    """Replaces what is not ASCII, cell for cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  # Textual's signature
        """Answer the same line, of the same width, in ASCII alone."""
        return [Segment(_same_width(text), style, control) for text, style, control in segments]


def _same_width(text: str) -> str:
    if text.isascii():
        return text
    if cell_len(text) == len(text):
        return to_ascii(text)
    return "".join(to_ascii(character).ljust(cell_len(character), "?")[: cell_len(character)] for character in text)
