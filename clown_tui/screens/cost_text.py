"""The Cost pane's lines, kept while they say the same: adding up every profile's time lines each second is work.

Nothing in them is finer than a minute, so they are made anew when usage, the minute or the size is another.
"""

from collections.abc import Mapping

from clown_daemon.protocol.resources import ProfileUsage
from clown_tui.state.model import Model
from clown_tui.state.rows import Line
from clown_tui.state.selectors import cost_lines
from clown_tui.state.selectors.money import MINUTE_MS


class CostText:
    """Remembers the lines that were made last."""

    def __init__(self) -> None:
        self._usage: Mapping[str, ProfileUsage] | None = None
        self._made_for: tuple[object, ...] = ()
        self._lines: tuple[Line, ...] = ()

    def lines(self, model: Model, now_ms: int, width: int, height: int | None) -> tuple[Line, ...]:
        """Answer `cost_lines` at the beginning of this minute.

        Args:
            model: the state; its mapping of usage is replaced, never changed, so that it is the same while it says so.
            now_ms: epoch milliseconds.
            width: columns.
            height: lines; None for all there are.
        """
        minute = now_ms // MINUTE_MS
        wanted = (minute, model.time_zone, width, height)
        if model.usage is not self._usage or wanted != self._made_for:
            self._usage, self._made_for = model.usage, wanted
            self._lines = cost_lines(model, minute * MINUTE_MS, width, height)
        return self._lines
