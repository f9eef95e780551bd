"""The one tree of errors.

    ClownError               anything Clown tells a person: one sentence, a hint where there is a cure
    ├── DomainError          a request that cannot be done; has a `ProblemCode`, becomes HTTP only in `api.problems`
    ├── ConfigError          a configuration file, flag or variable that cannot be used; exit code 2
    ├── StartError           the daemon cannot start; exit code 1
    └── StoreUnavailableError  the database refuses (disk full, corrupt, closed); becomes 503

Errors of libraries are translated once, in the module that talks to the library.
"""

from clown_daemon.protocol.problems import ProblemCode


class ClownError(Exception):
    """Anything Clown tells a person.

    Attributes:
        hint: what to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)


class DomainError(ClownError):
    """A request that cannot be done.

    Attributes:
        code: the stable name of the failure.
    """

    def __init__(self, code: ProblemCode, message: str, *, hint: str | None = None) -> None:
        self.code = code
        super().__init__(message, hint=hint)


class ConfigError(ClownError):
    """A configuration file, flag or variable that cannot be used."""


class StartError(ClownError):
    """The daemon cannot start."""


class StoreUnavailableError(DomainError):
    """The database refuses: the disk is full, the file is damaged, or it is closed."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(ProblemCode.STORE_UNAVAILABLE, message, hint=hint)
