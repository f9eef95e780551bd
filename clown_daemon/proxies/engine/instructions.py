"""What the daemon tells a proxy: one JSON line on standard input, and another one whenever something changes.

Keys travel here and nowhere else: not in arguments, not in the environment, not in a file.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from clown_daemon.manifests.wires import Wire

KeyHeader = Literal["x-api-key", "bearer", "x-goog-api-key", "none"]
"""How an upstream takes its key; `none`: the agent's own credential passes through."""


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of a provider."""

    provider: str
    url: str
    """Ends where the wire format's clients expect it to, as in a provider's manifest."""
    wire: Wire
    key: str | None = None
    key_header: KeyHeader = "bearer"
    model: str | None = None
    """Asked for instead of whatever model the agent asks for."""

    def __repr__(self) -> str:
        return f"Upstream(provider={self.provider!r}, url={self.url!r})"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Sends requests that fit to another upstream. All conditions that are given must hold; none always does."""

    upstream: str
    priority: int = 0
    """The highest that fits decides; of equal ones the first."""
    thinking: bool | None = None
    """Whether the request asks for thinking."""
    tokens_over: Annotated[int, Meta(ge=0)] | None = None
    """The size of the prompt: as the provider counted the session's last one, else a quarter of the bytes."""
    tools_at_least: Annotated[int, Meta(ge=0)] | None = None
    model: str | None = None
    """A glob, such as `claude-haiku-*`."""
    set_model: str | None = None
    """Asked for instead of the upstream's model."""


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one proxy needs to know."""

    profile: str
    agent_id: str
    token: str
    """What the agent must show instead of a key."""
    upstreams: dict[str, Upstream]
    default: str
    """The upstream of requests that no rule sends elsewhere."""
    rules: tuple[Rule, ...] = ()
    fallbacks: tuple[str, ...] = ()
    """Where a request goes next when an upstream fails before the first byte of its answer."""
    upstream_proxy: str | None = None
    """An HTTP proxy on the way to providers that are not on this machine."""
    ca_file: str | None = None
    """Certificates to trust besides the system's."""
    ask_for_usage: bool = True
    """Whether streams of Chat Completions are asked for their usage when the agent did not ask."""
    refusal: str | None = None
    """Why nothing is passed on at all right now, such as a budget that is spent; told to the agent."""

    def __repr__(self) -> str:
        return f"Instructions(profile={self.profile!r})"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One line of standard input."""

    op: Literal["start", "reload", "drain"]
    instructions: Instructions | None = None
    """With `start` and `reload`."""


def decode_order(line: bytes) -> Order:
    """Read one line.

    Raises:
        ValueError: it is no order; without the cause, which would quote a key.
    """
    try:
        return msgspec.json.decode(line, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("a line of standard input is no order") from None
