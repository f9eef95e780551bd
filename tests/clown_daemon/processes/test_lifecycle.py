"""The life of a child, phase by phase, without a process or a sleep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.processes.lifecycle import Action, Happening, Phase, Step, advance


@pytest.mark.parametrize(
    ("phase", "happening", "expected"),
    [
        (Phase.RUNNING, Happening.ALL_EXITED, Step(Phase.GONE)),
        (Phase.RUNNING, Happening.LEADER_EXITED, Step(Phase.CLEARING, Action.TERMINATE)),
        (Phase.RUNNING, Happening.STOP_ASKED, Step(Phase.STOPPING, Action.TERMINATE)),
        (Phase.STOPPING, Happening.ALL_EXITED, Step(Phase.GONE)),
        (Phase.STOPPING, Happening.LEADER_EXITED, Step(Phase.CLEARING)),
        (Phase.STOPPING, Happening.GRACE_OVER, Step(Phase.KILLING, Action.KILL)),
        (Phase.CLEARING, Happening.GRACE_OVER, Step(Phase.SWEEPING, Action.KILL)),
        (Phase.KILLING, Happening.LEADER_EXITED, Step(Phase.SWEEPING, Action.KILL)),
        (Phase.KILLING, Happening.GRACE_OVER, Step(Phase.GONE, Action.GIVE_UP)),
        (Phase.SWEEPING, Happening.GRACE_OVER, Step(Phase.GONE, Action.GIVE_UP)),
    ],
)
def test_each_happening_leads_on(phase: Phase, happening: Happening, expected: Step) -> None:
    assert advance(phase, happening) == expected


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RUNNING])
def test_asking_to_stop_again_changes_nothing(phase: Phase) -> None:
    assert advance(phase, Happening.STOP_ASKED) == Step(phase)


@given(st.lists(st.sampled_from(Happening)))
def test_a_kill_comes_only_after_a_term(happenings: list[Happening]) -> None:
    phase, actions = Phase.RUNNING, []
    for happening in happenings:
        phase, action = advance(phase, happening)
        actions.append(action)
    if Action.KILL in actions:
        assert Action.TERMINATE in actions[: actions.index(Action.KILL)]
    assert actions.count(Action.TERMINATE) <= 1


@given(st.sampled_from([phase for phase in Phase if phase is not Phase.RUNNING]))
def test_time_alone_ends_every_phase_after_a_stop(phase: Phase) -> None:
    for _ in range(3):
        phase, _ = advance(phase, Happening.GRACE_OVER)
    assert phase is Phase.GONE
