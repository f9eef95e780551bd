"""Which lines of the event log are shown: `--events`, errors only and the filter, as one test of a line. Pure."""

from collections.abc import Collection

from clown_tui.screens.compose import matches
from clown_tui.screens.view import View
from clown_tui.state.event_log import Accepts, Entry, EventEntry, GapEntry, is_error
from clown_tui.state.model import Model
from clown_tui.state.panes import Pane
from clown_tui.state.selectors.events import event_row


def accepts_of(view: View, names: Collection[str], model: Model) -> Accepts | None:
    """Answer the test, or None where everything is shown. Gaps and marks pass all but the typed filter.

    Args:
        view: a person's choices.
        names: the event types that `--events` asks for; used while the chip stands.
        model: for the zone in which instants are written.
    """
    wanted = view.filters.get(Pane.EVENTS, "").casefold().split()
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
        return not wanted or matches(event_row(entry, zone=model.zone), wanted)

    return accepts
