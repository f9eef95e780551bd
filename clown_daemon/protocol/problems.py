"""Every failure a caller can see: a stable code, its HTTP status, one sentence, and a hint where there is a cure.

Source: the envelope of the HTTP contract, `{"success": false, "error", "code", "hint"?}`.
"""

from enum import StrEnum

import msgspec


class ProblemCode(StrEnum):
    """Stable names of failures; clients may branch on them."""

    BAD_JSON = "bad_json"
    BAD_REQUEST = "bad_request"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_PARAMETER = "unknown_parameter"
    UNKNOWN_EVENT = "unknown_event"
    UNAUTHORIZED = "unauthorized"
    FOREIGN_HOST = "foreign_host"
    FOREIGN_ORIGIN = "foreign_origin"
    FOREIGN_USER = "foreign_user"
    NOT_FOUND = "not_found"
    UNKNOWN_PROFILE = "unknown_profile"
    UNKNOWN_AGENT = "unknown_agent"
    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    UNKNOWN_BUDGET = "unknown_budget"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PROFILE_EXISTS = "profile_exists"
    PROFILE_RUNNING = "profile_running"
    PROFILE_NOT_RUNNING = "profile_not_running"
    UNKNOWN_RUN = "unknown_run"
    RUN_BEGUN = "run_begun"
    PROXY_RUNNING = "proxy_running"
    PROXY_NOT_RUNNING = "proxy_not_running"
    PROXY_FAILED = "proxy_failed"
    PORT_TAKEN = "port_taken"
    AGENT_NOT_INSTALLED = "agent_not_installed"
    INCOMPATIBLE_PROVIDER = "incompatible_provider"
    BUSY = "busy"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    REPLY_LOST = "reply_lost"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UPGRADE_REQUIRED = "upgrade_required"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    RATE_LIMITED = "rate_limited"
    SPAWN_FAILED = "spawn_failed"
    SHUTTING_DOWN = "shutting_down"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL = "internal"


STATUS: dict[ProblemCode, int] = {
    ProblemCode.BAD_JSON: 400,
    ProblemCode.BAD_REQUEST: 400,
    ProblemCode.INVALID_FIELD: 400,
    ProblemCode.UNKNOWN_FIELD: 400,
    ProblemCode.UNKNOWN_PARAMETER: 400,
    ProblemCode.UNKNOWN_EVENT: 400,
    ProblemCode.UNAUTHORIZED: 401,
    ProblemCode.FOREIGN_HOST: 403,
    ProblemCode.FOREIGN_ORIGIN: 403,
    ProblemCode.FOREIGN_USER: 403,
    ProblemCode.NOT_FOUND: 404,
    ProblemCode.UNKNOWN_PROFILE: 404,
    ProblemCode.UNKNOWN_AGENT: 404,
    ProblemCode.UNKNOWN_PROVIDER: 404,
    ProblemCode.UNKNOWN_ENDPOINT: 400,
    ProblemCode.UNKNOWN_BUDGET: 404,
    ProblemCode.METHOD_NOT_ALLOWED: 405,
    ProblemCode.PROFILE_EXISTS: 409,
    ProblemCode.PROFILE_RUNNING: 409,
    ProblemCode.PROFILE_NOT_RUNNING: 409,
    ProblemCode.UNKNOWN_RUN: 404,
    ProblemCode.RUN_BEGUN: 409,
    ProblemCode.PROXY_RUNNING: 409,
    ProblemCode.PROXY_NOT_RUNNING: 409,
    ProblemCode.PROXY_FAILED: 500,
    ProblemCode.PORT_TAKEN: 409,
    ProblemCode.AGENT_NOT_INSTALLED: 409,
    ProblemCode.INCOMPATIBLE_PROVIDER: 400,
    ProblemCode.BUSY: 409,
    ProblemCode.IDEMPOTENCY_KEY_REUSED: 409,
    ProblemCode.REPLY_LOST: 409,
    ProblemCode.GONE: 410,
    ProblemCode.TOO_LARGE: 413,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ProblemCode.UPGRADE_REQUIRED: 426,
    ProblemCode.TOO_MANY_CONNECTIONS: 503,
    ProblemCode.RATE_LIMITED: 429,
    ProblemCode.SPAWN_FAILED: 500,
    ProblemCode.SHUTTING_DOWN: 503,
    ProblemCode.STORE_UNAVAILABLE: 503,
    ProblemCode.INTERNAL: 500,
}
"""The HTTP status of each code; complete, a test walks it."""

