import pytest

from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import GROUPS, UnknownNameError, nearest_name, resolve_names


def test_names_globs_and_groups_stand_for_events() -> None:
    assert resolve_names(["ProfileCreated"], EVENT_NAMES) == {"ProfileCreated"}
    assert resolve_names(["Usage*", "@errors"], EVENT_NAMES) == {
        *("UsageUpdated", "UsageImported", "UsageImportProgressed"),
        *("ProxyError", "RegistrySyncFailed"),
    }
    assert resolve_names(["*"], EVENT_NAMES) == set(EVENT_NAMES)
    assert resolve_names([], EVENT_NAMES) == set()


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_stands_for_something(group: str) -> None:
    assert resolve_names([group], EVENT_NAMES)


def test_a_typo_is_an_error_with_the_nearest_name_and_resolves_nothing() -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_names(["ProfileCreated", "ProfileCraeted", "X*"], EVENT_NAMES)
    assert caught.value.unknown == ("ProfileCraeted", "X*")
    assert caught.value.nearest == "ProfileCreated"


def test_case_matters_on_the_stream_and_not_at_a_shell() -> None:
    with pytest.raises(UnknownNameError):
        resolve_names(["profilecreated"], EVENT_NAMES)
    assert resolve_names(["profilecreated", "USAGE*", "@ERRORS"], EVENT_NAMES, any_case=True) >= {"ProfileCreated"}


def test_nothing_near_is_none() -> None:
    assert nearest_name("zzzzzz", EVENT_NAMES) is None
    assert nearest_name("USAGEUPDATED", EVENT_NAMES) == "UsageUpdated"
