"""Writes the generated parts of the reference pages: `python -m clown_daemon.protocol.reference PROTOCOL HTTP_API`.

The first page gets the events and control frames, the second the endpoints and problem codes. All of it is made of the
catalogue, the table of endpoints and the types, so neither page can drift from the code; a test compares them with what
this writes.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from clown_daemon.protocol import codec
from clown_daemon.protocol.endpoint import (
    KEY_HEADER,
    OF_EVERY_CALL,
    OF_EVERY_CLOSED_CALL,
    OF_EVERY_COMMAND,
    PATH_PARAMETERS,
    Endpoint,
    example_of,
    own_problems,
    parameters_of,
)
from clown_daemon.protocol.endpoints import ENDPOINTS
from clown_daemon.protocol.events import CATALOGUE, EventKind
from clown_daemon.protocol.examples import AT_MS, CONTROLS, EVENTS, LOG
from clown_daemon.protocol.openapi import example_reply
from clown_daemon.protocol.problems import MEANING, STATUS, ProblemCode
from clown_daemon.protocol.requests import NoBody
from clown_daemon.protocol.schemas import Schema, schemas_of
from clown_daemon.protocol.stream import CONTROL_NAMES, CONTROL_TYPES

BEGIN = "<!-- generated: make docs -->"
END = "<!-- end of the generated part -->"
DEFAULT_URL = "http://127.0.0.1:8765"


def write_stream_reference() -> str:
    """The generated part of the page about the stream."""
    parts = [BEGIN, "## Events\n", _event_table(), *(_event(kind) for kind in CATALOGUE)]
    parts += ["## Control frames\n", *(_control(name) for name in CONTROL_TYPES), END]
    return "\n".join(parts) + "\n"


def write_http_reference() -> str:
    """The generated part of the page about the HTTP API."""
    parts = [BEGIN, "## Endpoints\n", _endpoint_table(), *(_endpoint(endpoint) for endpoint in ENDPOINTS)]
    parts += ["## Problem codes\n", _problem_table(), END]
    return "\n".join(parts) + "\n"


def replace_generated(page: str, generated: str) -> str:
    """The page with its generated part replaced.

    Raises:
        ValueError: the page has no marked part.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise ValueError("the page has no generated part")
    return before + generated + after


# -- the stream -------------------------------------------------------------------------------------------------------


def _event_table() -> str:
    rows = [
        f"| [`{kind.name}`](#{kind.name.lower()}) | {', '.join(f'`{name}`' for name in kind.data.__struct_fields__)} "
        f"| `{kind.resource.__name__}` | {'yes' if kind.documented else 'addition'} |"
        for kind in CATALOGUE
    ]
    return "\n".join(["| event | `data` | `resource` | documented |", "|---|---|---|---|", *rows, ""])


def _event(kind: EventKind) -> str:
    data, resource = next(pair for pair in EVENTS if isinstance(pair[0], kind.data))
    return f"### {kind.name}\n\n{kind.summary}\n\n" + _json(
        codec.encode_event(data, resource, seq=42, log=LOG, at_ms=AT_MS)
    )


def _control(name: str) -> str:
    summary = (CONTROL_TYPES[name].__doc__ or "").splitlines()[0]
    example = next(data for data in CONTROLS if CONTROL_NAMES[type(data)] == name)
    return f"### {name}\n\n{summary}\n\n" + _json(codec.encode_control(example, at_ms=AT_MS))


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _endpoint_table() -> str:
    rows = [
        f"| [`{endpoint.method} {endpoint.path}`](#{_anchor(_title(endpoint))}) | {endpoint.summary} "
        f"| {endpoint.status} |"
        for endpoint in ENDPOINTS
    ]
    return "\n".join(["| call | does | success |", "|---|---|---|", *rows, ""])


