"""The texts in the panes' frames, and what a pane says when it has nothing to show."""

from clown_tui.formatting import clean, count, plural
from clown_tui.state.event_log import EventLog
from clown_tui.state.model import Model
from clown_tui.state.panes import Pane
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.connection import as_of
from clown_tui.state.selectors.header import running_count
from clown_tui.state.selectors.money import today_amount


def pane_title(model: Model, pane: Pane) -> str:
    """Answer `1 Profiles`, and `1 Profiles as of 14:03:22` while the data is not current."""
    return f"{pane.number} {pane.heading}{as_of(model)}"


def pane_summary(model: Model, pane: Pane, now_ms: int, log: EventLog | None = None) -> str:
    """Answer the short facts at the right of a pane's frame."""
    if pane is Pane.EVENTS:
        return "" if log is None else _events(log)
    if not model.known:
        return ""
    match pane:
        case Pane.PROFILES:
            return f"{plural(len(model.profiles), 'profile')} · {running_count(model)} running"
        case Pane.PROXIES:
            return _proxies(model)
        case Pane.COST:
            left_out = today_amount(model, now_ms).missing
            return "this machine" + (" · ~ leaves unknown prices out" if left_out else "")
        case Pane.REGISTRY:
            found = sum(agent.installed for agent in model.agents.values())
            return f"{found} of {plural(len(model.agents), 'agent')} found"


def _proxies(model: Model) -> str:
    if not model.proxies:
        return ""
    up = sum(proxy.status == "running" for proxy in model.proxies.values())
    broken = sum(proxy.status == "failed" for proxy in model.proxies.values())
    return f"{up} up · {plural(broken, 'error')}"


def _events(log: EventLog) -> str:
    if log.frozen:
        return f"FROZEN · +{count(log.unseen)} unseen"
    if log.held:
        return f"PAUSED · +{count(log.unseen)} unseen"
    return f"FOLLOW · {plural(log.total, 'event')}"


def empty_lines(model: Model, pane: Pane, *, filtered: int | None = None) -> tuple[Line, ...]:
    """Say why a pane has no rows: the fact, the reason, and the one command or key that changes it.

    Args:
        model: the state.
        pane: which pane.
        filtered: how many rows a filter hides; None without a filter.
    """
    if filtered:
        return ((Cell(f"0 of {count(filtered)} match: "), Cell("Esc", Tone.ACCENT), Cell(" clears the filter")),)
    if pane is Pane.EVENTS:
        return _lines("No events yet.", "They appear here the moment something changes on this machine.")
    if not model.known:
        return _lines("Nothing is known yet.", "The daemon has not answered.", ("c", " connects now"))
    return _no_proxies(model) if pane is Pane.PROXIES else _EMPTY[pane]


def _no_proxies(model: Model) -> tuple[Line, ...]:
    if not model.profiles:
        return _lines(
            "No proxies.", "A proxy is a profile's, and there is no profile.", ("1", " says how to create one")
        )
    alias = clean(min(model.profiles))
    return _lines(
        "No proxies.",
        "None was asked for; usage is read from the agents' own logs. Start one:",
        ("", f"curl -X POST {clean(model.connection.url)}/api/proxy/{alias}/start"),
    )


def _lines(fact: str, reason: str, action: tuple[str, str] | None = None) -> tuple[Line, ...]:
    lines: list[Line] = [(Cell(fact),), (Cell(reason, Tone.DIM),)]
    if action:
        lines.append((Cell(action[0], Tone.ACCENT), Cell(action[1])))
    return tuple(lines)


_EMPTY: dict[Pane, tuple[Line, ...]] = {
    Pane.PROFILES: _lines(
        "No profiles.",
        "A profile is an agent with its own home, provider and model. Create one with",
        ("", 'POST /api/profiles {"alias": "work", "agent_id": "claude", "provider_id": "anthropic"}'),
    ),
    Pane.COST: _lines("No usage yet.", "It is read from the agents' own logs as they work."),
    Pane.REGISTRY: _lines("No agents.", "No agent manifest could be read; the daemon's log has the reason."),
}
