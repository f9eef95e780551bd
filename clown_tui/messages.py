"""What widgets and screens tell the app: intents of a person, never facts of the daemon."""

from textual.message import Message


class RowChosen(Message):
    """A row was opened with a double click."""

    def __init__(self, pane_id: str, key: str) -> None:
        self.pane_id = pane_id
        self.key = key
        super().__init__()


class PaneChosen(Message):
    """A tab was clicked."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()


class FollowChanged(Message):
    """The event view began to follow, or paused because somebody scrolled."""

    def __init__(self, *, following: bool) -> None:
        self.following = following
        super().__init__()


class ViewChanged(Message):
    """What is to be seen was chosen differently: a new picture is needed now."""


class FilterTyped(Message):
    """The text of the filter changed."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class FilterClosed(Message):
    """The filter bar was left; `keep` is False when the filter is to be cleared."""

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        super().__init__()
