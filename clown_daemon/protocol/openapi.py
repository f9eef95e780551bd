"""The HTTP API as an OpenAPI 3.1 document, made of the table of endpoints and the types."""

from collections.abc import Iterable
from typing import Any

import msgspec

from clown_daemon.protocol.endpoint import (
    KEY_HEADER,
    KEY_HOURS,
    MAX_KEY_CHARACTERS,
    PATH_PARAMETERS,
    REPLAYED_HEADER,
    Endpoint,
    parameters_of,
    problems_of,
)
from clown_daemon.protocol.endpoints import ENDPOINTS
from clown_daemon.protocol.events import CATALOGUE
from clown_daemon.protocol.examples import PROBLEMS, REPLIES
from clown_daemon.protocol.problems import MEANING, STATUS, Problem, ProblemCode
from clown_daemon.protocol.schemas import Schema, event_schemas, reference, schemas_of, summary_of

JSON = "application/json"
CSV = "text/csv"
FILE_NAME = "Content-Disposition"
IN_ENVELOPE = frozenset({"envelope", "table"})
KEY_PATTERN = f"^[!-~]{{1,{MAX_KEY_CHARACTERS}}}$"

_DESCRIPTION = f"""\
The HTTP API of the Clown daemon, on loopback.

Success is `{{"success": true, "data": ...}}`, failure `{{"success": false, "error", "code", "hint"?}}`, for every \
failure there is; `code` is stable. Unknown query parameters and unknown body fields are refused with 400 and the \
nearest known name. Replies may get further fields: skip those that you do not know. A body is `application/json`.

A command with an `{KEY_HEADER}` is carried out once: the same request with the same key within {KEY_HOURS} hours \
gets the first reply again, with `{REPLAYED_HEADER}: true`.

The token is asked of callers that the daemon does not know by other means; a wrong one is always refused.
"""
_STATUS_WORDS = {101: "The WebSocket is open.", 200: "Done.", 201: "Created.", 202: "Begun."}
_HEADERS: dict[str, Schema] = {
    FILE_NAME: {"description": "A name for the file.", "schema": {"type": "string"}, "required": True},
    "ETag": {"description": "The identity of this reply.", "schema": {"type": "string"}, "required": True},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"const": "Bearer"}, "required": True},
    REPLAYED_HEADER: {
        "description": "This is the first reply to this key once more; nothing was done.",
        "schema": {"const": "true"},
    },
}
"""Those that a reply can have, apart from `Content-Type`."""
_REPLAYED_FAILURES = frozenset({409, 500})
"""A failure is kept for a retry only when something was changed before it: a run that is in the books and failed."""
_EXAMPLES: dict[type, object] = {type(value): value for value in REPLIES.values()}


def openapi_document(version: str, endpoints: Iterable[Endpoint] = ENDPOINTS) -> dict[str, Any]:
    """Build the document.

    Args:
        version: the daemon's.
        endpoints: what it describes.
    """
    described = tuple(endpoints)
    types: list[Any] = [Problem, *(kind.data for kind in CATALOGUE), *(kind.resource for kind in CATALOGUE)]
    for endpoint in described:
        types += [endpoint.query, endpoint.body, *(() if endpoint.data is None else (endpoint.data,))]
    _, named = schemas_of(types)
    queries = {endpoint.query.__name__: named.pop(endpoint.query.__name__, {}) for endpoint in described}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in described:
        query = queries[endpoint.query.__name__]
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, query)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clown daemon",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "tags": [{"name": group} for group in dict.fromkeys(endpoint.group for endpoint in described)],
        "paths": paths,
        "components": {
            "schemas": {**named, **event_schemas()},
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The text of the token file."}
            },
        },
    }


def _operation(endpoint: Endpoint, query: Schema) -> Schema:
    operation: Schema = {
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "description": f"{endpoint.summary} {endpoint.note}".strip(),
        "parameters": [*_path(endpoint), *_query(query), *_header_parameters(endpoint)],
        "responses": _responses(endpoint),
    }
    if endpoint.open:
        operation["security"] = []
    if endpoint.is_command:
        operation["requestBody"] = {
            "required": bool(_required(endpoint.body)),
            "description": summary_of(endpoint.body),
            "content": {JSON: _content(reference(endpoint.body.__name__), endpoint.example_body)},
        }
    return operation


