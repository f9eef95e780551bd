"""How `/ws` is spoken beyond the events: control frames, client actions, close codes and limits.

A plain client connects to `/ws`, sends nothing, and never sees any of this. A client that connects with `hello=1`,
`since=&log=` or `events=`, or sends an action, is in extended mode and also gets control frames: the shape of an event,
without `seq`.
"""

from enum import IntEnum
from typing import Annotated, Literal

import msgspec

PROTOCOL_VERSION = 1
HEARTBEAT_SECONDS = 15
MAX_MESSAGE_BYTES = 64 * 1024
"""The largest message a client may send."""
MAX_EVENT_BYTES = 256 * 1024
"""The largest event the daemon sends."""
MAX_NAMES = 64
"""The most names one subscription may hold."""
MAX_CONNECTIONS = 256
RESERVED_CONNECTIONS = 16
"""Of all connections so many are for callers who hold the token; the others may take the rest."""
MESSAGES_PER_SECOND = 20
MESSAGE_BURST = 40
ERRORS_PER_MINUTE = 100
STALL_SECONDS = 10
"""A connection whose pending write makes no progress for this long is cut; it can resume."""


class CloseCode(IntEnum):
    """Why the daemon closed a stream. 4000-4499: reconnect; 4500 and up: do not."""

    SHUTDOWN = 1001
    UNSUPPORTED_DATA = 1003
    """A binary message."""
    POLICY = 1008
    TOKEN_REPLACED = 4001
    """The token that the client sent is no longer the right one: read it again and reconnect."""
    EXPIRED = 4008
    """The client fell behind what the log still holds: take a snapshot and reconnect."""
    TOO_MANY_ERRORS = 4029
    INCOMPATIBLE = 4500


CLOSE_MEANING: dict[int, str] = {
    CloseCode.SHUTDOWN: "The daemon shuts down; the reason is `idle_timeout`, `stop`, `signal` or `upgrade`. Reconnect"
    " after 0.2 to 1 s.",
    1002: "The frames break RFC 6455. Mend the client.",
    CloseCode.UNSUPPORTED_DATA: "A binary message came. Mend the client.",
    1007: "Text that is not UTF-8 came. Mend the client.",
    CloseCode.POLICY: "The connection may not go on. Do not reconnect.",
    1009: "A message was larger than 64 KiB. Mend the client.",
    1011: "The daemon failed. Reconnect; nothing is lost.",
    CloseCode.TOKEN_REPLACED: "The token that the client sent was replaced. Read it again and reconnect.",
    CloseCode.EXPIRED: "The client fell behind what the log still holds. Reconnect at once, with a snapshot.",
    CloseCode.TOO_MANY_ERRORS: "Over 100 errors in a minute. Mend the client.",
    CloseCode.INCOMPATIBLE: "Refused for good, as is every code above. Do not reconnect.",
}
"""What a client does about each code. Those without a name here come from the WebSocket library."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds a client must keep, sent in `Hello`."""

    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_event_bytes: int = MAX_EVENT_BYTES
    max_names: int = MAX_NAMES
    messages_per_second: int = MESSAGES_PER_SECOND


ResumeFailure = Literal["log", "expired", "future"]
"""`log`: another log numbers the events now. `expired`: pruned. `future`: the daemon never sent that number."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame in extended mode. Exactly the events after `seq` follow."""

    protocol: int = PROTOCOL_VERSION
    version: str
    instance: str
    log: str
    seq: int
    floor: int
    """The oldest event that the log still holds has the number `floor + 1`."""
    head: int
    resumed: bool
    reason: ResumeFailure | None = None
    """Why a resume was refused; the stream starts at `head` then."""
    heartbeat_secs: int = HEARTBEAT_SECONDS
    limits: Limits = Limits()


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """The subscription in force from the event after `seq`."""

    events: tuple[str, ...]
    seq: int
    request_id: str | None = None


class Unsubscribed(msgspec.Struct, frozen=True, kw_only=True):
    """The subscription that is left from the event after `seq`."""

    events: tuple[str, ...]
    seq: int
    request_id: str | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmark: every event up to `seq` that the client asked for has been sent."""

    seq: int
    sent: int
    """How many events this connection was sent so far."""


class Resync(msgspec.Struct, frozen=True, kw_only=True):
    """The client's position is gone: it must take a snapshot; the connection closes with 4008."""

    reason: Literal["expired", "log"]


ErrorCode = Literal[
    "bad_json", "bad_message", "unknown_action", "invalid_field", "unknown_event", "too_many_names", "rate_limited"
]


class StreamError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A client message that was refused; it changed nothing, and the connection stays."""

    code: ErrorCode
    error: str
    field: str | None = None
    unknown: tuple[str, ...] | None = None
    known: tuple[str, ...] | None = None
    retry_after_ms: int | None = None
    request_id: str | None = None


ControlData = Hello | Subscribed | Unsubscribed | Heartbeat | Resync | StreamError

CONTROL_TYPES: dict[str, type[ControlData]] = {
    "Hello": Hello,
    "Subscribed": Subscribed,
    "Unsubscribed": Unsubscribed,
    "Heartbeat": Heartbeat,
    "Resync": Resync,
    "Error": StreamError,
}
CONTROL_NAMES: dict[type[ControlData], str] = {data: name for name, data in CONTROL_TYPES.items()}


class ControlFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A control frame on the wire: an event's shape without `seq`."""

    type: str
    timestamp: str
    data: ControlData


RequestId = Annotated[str, msgspec.Meta(max_length=128)]
"""A client's own name for an action; the reply has it too."""


class Subscribe(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="subscribe"
):
    """Ask for these events; the first subscribe narrows from all, later ones add, `["*"]` restores all."""

    events: tuple[str, ...]
    request_id: RequestId | None = None


class Unsubscribe(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="unsubscribe"
):
    """Ask for these events no longer."""

    events: tuple[str, ...]
    request_id: RequestId | None = None


Action = Subscribe | Unsubscribe
ACTION_NAMES: tuple[str, ...] = ("subscribe", "unsubscribe")
