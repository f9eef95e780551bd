"""What a proxy writes down of each request: one JSON line in its spool, read by the daemon at any later time.

Records have stable ids, so a line that is read twice counts once. No body, no key and no prompt is ever in one.
"""

from typing import Literal

import msgspec

from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.metering.measured import Counts
from clown_daemon.store.ledger import ServiceTier

CallKind = Literal["generate", "count", "other"]
Kind = Literal["begin", "partial", "end"]
"""`begin`: sent upstream. `partial`: what a stream that goes on has billed so far. `end`: how it ended."""
Ended = Literal["whole", "cut", "cancelled", "failed", "refused"]
"""`whole`: to the last byte. `cut`: the upstream broke off. `cancelled`: the agent went away. `failed`: no upstream
answered. `refused`: answered by the proxy itself."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    v: int = 1
    id: str
    """`BOOT:NUMBER`, the same in all records of one request."""
    kind: Kind
    at_ms: int
    profile: str
    agent_id: str
    provider: str | None = None
    wire: Wire | None = None
    call: CallKind = "generate"
    session: str | None = None
    model_requested: str | None = None
    model: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    status: int | None = None
    ended: Ended | None = None
    attempt: int = 1
    counts: Counts | None = None
    tier: ServiceTier = "standard"
    complete: bool = False
    cost_usd: float | None = None
    first_ms: float | None = None
    """From the request to the first byte of the answer."""
    total_ms: float | None = None
    problem: str | None = None
    """Why it could not be metered, or why it failed."""
