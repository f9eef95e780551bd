"""What can go wrong between a client and the daemon; errors of httpx and websockets become these, once.

ClientError              anything below; one sentence, a hint where there is a cure
├── UnreachableError     nothing answered, or not in time; trying again may help
├── RefusedError         the daemon answered, with a problem
├── StreamLostError      the event stream ended
└── IncompatibleError    what answers is no Clown daemon, or speaks another protocol
"""

from clown_daemon.errors import ClownError
from clown_daemon.protocol.problems import Problem


class ClientError(ClownError):
    """The daemon could not be asked, or refused."""


class UnreachableError(ClientError):
    """Nothing answered, or not in time.

    Attributes:
        refused: True when nothing listens at the address at all.
    """

    def __init__(self, message: str, *, refused: bool = False, hint: str | None = None) -> None:
        self.refused = refused
        super().__init__(message, hint=hint)


class RefusedError(ClientError):
    """The daemon answered with a problem.

    Attributes:
        problem: what it said; `problem.code` is stable.
        status: the HTTP status.
    """

    def __init__(self, problem: Problem, status: int) -> None:
        self.problem = problem
        self.status = status
        super().__init__(problem.error, hint=problem.hint)


class StreamLostError(ClientError):
    """The event stream ended.

    Attributes:
        code: the WebSocket close code; None when the connection broke without one.
        garbled: True when a frame could not be read, so that reading on from there would meet it again.
        at_once: True when there is no reason to wait before the next attempt.
    """

    def __init__(self, message: str, *, code: int | None = None, garbled: bool = False, at_once: bool = False) -> None:
        self.code = code
        self.garbled = garbled
        self.at_once = at_once
        super().__init__(message)


class OutdatedError(ClientError):
    """The daemon is older than this program, which may try to replace it before it follows."""


class IncompatibleError(ClientError):
    """What answers is no Clown daemon, or speaks another protocol."""
