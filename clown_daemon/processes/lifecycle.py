"""The life of a child as a table: told what happened, it answers the next phase and what to do. Pure.

    RUNNING ──stop──▶ STOPPING ──grace over──▶ KILLING ──grace over──▶ GONE (given up)
       │                 │                        │
       └──exit, others───┴──────▶ CLEARING ◀──────┘          the leader is gone, others of its group are not
       └──exit, nobody else ────▶ GONE

A run is its whole process group: what an agent leaves behind when it ends is ended too. Every phase but RUNNING is
bounded by the grace, so a stop always comes to an end.
"""

from enum import Enum
from typing import NamedTuple


class Phase(Enum):
    """Where a child is in its life."""

    RUNNING = "running"
    STOPPING = "stopping"
    """Asked to end; the leader lives."""
    CLEARING = "clearing"
    """The leader ended, others of its group were asked to."""
    KILLING = "killing"
    """The leader was killed with its whole group and has not been reaped yet."""
    SWEEPING = "sweeping"
    """The leader ended, the others of its group were killed."""
    GONE = "gone"


class Happening(Enum):
    """What a child can go through."""

    STOP_ASKED = "stop_asked"
    LEADER_EXITED = "leader_exited"
    """The leader ended and others of its group live."""
    ALL_EXITED = "all_exited"
    """The leader ended and nobody is left in its group."""
    GRACE_OVER = "grace_over"
    """The time that the phase may take has passed."""


class Action(Enum):
    """What the supervisor has to do."""

    NOTHING = "nothing"
    TERMINATE = "terminate"
    """Send TERM to the group; the grace begins."""
    KILL = "kill"
    """Send KILL to the group; the time for being reaped begins."""
    GIVE_UP = "give_up"
    """The kernel does not let go of it; say so and stop waiting."""


class Step(NamedTuple):
    """The answer to a happening."""

    phase: Phase
    action: Action = Action.NOTHING


_STEPS: dict[tuple[Phase, Happening], Step] = {
    (Phase.RUNNING, Happening.STOP_ASKED): Step(Phase.STOPPING, Action.TERMINATE),
    (Phase.RUNNING, Happening.LEADER_EXITED): Step(Phase.CLEARING, Action.TERMINATE),
    (Phase.STOPPING, Happening.LEADER_EXITED): Step(Phase.CLEARING),
    (Phase.STOPPING, Happening.GRACE_OVER): Step(Phase.KILLING, Action.KILL),
    (Phase.CLEARING, Happening.GRACE_OVER): Step(Phase.SWEEPING, Action.KILL),
    (Phase.KILLING, Happening.LEADER_EXITED): Step(Phase.SWEEPING, Action.KILL),
    (Phase.KILLING, Happening.GRACE_OVER): Step(Phase.GONE, Action.GIVE_UP),
    (Phase.SWEEPING, Happening.GRACE_OVER): Step(Phase.GONE, Action.GIVE_UP),
}


def advance(phase: Phase, happening: Happening) -> Step:
    """Answer what comes after a happening; one that means nothing in a phase changes nothing.

    Args:
        phase: where the child is.
        happening: what it went through.
    """
    if happening is Happening.ALL_EXITED:
        return Step(Phase.GONE)
    return _STEPS.get((phase, happening), Step(phase))
