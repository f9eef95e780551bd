"""Answers of the proxy's own, in the shape of the provider that the agent believes to talk to. Pure.

An agent shows the text of such an error to its user and decides by the status whether to try again.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from clown_daemon.manifests.wires import Wire

_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_OPENAI_TYPES = {401: "invalid_request_error", 429: "insufficient_quota"}
_GEMINI_STATUSES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 502: "UNAVAILABLE"}


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    reason: str
    """A stable word for `X-Clown-Error` and the record: `token`, `budget`, `connect`, ..."""


def error(wire: Wire | None, status: int, reason: str, message: str) -> Answer:
    """Answer an error as `wire`'s provider would.

    Args:
        wire: None where the request belongs to no format.
        status: the HTTP status.
        reason: a stable word.
        message: one sentence for a person.
    """
    shape = _SHAPES.get(wire or "anthropic", _anthropic)
    return Answer(status, msgspec.json.encode(shape(status, reason, message)), reason)


def _anthropic(status: int, _: str, message: str) -> object:
    return {"type": "error", "error": {"type": _ANTHROPIC_TYPES.get(status, "api_error"), "message": message}}


def _openai(status: int, reason: str, message: str) -> object:
    kind = _OPENAI_TYPES.get(status, "api_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": reason}}


def _gemini(status: int, _: str, message: str) -> object:
    return {"error": {"code": status, "message": message, "status": _GEMINI_STATUSES.get(status, "INTERNAL")}}


_SHAPES: dict[str, Callable[[int, str, str], object]] = {
    "anthropic": _anthropic,
    "openai": _openai,
    "openai-chat": _openai,
    "gemini": _gemini,
}
