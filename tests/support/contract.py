"""Holds what a daemon really answers against the OpenAPI document, strictly: no field too many, none too few."""

import copy
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from clown_daemon import __version__
from clown_daemon.protocol.asyncapi import asyncapi_document
from clown_daemon.protocol.openapi import openapi_document

Document = dict[str, Any]


@cache
def openapi() -> Document:
    """The document as a client reads it."""
    return _as_read(openapi_document(__version__))


@cache
def asyncapi() -> Document:
    """The document as a client reads it."""
    return _as_read(asyncapi_document(__version__))


def assert_conforms(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Fail unless the document has this reply: its status, headers, media type and shape."""
    told = f"{method} {path} answered {status}: {body[:500]!r}"
    template = _template(method, path)
    if template is None:
        # Not of the API: refused in the same envelope.
        _assert_fits(_validator("#/components/schemas/Problem"), body, told)
        return
    responses = openapi()["paths"][template][method.lower()]["responses"]
    assert str(status) in responses, f"{told}; the document knows {', '.join(responses)}"
    response = responses[str(status)]
    needed = {name for name, header in response.get("headers", {}).items() if _resolved(header).get("required")}
    assert {name.lower() for name in needed} <= {name.lower() for name in headers}, told
    content = response.get("content")
    if content is None:
        assert not body, told
        return
    media_type = headers["content-type"].partition(";")[0]
    assert media_type in content, told
    if media_type == "application/json":
        _assert_fits(_reply_validator(template, method.lower(), str(status)), body, told)


def strict_validator(document: Document, name: str) -> jsonschema_rs.Validator:
    """A validator of a named schema that refuses fields which the document does not have."""
    return _compiled(document, {"$ref": f"#/components/schemas/{name}"})


@cache
def _validator(pointer: str) -> jsonschema_rs.Validator:
    return _compiled(openapi(), {"$ref": pointer})


@cache
def _reply_validator(path: str, method: str, status: str) -> jsonschema_rs.Validator:
    response = openapi()["paths"][path][method]["responses"][status]
    return _compiled(openapi(), response["content"]["application/json"]["schema"])


def _compiled(document: Document, schema: Document) -> jsonschema_rs.Validator:
    components = copy.deepcopy(document["components"])
    for component in components["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    return jsonschema_rs.Draft202012Validator({**schema, "components": components}, validate_formats=True)


def _assert_fits(validator: jsonschema_rs.Validator, body: bytes, told: str) -> None:
    errors = [f"{error.message} at {error.instance_path}" for error in validator.iter_errors(msgspec.json.decode(body))]
    assert not errors, f"{told}; {errors}"


def _template(method: str, path: str) -> str | None:
    """The path of the document that a call went to; None where the API has no such call."""
    bare = path.partition("?")[0]
    for template, operations in openapi()["paths"].items():
        if _pattern(template).fullmatch(bare) and method.lower() in operations:
            return str(template)
    return None


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _resolved(header: Document) -> Document:
    found: Document = openapi()["components"]["headers"][header["$ref"].rsplit("/", 1)[1]]
    return found


def _as_read(document: Document) -> Document:
    read: Document = msgspec.json.decode(msgspec.json.encode(document))
    return read
