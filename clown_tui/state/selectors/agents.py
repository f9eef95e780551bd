"""Lines of the Registry & Agents pane: the registry, imports of logs, and every agent with its version."""

from clown_daemon.protocol.resources import Agent, Registry
from clown_daemon.protocol.timestamps import epoch_ms
from clown_tui.formatting import ago, clean, fit
from clown_tui.state.model import Model
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.imports import import_lines
from clown_tui.state.selectors.layout import shorten


def registry_lines(model: Model, now_ms: int, width: int) -> tuple[Line, ...]:
    """Answer the pane's text, at most `width` columns; agents that are here come before those that are not."""
    agents = sorted(model.agents.values(), key=lambda agent: (not agent.installed, agent.name.casefold()))
    lines = [_registry(model.registry, now_ms)]
    lines += import_lines(model.imports.values(), width)
    lines += [line for agent in agents for line in _agent(agent, width)]
    problems = model.daemon.problems if model.daemon else ()
    lines += [(Cell("▲ ", Tone.WARN), Cell(clean(problem), Tone.WARN)) for problem in problems]
    return tuple(shorten(line, width) for line in lines)


def _registry(registry: Registry | None, now_ms: int) -> Line:
    if registry is None:
        return (
            Cell("registry  ", Tone.DIM),
            Cell("sync is not available yet; manifests are the bundled ones", Tone.DIM),
        )
    if registry.syncing:
        return (Cell("registry  ", Tone.DIM), Cell(f"◐ syncing {clean(registry.channel)}", Tone.WARN))
    if registry.last_error:
        return (Cell("registry  ", Tone.DIM), Cell(f"✗ {clean(registry.last_error)}", Tone.BAD))
    if registry.last_sync is None:
        return (Cell("registry  ", Tone.DIM), Cell(f"○ {clean(registry.channel)} never synced", Tone.DIM))
    when = ago(epoch_ms(registry.last_sync), now_ms)
    commit = clean(registry.commit or "-")[:7]
    return (Cell("registry  ", Tone.DIM), Cell(f"✓ synced {when}", Tone.GOOD), Cell(f" · {commit}", Tone.DIM))


def _agent(agent: Agent, width: int) -> list[Line]:
    name = fit(clean(agent.name), 13 if width >= 30 else 10)
    if not agent.installed:
        return [(Cell("○ ", Tone.DIM), Cell(name, Tone.DIM), Cell("not found", Tone.DIM))]
    if agent.problem is None:
        return [(Cell("✓ ", Tone.GOOD), Cell(name), Cell(clean(agent.version or "version unknown")))]
    first: Line = (Cell("▲ ", Tone.WARN), Cell(name), Cell(clean(agent.version or "version unknown"), Tone.WARN))
    return [first, (Cell("  "), Cell(clean(agent.problem), Tone.DIM))]
