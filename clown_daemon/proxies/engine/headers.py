"""Headers on their way through: order and repetition stay, what belongs to one connection goes, the key is swapped.

Source: RFC 9110 §7.6.1 (fields of a connection, and whatever `Connection` names), §7.6.3 (`Via` is left out on purpose:
a provider is not told of the proxy), §10.1.1 (`Expect` is answered here).
"""

from collections.abc import Iterable

from clown_daemon.proxies.engine.instructions import Upstream
from clown_daemon.proxies.metering.decoding import ENCODINGS

Header = tuple[str, str]

CONNECTION_FIELDS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Meant for one connection, not for who is behind it."""

CREDENTIALS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})
"""Where agents put a key: the local token never leaves this machine."""


def as_text(raw: Iterable[tuple[bytes, bytes]]) -> list[Header]:
    """Answer headers as text; a byte that is no UTF-8 comes out as the same byte again when it is sent."""
    return [(name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in raw]


def to_upstream(headers: Iterable[Header], upstream: Upstream, token: str) -> list[Header]:
    """Answer the headers of a request as the provider gets them, without `Host` and `Content-Length`.

    Args:
        headers: as the agent sent them, in order.
        upstream: whose key takes the place of the agent's; where it says so, the agent's passes.
        token: the local one, which never does.
    """
    headers = list(headers)
    dropped = CONNECTION_FIELDS | _named_by_connection(headers) | {"host", "content-length", "expect"}
    if upstream.key_header != "none":
        dropped |= CREDENTIALS
    kept = [_readable((name, value)) for name, value in headers if name.lower() not in dropped and token not in value]
    return [*kept, *_key(upstream)]


def to_agent(headers: Iterable[Header]) -> list[Header]:
    """Answer the headers of an answer as the agent gets them, in order, repetitions kept."""
    headers = list(headers)
    dropped = CONNECTION_FIELDS | _named_by_connection(headers)
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _named_by_connection(headers: list[Header]) -> frozenset[str]:
    named = [value for name, value in headers if name.lower() == "connection"]
    return frozenset(part.strip().lower() for value in named for part in value.split(",") if part.strip())


def _readable(header: Header) -> Header:
    """Ask only for encodings that the meter can read; agents ask for those alone, so it stays as it came."""
    name, value = header
    if name.lower() != "accept-encoding":
        return header
    offered = [part.strip() for part in value.split(",")]
    kept = [part for part in offered if part.partition(";")[0].strip().lower() in ENCODINGS]
    return header if kept == offered else (name, ", ".join(kept) or "identity")


def _key(upstream: Upstream) -> tuple[Header, ...]:
    if upstream.key is None:
        return ()
    match upstream.key_header:
        case "x-api-key" | "x-goog-api-key":
            return ((upstream.key_header, upstream.key),)
        case "bearer":
            return (("Authorization", f"Bearer {upstream.key}"),)
        case "none":
            return ()
