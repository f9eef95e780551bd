from typing import get_args

import msgspec

from clown_daemon.protocol import events
from clown_daemon.protocol.events import CATALOGUE, EVENT_NAMES, KINDS, BudgetDeleted, EventData, profile_of, subject_of
from clown_daemon.protocol.examples import EVENTS


def test_the_catalogue_holds_every_event_once() -> None:
    assert {kind.data for kind in CATALOGUE} == set(get_args(EventData))
    assert len(KINDS) == len(CATALOGUE) == len(EVENT_NAMES)


def test_every_resource_key_is_a_field_of_the_data_and_of_the_resource() -> None:
    for kind in CATALOGUE:
        if kind.key:
            assert kind.key in kind.data.__struct_fields__
            assert kind.key in kind.resource.__struct_fields__


def test_every_event_is_frozen_and_has_a_summary() -> None:
    for kind in CATALOGUE:
        assert kind.data.__struct_config__.frozen
        assert kind.summary


def test_the_subject_is_the_key_of_the_resource() -> None:
    for data, resource in EVENTS:
        key = KINDS[type(data).__name__].key
        if resource is not None and key:
            assert subject_of(data) == getattr(resource, key)
        elif not key:
            assert subject_of(data) == ""


def test_the_profile_is_known_of_events_that_have_one() -> None:
    spoken = {type(data).__name__: profile_of(data) for data, _ in EVENTS}
    assert {name for name, alias in spoken.items() if alias is not None} == {
        name
        for name in EVENT_NAMES
        if name.startswith(("Profile", "Proxy")) or name in {"UsageUpdated", "BudgetUpdated"}
    }


def test_an_event_of_a_budget_speaks_of_a_profile_when_the_budget_is_a_profiles() -> None:
    assert profile_of(BudgetDeleted(id="profile:work:day:usd", profile="work", agent_id=None)) == "work"
    assert profile_of(BudgetDeleted(id="agent:claude:day:usd", profile=None, agent_id="claude")) is None


def test_events_are_the_only_public_structs_besides_the_envelope() -> None:
    structs = {
        name
        for name, value in vars(events).items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == events.__name__
    }
    assert structs == {*EVENT_NAMES, "Event", "UnknownEvent", "EventKind"}
