"""The OpenAPI document: right by its own rules, and true of every example."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from clown_daemon.protocol.endpoint import COMMAND_METHODS, KEY_HEADER, problems_of
from clown_daemon.protocol.endpoints import ENDPOINTS
from clown_daemon.protocol.events import CATALOGUE
from clown_daemon.protocol.problems import MEANING, STATUS, ProblemCode
from tests.support.contract import openapi, strict_validator

GOLDEN = Path(__file__).parents[2] / "golden"
OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (method.upper(), path, operation)
    for path, operations in openapi()["paths"].items()
    for method, operation in operations.items()
]
BARE = {"Health", "Problem", "ProblemInternal"}
CONTROL_FRAMES = {"Hello", "Subscribed", "Unsubscribed", "Heartbeat", "Resync", "Error"}


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())


def test_the_document_keeps_the_official_rules_of_openapi() -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(openapi())] == []


def test_every_schema_is_a_schema() -> None:
    for name, schema in openapi()["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name


def test_every_reference_points_to_something() -> None:
    def references(value: object) -> list[str]:
        match value:
            case dict():
                own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
                return own + [found for part in value.values() for found in references(part)]
            case list():
                return [found for part in value for found in references(part)]
            case _:
                return []

    found = references(openapi())
    assert found
    for pointer in found:
        _, first, kind, name = pointer.split("/")
        assert name in openapi()[first][kind], pointer


def test_every_endpoint_is_one_operation_with_its_own_id() -> None:
    assert [(method, path) for method, path, _ in OPERATIONS] == sorted(
        ((endpoint.method, endpoint.path) for endpoint in ENDPOINTS),
        key=lambda one: [path for _, path, _ in OPERATIONS].index(one[1]),
    )
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(ENDPOINTS)


def test_every_problem_of_an_endpoint_is_told_with_its_status_and_meaning() -> None:
    for endpoint in ENDPOINTS:
        responses = openapi()["paths"][endpoint.path][endpoint.method.lower()]["responses"]
        for code in problems_of(endpoint):
            assert f"`{code}`: {MEANING[code]}" in responses[str(STATUS[code])]["description"]


def test_every_problem_code_has_a_meaning() -> None:
    assert set(MEANING) == set(ProblemCode)


def test_commands_take_an_idempotency_key_and_reads_do_not() -> None:
    for method, path, operation in OPERATIONS:
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert (KEY_HEADER in names) is (method in COMMAND_METHODS), path


def test_what_has_an_etag_answers_304() -> None:
    cached = {path for _, path, operation in OPERATIONS if "304" in operation["responses"]}
    assert cached == {"/api/snapshot", "/api/openapi.json", "/api/asyncapi.json"}


def test_an_upgrade_is_required_at_the_stream_alone() -> None:
    asked = {path for _, path, operation in OPERATIONS if "426" in operation["responses"]}
    assert asked == {"/ws"}


def test_what_is_read_strictly_is_described_strictly() -> None:
    for _, path, operation in OPERATIONS:
        body = operation.get("requestBody")
        if body is not None:
            name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            assert openapi()["components"]["schemas"][name]["additionalProperties"] is False, path


def test_a_note_under_a_field_is_the_description_of_its_schema() -> None:
    run = openapi()["components"]["schemas"]["Run"]["properties"]
    assert run["error"]["description"] == "Why it never started, in one sentence."


@pytest.mark.parametrize("name", [kind.name for kind in CATALOGUE])
def test_a_golden_event_fits_its_schema_and_no_other(name: str) -> None:
    event = golden(name)
    strict_validator(openapi(), f"{name}Event").validate(event)
    strict_validator(openapi(), "Event").validate(event)
    other = next(kind.name for kind in CATALOGUE if kind.name != name)
    assert not strict_validator(openapi(), f"{other}Event").is_valid(event)


REPLIES = sorted(
    {file.stem for file in GOLDEN.glob("*.json")} - {kind.name for kind in CATALOGUE} - CONTROL_FRAMES - BARE
)


@pytest.mark.parametrize("name", REPLIES)
def test_a_golden_reply_fits_its_schema_exactly(name: str) -> None:
    data = golden(name)["data"]
    strict_validator(openapi(), name).validate(data)
    first = next(iter(data))
    assert not strict_validator(openapi(), name).is_valid({key: data[key] for key in data if key != first})
    assert not strict_validator(openapi(), name).is_valid({**data, "more": 1})


@pytest.mark.parametrize("name", ["Problem", "ProblemInternal"])
def test_a_golden_problem_fits_its_schema_exactly(name: str) -> None:
    strict_validator(openapi(), "Problem").validate(golden(name))
    assert not strict_validator(openapi(), "Problem").is_valid({**golden(name), "more": 1})


def test_every_example_in_the_document_fits_the_schema_beside_it() -> None:
    found = 0
    for _, path, operation in OPERATIONS:
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (one.get("content", {}).get("application/json", {}) for one in contents):
            if "example" in content:
                found += 1
                document = {**content["schema"], "components": openapi()["components"]}
                errors = list(jsonschema_rs.Draft202012Validator(document).iter_errors(content["example"]))
                assert errors == [], (path, errors)
    assert found > len(ENDPOINTS)
