"""From the path that an agent asks for to the address at the provider. Pure.

Agents build paths on the base address they were given: Claude Code adds `/v1/messages`, OpenCode `/messages`, Codex
`/responses`. The version stands once in the result, wherever the two halves say it.
"""

import re
from urllib.parse import parse_qsl, urlencode

from clown_daemon.manifests.wires import Wire

_IMPLIED: dict[Wire, str] = {"anthropic": "/v1", "gemini": "/v1beta"}
"""Formats whose base addresses are written without a version, and the version that is meant."""
_FIRST_VERSION = re.compile(r"/v\d[^/]*(?=/|$)")
_LAST_VERSION = re.compile(r"/v\d[^/]*$")

TOKEN_FOLDER = "/p/"  # noqa: S105  # where in a path the token stands, not a token
"""An agent that logs in with an account of its own shows the token in the path: `/p/TOKEN/v1/messages`."""


def split_token(path: str) -> tuple[str | None, str]:
    """Take the token out of a path that carries it; the path alone is what the provider sees."""
    if not path.startswith(TOKEN_FOLDER):
        return None, path
    token, slash, rest = path[len(TOKEN_FOLDER) :].partition("/")
    return token, slash + rest if slash else "/"


def address(base_url: str, wire: Wire, path: str, query: str) -> str:
    """Answer where a request goes.

    Args:
        base_url: the upstream's, as a manifest writes it.
        wire: what it speaks.
        path: as the agent asked, without the token; percent-encoding stays as it came.
        query: without the question mark; `key=` is left out, since it may hold the local token.
    """
    base, version, proper = base_url.rstrip("/"), "", path
    while found := _FIRST_VERSION.match(proper):
        version, proper = found[0], proper[found.end() :]
    if not _LAST_VERSION.search(base):
        base += version or _IMPLIED.get(wire, "")
    asked = _without_key(query)
    return f"{base}{proper or '/'}{'?' if asked else ''}{asked}"


def _without_key(query: str) -> str:
    if "key=" not in query:
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name != "key"])
