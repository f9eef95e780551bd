"""The event log: rows made only while they are seen, at the newest end until somebody scrolls up."""

from collections.abc import Sequence

from clown_tui.messages import FollowChanged
from clown_tui.state.rows import Column, Line
from clown_tui.widgets.live_table import LiveTable, RowSource


class EventView(LiveTable):
    """Follows the newest row; moving up pauses that and counts what was not seen since."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(columns, id=id, titles=False)
        self.following = True

    def set_source(self, source: RowSource, empty: Sequence[Line] = ()) -> None:
        if self.following and len(source):
            self.source = source
            self._empty = tuple(empty)
            self._index = len(source) - 1
            self.cursor_key = source.key_at(self._index)
            self._keep_in_sight()
            self.update()
            return
        super().set_source(source, empty)

    def move_to(self, index: int) -> None:
        super().move_to(index)
        self._set_following(following=self._index >= len(self.source) - 1)

    def follow(self) -> None:
        """Go to the newest row and stay there."""
        self._set_following(following=True)
        self.to_bottom()

    @property
    def below(self) -> int:
        """How many rows are newer than the cursor's."""
        return max(0, len(self.source) - 1 - self._index)

    def _set_following(self, *, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.post_message(FollowChanged(following=following))
