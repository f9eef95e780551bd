"""What a request's body says about routing, and the two changes that are ever made to one. Pure.

A body is changed by cutting out the bytes of one value and putting others in: everything else stays as the agent wrote
it, to the byte.
"""

import json
import re

import msgspec

from clown_daemon.manifests.wires import Wire


class Asked(msgspec.Struct, frozen=True):
    """The parts of a request that routing looks at. Fields that are not there, or of another shape, are None."""

    model: str | None = None
    stream: bool = False
    thinking: bool = False
    tools: int = 0
    wants_usage: bool = False


class _Thinking(msgspec.Struct, frozen=True):
    type: str | None = None


class _Reasoning(msgspec.Struct, frozen=True):
    effort: str | None = None


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class _Body(msgspec.Struct, frozen=True):
    model: str | None = None
    stream: bool | None = None
    thinking: _Thinking | None = None
    reasoning: _Reasoning | None = None
    reasoning_effort: str | None = None
    tools: list[msgspec.Raw] | None = None
    stream_options: _StreamOptions | None = None


_decoder = msgspec.json.Decoder(_Body)


def read_body(body: bytes) -> Asked:
    """Look into a body; one that cannot be read asks for nothing in particular."""
    try:
        read = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Asked()
    effort = read.reasoning_effort or (read.reasoning.effort if read.reasoning else None)
    thinking = read.thinking is not None and read.thinking.type not in {None, "disabled"}
    options = read.stream_options
    return Asked(
        model=read.model,
        stream=bool(read.stream),
        thinking=thinking or effort not in {None, "none", "minimal"},
        tools=len(read.tools or ()),
        wants_usage=options is not None and bool(options.include_usage),
    )


def with_model(body: bytes, old: str, new: str) -> bytes:
    """Put another model's name into a body; the body itself where the name cannot be found for sure."""
    written = json.dumps(new).encode()
    for found in re.finditer(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")', body):
        changed = body[: found.start(1)] + written + body[found.end(1) :]
        # Only the outermost "model" is the request's; tools and messages may have fields of that name too.
        if read_body(changed).model == new and msgspec.json.decode(found[1]) == old:
            return changed
    return body


def with_usage_asked(body: bytes) -> bytes:
    """Ask a stream of Chat Completions for its usage, in a body that asks for none."""
    start = body.find(b"{")
    if start < 0:
        return body
    rest = body[start + 1 :].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    changed = body[: start + 1] + b'"stream_options":{"include_usage":true}' + comma + body[start + 1 :]
    return changed if read_body(changed).wants_usage else body


def with_model_in_path(path: str, wire: Wire, old: str, new: str) -> str:
    """Put another model's name into the path of a Gemini request."""
    return path.replace(f"/models/{old}:", f"/models/{new}:", 1) if wire == "gemini" else path