def _path(endpoint: Endpoint) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1},
            "example": value,
        }
        for name, value in parameters_of(endpoint).items()
    ]


def _query(query: Schema) -> list[Schema]:
    parameters = []
    for name, schema in query.get("properties", {}).items():
        value = {key: part for key, part in schema.items() if key != "description"}
        # A parameter is left out, never null.
        choices = [choice for choice in value.get("anyOf", ()) if choice != {"type": "null"}]
        if len(choices) == 1:
            value = choices[0]
        parameter = {"name": name, "in": "query", "required": False, "schema": value}
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameters.append(parameter)
    return parameters


def _header_parameters(endpoint: Endpoint) -> list[Schema]:
    headers: list[Schema] = []
    if endpoint.is_command:
        headers.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "required": False,
                "description": "Names this request, so that a retry is answered and not done again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS, "pattern": KEY_PATTERN},
            }
        )
    if endpoint.cached:
        headers.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "The `ETag` of the reply that the caller has.",
                "schema": {"type": "string"},
            }
        )
    return headers


def _responses(endpoint: Endpoint) -> Schema:
    responses: dict[str, Schema] = {str(endpoint.status): _success(endpoint)}
    if endpoint.cached:
        responses["304"] = {"description": "What the caller has is still true.", "headers": _headers("ETag")}
    codes = problems_of(endpoint)
    for status in sorted({STATUS[code] for code in codes}):
        responses[str(status)] = _failure([code for code in codes if STATUS[code] == status], status, endpoint)
    return responses


def _success(endpoint: Endpoint) -> Schema:
    response: Schema = {"description": _STATUS_WORDS[endpoint.status]}
    if endpoint.is_command or endpoint.cached:
        response["headers"] = _headers(REPLAYED_HEADER if endpoint.is_command else "ETag")
    if endpoint.shape == "document":
        response["content"] = {JSON: {"schema": {"type": "object"}}}
    elif endpoint.shape == "text":
        response["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif endpoint.shape != "stream":
        (schema,), _ = schemas_of([endpoint.data])
        example = example_reply(endpoint)
        if endpoint.shape in IN_ENVELOPE:
            schema = _envelope(schema)
        response["content"] = {JSON: _content(schema, example)}
    if endpoint.shape == "table":
        response["headers"] = _headers(FILE_NAME)
        response["content"][CSV] = {"schema": {"type": "string"}}
    return response


def _envelope(data: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["success", "data"],
        "additionalProperties": False,
    }


def example_reply(endpoint: Endpoint) -> object:
    """The example of a reply as JSON builtins, in its envelope if it has one; None where there is none."""
    example: object = _EXAMPLES.get(endpoint.data)
    if endpoint.shape == "text":
        return None
    if endpoint.data is str:
        example = "Imported 42 records (7300 tokens, 1 session) from /home/dev/.claude"
    if example is None:
        member = getattr(endpoint.data, "__args__", (None,))[0]
        example = [_EXAMPLES[member]] if member in _EXAMPLES else None
    if example is None:
        return None
    plain = msgspec.to_builtins(example)
    return {"success": True, "data": plain} if endpoint.shape in IN_ENVELOPE else plain


def _failure(codes: list[ProblemCode], status: int, endpoint: Endpoint) -> Schema:
    lines = [f"* `{code}`: {MEANING[code]}" for code in codes]
    only: Schema = {"properties": {"success": {"const": False}, "code": {"enum": [str(code) for code in codes]}}}
    schema = {"allOf": [reference(Problem.__name__), only]}
    response: Schema = {"description": "\n".join(lines), "content": {JSON: {"schema": schema}}}
    for example in PROBLEMS.values():
        if example.code in codes:
            response["content"] = {JSON: _content(schema, example)}
    headers = [REPLAYED_HEADER] if endpoint.is_command and status in _REPLAYED_FAILURES else []
    if status == STATUS[ProblemCode.UNAUTHORIZED]:
        headers.append("WWW-Authenticate")
    if status == STATUS[ProblemCode.SHUTTING_DOWN]:
        headers.append("Retry-After")
    return {**response, "headers": _headers(*headers)} if headers else response


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(schema: Schema, example: object) -> Schema:
    return {"schema": schema} if example is None else {"schema": schema, "example": msgspec.to_builtins(example)}


def _required(body: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(body) if field.required)
