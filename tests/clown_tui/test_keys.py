"""The registry of actions: no clashes, help and footer from one place, rebinding by id."""

import pytest

from clown_daemon.errors import ConfigError
from clown_tui.keys import ACTIONS, actions_of, find_clashes, footer_of, help_of, rebind, shown
from clown_tui.state.panes import PANES, Pane


def test_no_key_means_two_things_in_one_pane() -> None:
    assert find_clashes() == ()


def test_ids_are_unique_and_every_action_says_what_it_does() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    assert all(action.help.endswith(".") and action.label for action in ACTIONS)


@pytest.mark.parametrize("pane", PANES)
def test_help_names_every_action_of_a_pane(pane: Pane) -> None:
    assert len(help_of(pane)) == len(actions_of(pane))
    assert footer_of(pane)[0] == ("?", "help")
    assert footer_of(pane)[2] == ("1-5", "pane")


def test_what_belongs_to_one_pane_is_not_offered_in_another() -> None:
    assert "follow" in {action.id for action in actions_of(Pane.EVENTS)}
    assert "follow" not in {action.id for action in actions_of(Pane.COST)}


def test_an_action_gets_other_keys_by_its_id() -> None:
    bound = {action.id: action.keys for action in rebind({"quit": ("Q", "ctrl+q")})}
    assert bound["quit"] == ("Q", "ctrl+q")
    assert bound["help"] == ("?",)


@pytest.mark.parametrize(
    ("overrides", "part"),
    [({"quitt": ("Q",)}, "quitt"), ({"quit": ()}, "no key"), ({"quit": ("?",)}, "both help and quit")],
)
def test_a_bad_binding_is_refused(overrides: dict[str, tuple[str, ...]], part: str) -> None:
    with pytest.raises(ConfigError, match=part) as caught:
        rebind(overrides)
    assert caught.value.hint


def test_keys_are_written_as_people_read_them() -> None:
    assert [shown(key) for key in ("enter", "ctrl+r", "q")] == ["⏎", "^r", "q"]
