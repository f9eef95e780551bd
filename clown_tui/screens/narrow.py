"""Which lines of the event log are shown: `--events`, errors only and the filter, as one test of a line. Pure."""

from collections.abc import Collection

from clown_tui.screens.view import View
from clown_tui.state.event_log import Accepts, Entry, EventEntry, GapEntry, is_error
from clown_tui.state.filters import parse
from clown_tui.state.panes import Pane
from clown_tui.state.records import entry_record


def accepts_of(view: View, names: Collection[str], now_ms: int) -> Accepts | None:
    """Answer the test, or None where everything is shown. Gaps and marks pass all but the typed filter.

    Args:
        view: a person's choices.
        names: the event types that `--events` asks for; used while the chip stands.
        now_ms: for `since:`, counted from when the filter was typed.
    """
    wanted = parse(view.filters.get(Pane.EVENTS, ""))
    chosen = frozenset(names) if view.chip else frozenset()
    if not (wanted or chosen or view.errors_only):
        return None

    def accepts(entry: Entry) -> bool:
        if isinstance(entry, EventEntry):
            if chosen and entry.event.type not in chosen:
                return False
            if view.errors_only and not is_error(entry):
                return False
        elif not isinstance(entry, GapEntry) and view.errors_only:
            return False
        return not wanted or wanted.matches(entry_record(entry), now_ms=now_ms)

    return accepts