def _title(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _anchor(title: str) -> str:
    """The name that GitHub gives the section: lower case, blanks as dashes, punctuation left out."""
    return "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "-_")


def _endpoint(endpoint: Endpoint) -> str:
    parts = [f"### {_title(endpoint)}\n", f"{endpoint.summary} {endpoint.note}".strip() + "\n"]
    if endpoint.open:
        parts.append("It needs no token, and answers also while the daemon shuts down.\n")
    rows = [*_path_rows(endpoint), *_field_rows(endpoint.query, "query"), *_header_rows(endpoint)]
    if endpoint.body is not NoBody:
        rows += _field_rows(endpoint.body, "body")
    if rows:
        parts.append("\n".join(["| name | in | type | meaning |", "|---|---|---|---|", *rows, ""]))
    parts.append(_curl(endpoint))
    reply = example_reply(endpoint)
    if reply is not None:
        parts.append(f"Answers {endpoint.status}:\n\n{_json(codec.encode(reply))}")
    if own := own_problems(endpoint):
        parts.append(f"Its own problems: {_codes(own)}.\n")
    return "\n".join(parts)


def _path_rows(endpoint: Endpoint) -> list[str]:
    return [f"| `{name}` | path | string | {PATH_PARAMETERS[name]} |" for name in parameters_of(endpoint)]


def _header_rows(endpoint: Endpoint) -> list[str]:
    if endpoint.is_command:
        return [f"| `{KEY_HEADER}` | header | string | see [retries](#commands-that-can-be-repeated) |"]
    if endpoint.cached:
        return ["| `If-None-Match` | header | string | the `ETag` you have; 304 when it is still true |"]
    return []


def _field_rows(struct: type[msgspec.Struct], place: str) -> list[str]:
    _, named = schemas_of([struct])
    return _schema_rows(struct.__name__, named, place, "")


def _schema_rows(name: str, named: dict[str, Schema], place: str, inside: str) -> list[str]:
    schema = named[name]
    needed = set(schema["required"])
    rows = []
    for field_name, field in schema["properties"].items():
        title = f"`{inside}{field_name}`{'' if field_name in needed else '?'}"
        rows.append(f"| {title} | {place} | {_type(field)} | {field.get('description', '')} |")
        item = field.get("items", {}).get("$ref")
        if item is not None:
            rows += _schema_rows(item.rpartition("/")[2], named, place, f"{field_name}[].")
    return rows


def _type(field: Schema) -> str:
    choices = [choice for choice in field.get("anyOf", [field]) if choice != {"type": "null"}]
    words = " or ".join(_one_type(choice) for choice in choices)
    default = field.get("default")
    if isinstance(default, list | tuple):
        default = " and ".join(map(str, default))
    return words if default in {None, ""} else f"{words}, {default} unless given"


def _one_type(choice: dict[str, Any]) -> str:
    if "enum" in choice:
        return ", ".join(f"`{value}`" for value in choice["enum"])
    if "$ref" in choice:
        return "object"
    if choice["type"] == "array":
        of, _, bounds = _one_type(choice["items"]).partition(" ")
        return f"{of}s {bounds}".rstrip()
    word = str(choice["type"])
    low, high = choice.get("minimum"), choice.get("maximum")
    if low is not None:
        word += f" {low} to {high}" if high is not None and high < 2**53 - 1 else f" from {low}"
    return f"{word}, at most {choice['maxLength']} characters" if "maxLength" in choice else word


def _curl(endpoint: Endpoint) -> str:
    words = ["curl"]
    if endpoint.method not in {"GET", "POST"} or (endpoint.method == "POST" and endpoint.example_body is None):
        words.append(f"-X {endpoint.method}")
    if endpoint.shape == "stream":
        words.append("-i -N -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'")
        words.append("-H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='")
    words.append(f"'{DEFAULT_URL}{example_of(endpoint)}'")
    if endpoint.example_body is not None:
        words.append("-H 'Content-Type: application/json'")
        given = {name: value for name, value in msgspec.to_builtins(endpoint.example_body).items() if value is not None}
        words.append(f"-d '{codec.encode(given).decode()}'")
    lines = " \\\n  ".join(words) if sum(map(len, words)) > 100 else " ".join(words)
    return f"```sh\n{lines}\n```\n"


def _codes(codes: Iterable[ProblemCode]) -> str:
    return ", ".join(f"`{code}` {STATUS[code]}" for code in dict.fromkeys(codes))


def _problem_table() -> str:
    shared = (
        f"Every call can answer {_codes(OF_EVERY_CALL)}; all but those that are open {_codes(OF_EVERY_CLOSED_CALL)}; "
        f"every command {_codes(OF_EVERY_COMMAND)}. Each call above lists its own.\n"
    )
    rows = [f"| `{code}` | {status} | {MEANING[code]} |" for code, status in STATUS.items()]
    return "\n".join([shared, "| code | status | meaning |", "|---|---|---|", *rows, ""])


def _json(text: bytes) -> str:
    return f"```json\n{msgspec.json.format(text, indent=2).decode()}\n```\n"


def main(arguments: list[str]) -> int:
    """Rewrite the page about the stream at the first path and the one about HTTP at the second."""
    for name, generated in zip(arguments, (write_stream_reference(), write_http_reference()), strict=True):
        page = Path(name)
        page.write_text(replace_generated(page.read_text("utf-8"), generated), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
