"""Every message as it goes over the wire, byte for byte; `UPDATE_GOLDEN=1` writes the files anew."""

import os
from pathlib import Path

import pytest

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import CATALOGUE, Event, EventData, Resource
from clown_daemon.protocol.examples import AT_MS, CONTROLS, EVENTS, LOG, NOW, PROBLEMS, REPLIES
from clown_daemon.protocol.problems import Problem
from clown_daemon.protocol.stream import CONTROL_NAMES, CONTROL_TYPES, ControlData, ControlFrame

GOLDEN = Path(__file__).parents[2] / "golden"


def check(name: str, written: bytes) -> None:
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(written + b"\n")
    assert file.read_bytes() == written + b"\n"


def name_of(value: object) -> str:
    return type(value).__name__


def test_there_is_a_golden_of_everything_and_of_nothing_else() -> None:
    assert [name_of(data) for data, _ in EVENTS] == [kind.name for kind in CATALOGUE]
    assert [CONTROL_NAMES[type(data)] for data in CONTROLS] == list(CONTROL_TYPES)
    known = {name_of(data) for data, _ in EVENTS} | set(CONTROL_TYPES) | set(REPLIES) | set(PROBLEMS)
    assert {file.stem for file in GOLDEN.glob("*.json")} == known


@pytest.mark.parametrize(("data", "resource"), EVENTS, ids=[name_of(data) for data, _ in EVENTS])
def test_events(data: EventData, resource: Resource | None) -> None:
    written = codec.encode_event(data, resource, seq=42, log=LOG, at_ms=AT_MS)
    check(name_of(data), written)
    read = codec.decode_frame(written)
    assert read == Event(type=name_of(data), timestamp=NOW, data=data, seq=42, log=LOG, at_ms=AT_MS, resource=resource)
    assert codec.decode_frame(written.decode()) == read


@pytest.mark.parametrize("data", CONTROLS, ids=[CONTROL_NAMES[type(data)] for data in CONTROLS])
def test_control_frames(data: ControlData) -> None:
    written = codec.encode_control(data, at_ms=AT_MS)
    name = CONTROL_NAMES[type(data)]
    check(name, written)
    assert codec.decode_frame(written) == ControlFrame(type=name, timestamp=NOW, data=data)


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    value = REPLIES[name]
    written = codec.success(value)
    check(name, written)
    assert codec.decode_reply(written, type(value)) == value


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems(name: str) -> None:
    written = codec.encode(PROBLEMS[name])
    check(name, written)
    read = codec.decode_reply(written, Problem)
    assert read == PROBLEMS[name]
