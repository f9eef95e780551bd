"""Which requests bill: told from method and path alone, since agents put them below any prefix. Pure."""

from typing import Literal, NamedTuple

from clown_daemon.manifests.wires import Wire

Kind = Literal["generate", "count", "other"]
"""`generate` bills; `count` counts tokens; `other` is passed on and forgotten: models, files."""


class Call(NamedTuple):
    """What a request is about."""

    kind: Kind
    wire: Wire | None = None
    """How the answer is read; None where nothing is."""
    model: str | None = None
    """Where the path names it: Gemini's."""


OTHER = Call("other")


def recognise(method: str, path: str) -> Call:
    """Answer what a request is about.

    Args:
        method: upper case.
        path: without the query, percent-encoding as it came.
    """
    if method != "POST":
        return OTHER
    path = path.rstrip("/")
    if path.endswith("/messages/count_tokens"):
        return Call("count", "anthropic")
    if path.endswith("/messages"):
        return Call("generate", "anthropic")
    if path.endswith("/chat/completions"):
        return Call("generate", "openai-chat")
    if path.endswith(("/responses", "/responses/compact")):
        return Call("generate", "openai")
    return _gemini(path)


def _gemini(path: str) -> Call:
    _, models, rest = path.rpartition("/models/")
    name, _, verb = rest.partition(":")
    if models and verb in {"generateContent", "streamGenerateContent"}:
        return Call("generate", "gemini", name)
    if models and verb == "countTokens":
        return Call("count", "gemini", name)
    return OTHER
