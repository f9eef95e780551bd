"""What a person chose to see: filters, order, times. Frozen; the screen replaces it whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from clown_tui.state.panes import Pane

Times = Literal["local", "utc", "ago"]
TIMES: tuple[Times, ...] = ("local", "utc", "ago")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a table is sorted."""

    place: int = 0
    """Which of the pane's orders; counts on, whoever sorts takes it modulo their number."""
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A person's choices on the main screen."""

    filters: Mapping[Pane, str] = field(default_factory=dict)
    """Texts that parse; a bad one never gets here, so that its predecessor goes on narrowing."""
    fault: str = ""
    """What is wrong with the filter being typed, and where."""
    orders: Mapping[Pane, Order] = field(default_factory=dict)
    errors_only: bool = False
    times: Times = "local"
    frozen: bool = False
    following: bool = True
    chip: str = ""
    """Says to what the event log is narrowed by `--events`; empty when it is not."""
    pane: Pane = Pane.PROFILES
    width: int = 0
    """Terminal columns; header and footer are cut to it."""
