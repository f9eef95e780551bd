"""The AsyncAPI document: complete, and true of every golden frame."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.stream import CLOSE_MEANING, CONTROL_TYPES, CloseCode
from tests.support.contract import asyncapi

GOLDEN = Path(__file__).parents[2] / "golden"
ACTIONS = ("Subscribe", "Unsubscribe")


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft7Validator({**schema, "components": asyncapi()["components"]})


def resolved(pointer: str) -> Any:
    found: Any = asyncapi()
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_says_its_version_server_and_channel() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert document["servers"]["local"]["protocol"] == "ws"
    assert document["channels"]["stream"]["address"] == "/ws"
    assert {name: one["action"] for name, one in document["operations"].items()} == {
        "sendEvents": "send",
        "sendControlFrames": "send",
        "receiveActions": "receive",
    }


def test_every_event_control_frame_and_action_is_a_message_of_its_operation() -> None:
    def messages(operation: str) -> list[str]:
        pointers = [one["$ref"] for one in asyncapi()["operations"][operation]["messages"]]
        return [resolved(resolved(pointer)["$ref"])["name"] for pointer in pointers]

    assert messages("sendEvents") == list(EVENT_NAMES)
    assert messages("sendControlFrames") == list(CONTROL_TYPES)
    assert messages("receiveActions") == list(ACTIONS)


@pytest.mark.parametrize("name", [*EVENT_NAMES, *CONTROL_TYPES])
def test_a_golden_frame_is_the_example_and_fits_the_payload(name: str) -> None:
    message = asyncapi()["components"]["messages"][name]
    frame = msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())
    assert message["examples"] == [{"name": name, "payload": frame}]
    payload = validator(message["payload"])
    payload.validate(frame)
    assert not payload.is_valid({**frame, "type": "Nothing"})
    assert not payload.is_valid({key: value for key, value in frame.items() if key != "data"})


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_fits_its_payload_and_a_typo_does_not(name: str) -> None:
    message = asyncapi()["components"]["messages"][name]
    example = message["examples"][0]["payload"]
    payload = validator(message["payload"])
    payload.validate(example)
    assert not payload.is_valid({**example, "evnets": []})


def test_every_close_code_is_described() -> None:
    assert set(CloseCode) <= set(CLOSE_MEANING)
    for code, meaning in CLOSE_MEANING.items():
        assert f"* {code:d}: {meaning}" in asyncapi()["info"]["description"]


def test_the_parameters_of_the_stream_are_described() -> None:
    query = asyncapi()["channels"]["stream"]["bindings"]["ws"]["query"]
    assert list(query["properties"]) == ["hello", "since", "log", "events", "passive"]
    assert all(field["description"] for field in query["properties"].values())