MEANING: dict[ProblemCode, str] = {
    ProblemCode.BAD_JSON: "The body is not JSON.",
    ProblemCode.BAD_REQUEST: "The request is broken or not whole.",
    ProblemCode.INVALID_FIELD: "A field, parameter or header has a value that cannot be.",
    ProblemCode.UNKNOWN_FIELD: "The body has a field that the call does not know; the hint names the nearest one.",
    ProblemCode.UNKNOWN_PARAMETER: "The call does not know a query parameter; the hint names the nearest one.",
    ProblemCode.UNKNOWN_EVENT: "A name matches no event; the hint names the nearest one.",
    ProblemCode.UNAUTHORIZED: "The token is missing or wrong.",
    ProblemCode.FOREIGN_HOST: "The `Host` header names another machine.",
    ProblemCode.FOREIGN_ORIGIN: "A web page of another origin calls.",
    ProblemCode.FOREIGN_USER: "Another user of this machine calls, without the token.",
    ProblemCode.NOT_FOUND: "There is nothing at this path.",
    ProblemCode.UNKNOWN_PROFILE: "There is no such profile.",
    ProblemCode.UNKNOWN_AGENT: "There is no such agent.",
    ProblemCode.UNKNOWN_PROVIDER: "There is no such provider.",
    ProblemCode.UNKNOWN_ENDPOINT: "The provider has no such endpoint.",
    ProblemCode.UNKNOWN_BUDGET: "There is no such budget.",
    ProblemCode.METHOD_NOT_ALLOWED: "The path does not know this method; `Allow` lists those it knows.",
    ProblemCode.PROFILE_EXISTS: "The alias is taken.",
    ProblemCode.PROFILE_RUNNING: "The profile runs.",
    ProblemCode.PROFILE_NOT_RUNNING: "The profile does not run.",
    ProblemCode.UNKNOWN_RUN: "There is no such interactive run under way.",
    ProblemCode.RUN_BEGUN: "The run has begun already.",
    ProblemCode.PROXY_RUNNING: "The profile's proxy runs.",
    ProblemCode.PROXY_NOT_RUNNING: "The profile's proxy does not run.",
    ProblemCode.PROXY_FAILED: "The profile's proxy did not start; the sentence has its last words.",
    ProblemCode.PORT_TAKEN: "Another program, or the proxy of another profile, has the port.",
    ProblemCode.AGENT_NOT_INSTALLED: "The profile's agent is not installed.",
    ProblemCode.INCOMPATIBLE_PROVIDER: "The agent cannot talk to the provider.",
    ProblemCode.BUSY: "Somebody needs the daemon: a client, a run or a command.",
    ProblemCode.IDEMPOTENCY_KEY_REUSED: "The `Idempotency-Key` belongs to another request.",
    ProblemCode.REPLY_LOST: "The first request with this `Idempotency-Key` was begun, and its reply was not kept: the"
    " daemon ended meanwhile, or its disk was full. Nothing is done a second time; look at what stands now.",
    ProblemCode.GONE: "These events are no longer kept.",
    ProblemCode.TOO_LARGE: "The body is larger than 1 MiB.",
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: "The body is not declared as `application/json`.",
    ProblemCode.UPGRADE_REQUIRED: "The path is a WebSocket.",
    ProblemCode.TOO_MANY_CONNECTIONS: "Too many clients are connected; `Retry-After` says when to come again.",
    ProblemCode.RATE_LIMITED: "Too many requests in a short time; `Retry-After` says when to come again.",
    ProblemCode.SPAWN_FAILED: "The agent's program did not start.",
    ProblemCode.SHUTTING_DOWN: "The daemon is shutting down.",
    ProblemCode.STORE_UNAVAILABLE: "The database refuses: the disk is full, or the file is damaged.",
    ProblemCode.INTERNAL: "Something went wrong inside the daemon; its log has the cause under `request_id`.",
}
"""What each code means; complete, a test walks it."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every failed reply."""

    success: bool
    error: str
    code: str
    hint: str | None = None
    request_id: str | None = None
    """Only for `internal`: the number under which the daemon's log has the cause."""
