"""What readers answer whose source is no log that only grows: pages of responses, each with where to go on."""

from typing import NamedTuple

from clown_daemon.errors import ClownError
from clown_daemon.store.ledger import Response


class Page(NamedTuple):
    """Some responses, and the state that stands for having kept them; keep both in one transaction."""

    responses: tuple[Response, ...]
    state: bytes
    """Opaque; to be given to the next read."""
    rows_broken: int
    """How many more could not be read; they are skipped."""


class UnreadablePagesError(ClownError):
    """A source cannot be read now; what was answered before holds, and it may be tried again."""
