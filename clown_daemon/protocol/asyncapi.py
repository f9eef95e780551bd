"""The event stream as an AsyncAPI 3.0 document, made of the catalogue of events and the types of `protocol.stream`.

The operations are told from the daemon's side, as AsyncAPI wants it: it sends events and control frames, and receives
actions.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import CATALOGUE
from clown_daemon.protocol.examples import AT_MS, CONTROLS, EVENTS, LOG
from clown_daemon.protocol.requests import StreamQuery
from clown_daemon.protocol.schemas import Schema, event_schemas, frame_schema, reference, schemas_of, summary_of
from clown_daemon.protocol.stream import (
    CLOSE_MEANING,
    CONTROL_NAMES,
    CONTROL_TYPES,
    ERRORS_PER_MINUTE,
    HEARTBEAT_SECONDS,
    MAX_CONNECTIONS,
    MAX_EVENT_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_NAMES,
    MESSAGE_BURST,
    MESSAGES_PER_SECOND,
    Subscribe,
    Unsubscribe,
)

_ACTIONS: dict[str, tuple[type[msgspec.Struct], object]] = {
    "Subscribe": (Subscribe, Subscribe(events=("ProfileCreated", "Usage*"), request_id="7")),
    "Unsubscribe": (Unsubscribe, Unsubscribe(events=("Usage*",))),
}
_DESCRIPTION = f"""\
Everything that changes in a Clown daemon, as it happens.

**Plain**: connect to `/ws` and send nothing; every documented event from now on comes, and nothing else.

**Extended**: connect with any of `hello=1`, `since=&log=` or `events=`, or send an action; control frames come too. \
They have the shape of an event without `seq`. With `since` and `log` every later event comes first; `Hello.resumed` \
says whether the log still had them. A `Heartbeat` comes every {HEARTBEAT_SECONDS} s.

Each event is one text message, never compressed, at most {MAX_EVENT_BYTES} bytes. `seq` grows by one per event \
across all types and is never used twice in one `log`. Messages may get further fields, and the stream further events: \
skip what you do not know.

Limits: {MAX_CONNECTIONS} connections, {MAX_MESSAGE_BYTES} bytes a message, {MAX_NAMES} names a subscription, \
{MESSAGES_PER_SECOND} messages a second (burst {MESSAGE_BURST}), {ERRORS_PER_MINUTE} errors a minute.
"""


def asyncapi_document(version: str) -> dict[str, Any]:
    """Build the document.

    Args:
        version: the daemon's.
    """
    messages = _messages()
    types: list[Any] = [kind.data for kind in CATALOGUE] + [kind.resource for kind in CATALOGUE]
    types += [StreamQuery, *CONTROL_TYPES.values(), *(action for action, _ in _ACTIONS.values())]
    _, named = schemas_of(types)
    # Messages are told apart by their own schemas here; the discriminator is OpenAPI's.
    events = {name: schema for name, schema in event_schemas().items() if name != "Event"}
    frames = {f"{name}Frame": frame_schema(name, data) for name, data in CONTROL_TYPES.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Clown daemon, the event stream",
            "version": version,
            "description": f"{_DESCRIPTION}\nClose codes:\n\n{_close_codes()}\n",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:{port}",
                "protocol": "ws",
                "variables": {"port": {"default": "8765", "description": "The daemon's one port."}},
                "description": "Loopback only. A caller that the daemon does not know sends the bearer token.",
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            }
        },
        "channels": {
            "stream": {
                "address": "/ws",
                "description": "The event stream.",
                "servers": [{"$ref": "#/servers/local"}],
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {"method": "GET", "query": named.pop("StreamQuery"), "bindingVersion": "0.1.0"},
                },
            }
        },
        "operations": {
            "sendEvents": _operation("send", "Events, in both modes.", (kind.name for kind in CATALOGUE)),
            "sendControlFrames": _operation("send", "Control frames, in extended mode.", CONTROL_TYPES),
            "receiveActions": _operation("receive", "What a client may ask for; it begins extended mode.", _ACTIONS),
        },
        "components": {
            "messages": messages,
            "schemas": _as_draft_07({**named, **events, **frames}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The text of the token file."}
            },
        },
    }


def _as_draft_07(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Write tuples as AsyncAPI's own dialect has them; nothing else that is used here differs."""
    for schema in schemas.values():
        if "prefixItems" in schema:
            schema["items"] = schema.pop("prefixItems")
    return schemas


def _operation(action: str, summary: str, messages: Iterable[str]) -> Schema:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in messages],
    }


def _messages() -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for data, resource in EVENTS:
        name = type(data).__name__
        frame = codec.encode_event(data, resource, seq=42, log=LOG, at_ms=AT_MS)
        found[name] = _message(name, summary_of(type(data)), f"{name}Event", msgspec.json.decode(frame))
    for control in CONTROLS:
        name = CONTROL_NAMES[type(control)]
        frame = codec.encode_control(control, at_ms=AT_MS)
        found[name] = _message(name, summary_of(type(control)), f"{name}Frame", msgspec.json.decode(frame))
    for name, (action, example) in _ACTIONS.items():
        found[name] = _message(name, summary_of(action), name, msgspec.to_builtins(example))
    return found


def _message(name: str, summary: str, schema: str, example: object) -> Schema:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": reference(schema),
        "examples": [{"name": name, "payload": example}],
    }


def _close_codes() -> str:
    return "\n".join(f"* {code:d}: {meaning}" for code, meaning in CLOSE_MEANING.items())
