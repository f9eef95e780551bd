"""Where a filter is typed: every key narrows the pane at once, Enter keeps it, Esc clears it."""

from textual import events
from textual.widgets import Input

from clown_tui.messages import FilterClosed, FilterTyped


class FilterBar(Input):
    """A one-line input that tells of every change."""

    DEFAULT_CSS = "FilterBar { height: 1; border: none; padding: 0 1; background: $surface; }"

    def __init__(self, text: str) -> None:
        super().__init__(
            value=text, placeholder="filter, e.g. type:Proxy* work", compact=True, id="filter", select_on_focus=False
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(FilterTyped(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(FilterClosed(keep=True))

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(FilterClosed(keep=False))
