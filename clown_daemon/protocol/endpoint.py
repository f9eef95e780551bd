"""What an endpoint is, and what follows from a few facts of it: who may call, its problems, its parameters."""

from typing import Any, Literal

import msgspec

from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import NoBody, NoQuery

COMMAND_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods that change something; they take an `Idempotency-Key`."""
KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY_CHARACTERS = 255
KEY_HOURS = 24
"""How long the reply of a command is kept for a retry with the same key."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the API."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    name: str
    """The operation's id."""
    group: str
    summary: str
    note: str = ""
    """What the summary leaves open."""
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] = NoBody
    """For commands; `NoBody` is empty or `{}`."""
    data: Any = None
    """The type of the reply's `data`, or of the bare reply."""
    shape: Literal["envelope", "bare", "document", "table", "text", "stream"] = "envelope"
    """`bare`: `data` without the envelope. `document`: any JSON object. `table`: the envelope, or CSV. `text`: no JSON.
    `stream`: a WebSocket."""
    status: int = 200
    problems: tuple[ProblemCode, ...] = ()
    """Those that do not follow from the rest; see `problems_of`."""
    cached: bool = False
    """It has an `ETag` and answers `If-None-Match` with 304."""
    open: bool = False
    """It needs no token and answers also while the daemon shuts down."""
    acts_outside: bool = False
    """A command whose effect is none of the database: its key is recorded before it acts, not with what it changed."""
    example: str = ""
    """The path and query of the curl example, where the bare path is none."""
    example_body: msgspec.Struct | None = None

    @property
    def is_command(self) -> bool:
        """Whether it changes something."""
        return self.method in COMMAND_METHODS


PATH_PARAMETERS: dict[str, str] = {"alias": "The profile's alias.", "id": "The id as the list has it."}
"""What each parameter in a path is."""
EXAMPLE_ALIAS = "my-project"

OF_EVERY_CALL = (
    ProblemCode.UNKNOWN_PARAMETER,
    ProblemCode.FOREIGN_HOST,
    ProblemCode.FOREIGN_ORIGIN,
    ProblemCode.INTERNAL,
)
OF_EVERY_CLOSED_CALL = (
    ProblemCode.UNAUTHORIZED,
    ProblemCode.FOREIGN_USER,
    ProblemCode.SHUTTING_DOWN,
    ProblemCode.STORE_UNAVAILABLE,
)
"""Of those that need access."""
OF_EVERY_COMMAND = (
    ProblemCode.BAD_JSON,
    ProblemCode.BAD_REQUEST,
    ProblemCode.INVALID_FIELD,
    ProblemCode.UNKNOWN_FIELD,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.REPLY_LOST,
    ProblemCode.TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
)


def problems_of(endpoint: Endpoint) -> tuple[ProblemCode, ...]:
    """Every problem that an endpoint can answer, in the order of `ProblemCode`."""
    found = {*own_problems(endpoint), *OF_EVERY_CALL}
    if not endpoint.open:
        found.update(OF_EVERY_CLOSED_CALL)
    if endpoint.is_command:
        found.update(OF_EVERY_COMMAND)
    return tuple(code for code in ProblemCode if code in found)


def own_problems(endpoint: Endpoint) -> tuple[ProblemCode, ...]:
    """The problems that not every call of its kind can answer."""
    has_parameters = bool(endpoint.query.__struct_fields__)
    return (*((ProblemCode.INVALID_FIELD,) if has_parameters else ()), *endpoint.problems)


def parameters_of(endpoint: Endpoint) -> dict[str, str]:
    """The parameters in the path, by name, with the values of the example."""
    parts = zip(endpoint.path.split("/"), example_of(endpoint).partition("?")[0].split("/"), strict=True)
    return {part[1:-1]: value for part, value in parts if part.startswith("{")}


def example_of(endpoint: Endpoint) -> str:
    """The path and query of the endpoint's example."""
    return (endpoint.example or endpoint.path).replace("{alias}", EXAMPLE_ALIAS)
