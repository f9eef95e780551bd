"""Lines of the Registry & Agents pane: the registry, imports that run, and every agent with its version."""

from clown_daemon.protocol.resources import Agent, Registry, UsageImport
from clown_daemon.protocol.timestamps import epoch_ms
from clown_tui.formatting import ago, bar, clean, count, fit, percent
from clown_tui.state.model import Model
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.layout import shorten


def registry_lines(model: Model, now_ms: int, width: int) -> tuple[Line, ...]:
    """Answer the pane's text, at most `width` columns; agents that are here come before those that are not."""
    agents = sorted(model.agents.values(), key=lambda agent: (not agent.installed, agent.name.casefold()))
    lines = [_registry(model.registry, now_ms)]
    lines += [_import(entry, width) for _, entry in sorted(model.imports.items())]
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


def _import(entry: UsageImport, width: int) -> Line:
    label = Cell(fit(f"{clean(entry.source)} logs", 10 if width < 40 else 14), Tone.DIM)
    match entry.state:
        case "running":
            share = entry.files_done / entry.files_total if entry.files_total else 0.0
            text = f" {percent(entry.files_done, entry.files_total)} of {count(entry.files_total)} files"
            return (label, Cell(bar(share, 10), Tone.ACCENT), Cell(text))
        case "done":
            return (label, Cell("✓ ", Tone.GOOD), Cell(_imported(entry)))
        case "failed":
            return (label, Cell(f"✗ {clean(entry.error or 'import failed')}", Tone.BAD))
        case "cancelled":
            return (label, Cell("○ import cancelled", Tone.DIM))


def _imported(entry: UsageImport) -> str:
    broken = f", {count(entry.lines_broken)} broken lines" if entry.lines_broken else ""
    return f"{count(entry.records_imported)} responses imported{broken}"
