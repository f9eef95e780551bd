"""Keeps an agent's requests to its proxy out of the network's proxy. Pure.

Agents hang, or are refused, where `HTTPS_PROXY` is set and loopback is not excepted.
"""

from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def with_loopback_direct(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep the loopback out of any proxy, in both spellings, beside what the user listed."""
    upper, lower = environ.get("NO_PROXY"), environ.get("no_proxy")
    return {
        "NO_PROXY": _with_loopback(upper if upper is not None else lower),
        "no_proxy": _with_loopback(lower if lower is not None else upper),
    }


def _with_loopback(listed: str | None) -> str:
    names = [name.strip() for name in (listed or "").split(",") if name.strip()]
    return ",".join((*names, *(name for name in LOOPBACK if name not in names)))
