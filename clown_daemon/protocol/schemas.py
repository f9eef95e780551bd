"""JSON Schemas (2020-12) of everything that crosses the wire, made of the types themselves.

What a caller sends is described strictly, as it is read. What the daemon sends is described as it is written: every
field is there, and a client must skip fields that it does not know.
"""

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import msgspec

from clown_daemon.protocol import events, problems, replies, requests, resources, stream, usage_reports
from clown_daemon.protocol.events import CATALOGUE, EventKind

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
INSTANT: Schema = {"type": "string", "format": "date-time"}

_MODULES: tuple[ModuleType, ...] = (events, problems, replies, requests, resources, stream, usage_reports)
STRUCTS: dict[str, type[msgspec.Struct]] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct
}
"""Every type of the contract, by name."""


def reference(name: str) -> Schema:
    """Point to a named schema."""
    return {"$ref": REFERENCE.format(name=name)}


def schemas_of(types: Iterable[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each type, and the named schemas that they point to, sorted by name."""
    shapes, named = msgspec.json.schema_components(list(types), ref_template=REFERENCE)
    return list(shapes), {name: _finished(name, schema) for name, schema in sorted(named.items())}


def event_schemas() -> dict[str, Schema]:
    """The schema of each event as it stands on the wire, and of `Event`, which is any of them."""
    kinds = {f"{kind.name}Event": _event(kind) for kind in CATALOGUE}
    any_event = {
        "title": "Event",
        "description": "One event of the stream.",
        "oneOf": [reference(name) for name in kinds],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind.name: REFERENCE.format(name=f"{kind.name}Event") for kind in CATALOGUE},
        },
    }
    return {"Event": any_event, **kinds}


def frame_schema(name: str, data: type[msgspec.Struct]) -> Schema:
    """The schema of a control frame as it stands on the wire."""
    return _object(
        f"{name}Frame",
        summary_of(data),
        {"type": {"const": name}, "timestamp": INSTANT, "data": reference(data.__name__)},
    )


@cache
def field_notes() -> dict[str, dict[str, str]]:
    """The docstrings under the fields, by type and field: Python drops them, its source has them."""
    notes: dict[str, dict[str, str]] = {}
    for module in _MODULES:
        try:
            source = inspect.getsource(module)
        except OSError:  # no source on this machine: the schemas say less, and are as right
            continue
        for definition in ast.parse(source).body:
            if isinstance(definition, ast.ClassDef):
                notes[definition.name] = _notes_in(definition)
    return notes


def _notes_in(definition: ast.ClassDef) -> dict[str, str]:
    notes: dict[str, str] = {}
    for field, note in pairwise(definition.body):
        match field, note:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                notes[name] = " ".join(text.split())
            case _:
                pass
    return notes


def summary_of(struct: type[msgspec.Struct]) -> str:
    """The first line of a type's docstring."""
    return (struct.__doc__ or "").split("\n", maxsplit=1)[0]


def _event(kind: EventKind) -> Schema:
    return _object(
        f"{kind.name}Event",
        kind.summary,
        {
            "type": {"const": kind.name},
            "timestamp": INSTANT,
            "data": reference(kind.data.__name__),
            "seq": {"type": "integer", "minimum": 1, "description": "+1 per event across all types."},
            "log": {"type": "string", "description": "The log that numbers the events."},
            "at_ms": {"type": "integer", "description": "The instant in epoch milliseconds."},
            "resource": {
                "description": "The whole new state of what the event is about; null when it is gone.",
                "anyOf": [reference(kind.resource.__name__), {"type": "null"}],
            },
        },
    )


def _object(title: str, description: str, properties: dict[str, Schema]) -> Schema:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _notes_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The notes of a type's own fields and of those that it inherits."""
    notes: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        notes |= field_notes().get(base.__name__, {})
    return notes


def _read_from_numbers(field: Schema) -> Schema:
    """Decimals are read from numbers as well; the library describes the text alone."""
    if field.get("format") != "decimal":
        return field
    text = {"type": "string", "format": "decimal"}
    return {"anyOf": [{**{rule: bound for rule, bound in field.items() if rule not in text}, "type": "number"}, text]}


def _finished(name: str, schema: Schema) -> Schema:
    struct = STRUCTS[name]
    schema["description"] = " ".join(inspect.cleandoc(struct.__doc__ or "").split())
    if "properties" not in schema:
        return schema
    properties = schema["properties"] = {
        name: _read_from_numbers(field) for name, field in schema["properties"].items()
    }
    for field, note in _notes_of(struct).items():
        properties[field] = {**properties[field], "description": note}
    schema |= requests.RULES.get(name, {})
    config = struct.__struct_config__
    if not config.forbid_unknown_fields:
        for field in properties.values():
            field.pop("default", None)
        if not config.omit_defaults:
            schema["required"] = list(properties)
    return schema
