"""The one registry of actions: bindings, help, footer and `--print-keys` all come from here.

Single letters, since control keys collide with terminal multiplexers. Users rebind by id in `[keys]` of `tui.toml`;
unknown ids and clashes are refused at start, with the ids at fault.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clown_daemon.errors import ConfigError
from clown_daemon.protocol.names import nearest_name
from clown_tui.state.panes import PANES, Pane

_TABLES = frozenset({Pane.PROFILES, Pane.PROXIES})
_EVENTS = frozenset({Pane.EVENTS})
_ROWS = frozenset({Pane.PROFILES, Pane.PROXIES, Pane.EVENTS, Pane.REGISTRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a key does."""

    id: str
    """Stable: users rebind by it. The app's method is `action_<id>`."""
    keys: tuple[str, ...]
    """Key names as Textual spells them; a printable key is its own character."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help screen."""
    panes: frozenset[Pane] = frozenset(PANES)
    """Where it does something."""
    footer: int = 0
    """Place in the footer, the least first; 0 stays out of it."""


ACTIONS: tuple[Action, ...] = (
    Action(id="help", keys=("?",), label="help", help="Show what the keys do in the focused pane.", footer=1),
    Action(
        id="filter",
        keys=("/",),
        label="filter",
        help="Narrow the pane while you type; Enter keeps the filter, Esc clears it.",
        footer=2,
    ),
    *(
        Action(
            id=f"pane_{pane.number}",
            keys=(str(pane.number),),
            label=pane.heading,
            help=f"Focus {pane.heading}; again fills the screen with it.",
        )
        for pane in PANES
    ),
    Action(id="next_pane", keys=("tab",), label="next pane", help="Focus the next pane."),
    Action(id="previous_pane", keys=("shift+tab",), label="previous pane", help="Focus the previous pane."),
    Action(
        id="full", keys=("f",), label="full", help="Fill the screen with the focused pane, or give it back.", footer=4
    ),
    Action(
        id="follow",
        keys=("F",),
        label="follow",
        help="Jump to the newest event and follow; scrolling up pauses.",
        panes=_EVENTS,
        footer=6,
    ),
    Action(
        id="freeze",
        keys=("space",),
        label="freeze",
        help="Hold the events still; what comes meanwhile is counted. Again lets go.",
        footer=5,
    ),
    Action(
        id="details",
        keys=("enter",),
        label="details",
        help="Show the row's fields, its raw JSON and its latest events.",
        panes=_ROWS,
        footer=7,
    ),
    Action(id="back", keys=("escape",), label="back", help="Go one step back: details, filter, full screen."),
    Action(id="cursor_down", keys=("j", "down"), label="down", help="Move one row down."),
    Action(id="cursor_up", keys=("k", "up"), label="up", help="Move one row up."),
    Action(id="top", keys=("g", "home"), label="top", help="Move to the first row."),
    Action(id="bottom", keys=("G", "end"), label="bottom", help="Move to the last row."),
    Action(id="page_down", keys=("pagedown",), label="page down", help="Move one page down."),
    Action(id="page_up", keys=("pageup",), label="page up", help="Move one page up."),
    Action(id="refresh", keys=("ctrl+r",), label="refresh", help="Read the daemon's whole state again."),
    Action(id="connect", keys=("c",), label="connect", help="Connect now instead of when the countdown ends."),
    Action(id="start_daemon", keys=("s",), label="start", help="Start a daemon when none answers."),
    Action(id="sort", keys=("o",), label="sort", help="Sort by the next column.", panes=_TABLES, footer=8),
    Action(id="invert", keys=("I",), label="invert", help="Turn the order around.", panes=_TABLES),
    Action(
        id="errors", keys=("!",), label="errors", help="Show errors only, or everything again.", panes=_EVENTS, footer=9
    ),
    Action(
        id="times",
        keys=("t",),
        label="times",
        help="Show times as local time, UTC, or how long ago.",
        panes=_EVENTS,
    ),
    Action(id="copy", keys=("y",), label="copy", help="Copy the row's name.", panes=_ROWS, footer=10),
    Action(id="copy_row", keys=("Y",), label="copy row", help="Copy the row as JSON.", panes=_ROWS),
    Action(id="dismiss", keys=("x",), label="dismiss", help="Take the error off the status line."),
    Action(id="quit", keys=("q",), label="quit", help="Leave; the daemon and its runs go on.", footer=11),
)

_SHOWN = {"enter": "⏎", "escape": "Esc", "space": "space", "down": "↓", "up": "↑", "shift+tab": "S-Tab", "tab": "Tab"}


def shown(key: str) -> str:
    """Write a key as people read it: `⏎` for `enter`, itself for a letter."""
    return _SHOWN.get(key, key.replace("ctrl+", "^"))


def actions_of(pane: Pane, actions: Sequence[Action] = ACTIONS) -> tuple[Action, ...]:
    """Answer the actions that do something in a pane, in the registry's order."""
    return tuple(action for action in actions if pane in action.panes)


def footer_of(pane: Pane, actions: Sequence[Action] = ACTIONS) -> tuple[tuple[str, str], ...]:
    """Answer `(key, word)` of a pane's footer, the most useful first; whoever draws cuts from the right."""
    entries = [
        (action.footer, shown(action.keys[0]), action.label) for action in actions_of(pane, actions) if action.footer
    ]
    entries.append((3, "1-5", "pane"))
    return tuple((key, label) for _, key, label in sorted(entries))


def help_of(pane: Pane, actions: Sequence[Action] = ACTIONS) -> tuple[tuple[str, str], ...]:
    """Answer `(keys, sentence)` for the help of a pane, in the registry's order."""
    return tuple((" ".join(map(shown, action.keys)), action.help) for action in actions_of(pane, actions))


def find_clashes(actions: Iterable[Action] = ACTIONS) -> tuple[str, ...]:
    """Name every key that means two things in one pane, one sentence each."""
    taken: dict[tuple[Pane, str], str] = {}
    clashes: dict[str, None] = {}
    for action in actions:
        for key in action.keys:
            for pane in action.panes:
                other = taken.setdefault((pane, key), action.id)
                if other != action.id:
                    clashes[f"the key {key} means both {other} and {action.id}"] = None
    return tuple(clashes)


def rebind(overrides: Mapping[str, Sequence[str]], actions: Sequence[Action] = ACTIONS) -> tuple[Action, ...]:
    """Give actions other keys.

    Args:
        overrides: keys by action id; they replace the action's own.
        actions: the registry to start from.

    Raises:
        ConfigError: an unknown id, an action without a key, or a key that would mean two things.
    """
    known = [action.id for action in actions]
    for name, keys in overrides.items():
        if name not in known:
            near = nearest_name(name, known)
            hint = f"did you mean {near}?" if near else "clown-tui --print-keys lists all actions"
            raise ConfigError(f"unknown action {name} in [keys]", hint=hint)
        if not keys:
            raise ConfigError(f"the action {name} has no key in [keys]", hint="leave the line out to keep its own key")
    bound = tuple(replace(action, keys=tuple(overrides.get(action.id, action.keys))) for action in actions)
    clashes = find_clashes(bound)
    if clashes:
        raise ConfigError(f"[keys]: {clashes[0]}", hint="give one of them another key")
    return bound
