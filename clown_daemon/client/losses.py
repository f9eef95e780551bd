"""What a failed attempt or a lost connection means for the next attempt. Pure."""

from clown_daemon.client.backoff import Failure
from clown_daemon.client.errors import IncompatibleError, RefusedError, StreamLostError, UnreachableError
from clown_daemon.errors import ClownError
from clown_daemon.protocol.stream import CloseCode

FOR_GOOD = frozenset({400, 401, 403, 404, 405, 426})
"""Statuses that the same request will meet again."""


def nothing_listens(error: ClownError) -> bool:
    """Whether there is no daemon at the address at all."""
    return isinstance(error, UnreachableError) and error.refused


def for_good(error: ClownError) -> bool:
    """Whether the same attempt would fail again."""
    match error:
        case IncompatibleError():
            return True
        case RefusedError(status=status):
            return status in FOR_GOOD
        case StreamLostError(code=int(code)):
            return CloseCode.INCOMPATIBLE <= code < 5000
        case _:
            return False


def failure_of(error: ClownError) -> Failure:
    """What a loss is to the back-off."""
    if nothing_listens(error):
        return Failure.NOTHING_LISTENS
    if isinstance(error, StreamLostError) and error.code == CloseCode.SHUTDOWN:
        return Failure.SAID_GOODBYE
    return Failure.FELL_SILENT
