"""The Cost pane's lines, kept while they say the same: adding up every profile's time lines each second is work.

Nothing in them is finer than a minute, so they are made anew when usage, a budget, the minute or the size is
another.
"""

from collections.abc import Mapping

from clown_daemon.burn import MINUTE_MS
from clown_daemon.protocol.resources import Budget, ProfileUsage
from clown_tui.state.model import Model
from clown_tui.state.rows import Line
from clown_tui.state.selectors import cost_lines


class CostText:
    """Remembers the lines that were made last."""

    def __init__(self) -> None:
        self._usage: Mapping[str, ProfileUsage] | None = None
        self._budgets: Mapping[str, Budget] | None = None
        self._made_for: tuple[object, ...] = ()
        self._lines: tuple[Line, ...] = ()

    def lines(self, model: Model, now_ms: int, width: int, height: int | None) -> tuple[Line, ...]:
        """Answer `cost_lines` at the beginning of this minute.

        Args:
            model: the state; its mappings are replaced, never changed, so that they are the same while they say so.
            now_ms: epoch milliseconds.
            width: columns.
            height: lines; None for all there are.
        """
        minute = now_ms // MINUTE_MS
        wanted = (minute, model.time_zone, width, height)
        same = model.usage is self._usage and model.budgets is self._budgets
        if not same or wanted != self._made_for:
            self._usage, self._budgets, self._made_for = model.usage, model.budgets, wanted
            self._lines = cost_lines(model, minute * MINUTE_MS, width, height)
        return self._lines
