"""What Enter shows: the row's fields, its raw JSON, and its latest events."""

from collections.abc import Iterable

import msgspec

from clown_daemon.protocol.resources import UNATTRIBUTED, Proxy
from clown_tui.formatting import clean, clock, count
from clown_tui.state.event_log import Entry, EventEntry, EventLog
from clown_tui.state.event_words import subject, words
from clown_tui.state.model import Model
from clown_tui.state.panes import Pane
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.events import entry_words
from clown_tui.state.selectors.profiles import UNATTRIBUTED_KEY
from clown_tui.state.selectors.proxies import RECENT_MINUTES, proxy_minutes_lines

RELATED = 8
"""How many of the row's latest events are shown."""


def resource_of(model: Model, pane: Pane, key: str, log: EventLog | None = None) -> msgspec.Struct | None:
    """Answer what a row stands for; None when it is gone."""
    match pane:
        case Pane.PROFILES:
            stray = model.usage.get(UNATTRIBUTED) if key == UNATTRIBUTED_KEY else None
            return stray or model.profiles.get(key)
        case Pane.PROXIES:
            return model.proxies.get(key)
        case Pane.COST:
            return model.usage.get(key)
        case Pane.REGISTRY:
            return model.agents.get(key) or model.imports.get(key) or model.registry
        case Pane.EVENTS:
            entry = log.find(int(key)) if log is not None and key.isdecimal() else None
            return entry.event if isinstance(entry, EventEntry) else None


def resource_json(model: Model, pane: Pane, key: str, log: EventLog | None = None) -> str | None:
    """Answer the row as indented JSON, exactly as the daemon spells it; None when it is gone."""
    resource = resource_of(model, pane, key, log)
    return None if resource is None else _json(resource)


def detail_lines(model: Model, pane: Pane, key: str, log: EventLog | None = None, *, now_ms: int) -> tuple[Line, ...]:
    """Answer the details of a row: fields, usage, the last minutes of a proxy, latest events, raw JSON."""
    resource = resource_of(model, pane, key, log)
    if resource is None:
        return ((Cell("This row is gone.", Tone.DIM),),)
    lines = [*_title("Fields"), *_fields(resource)]
    if pane is Pane.PROFILES and (usage := model.usage.get(key)) is not None:
        lines += [*_title("Usage today"), *_fields(usage.today)]
    if isinstance(resource, Proxy):
        lines += [*_title(f"Last {RECENT_MINUTES} minutes"), *proxy_minutes_lines(resource, now_ms)]
    if log is not None:
        lines += _history(model, log, pane, key)
    lines += [*_title("JSON"), *((Cell(clean(text)),) for text in _json(resource).splitlines())]
    return tuple(lines[1:])


def _title(text: str) -> tuple[Line, Line]:
    return (), (Cell(text, Tone.STRONG),)


def _json(resource: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(resource), indent=2).decode()


def _fields(resource: msgspec.Struct) -> Iterable[Line]:
    for name, value in _flat(msgspec.to_builtins(resource)):
        yield (Cell(f"  {clean(name):<24} ", Tone.DIM), Cell(value))


def _flat(value: object, name: str = "") -> Iterable[tuple[str, str]]:
    """Spell nested fields as `run.state`; lists of plain values on one line, lists of objects by their length."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):  # structs that are arrays on the wire become tuples
        plain = all(not isinstance(inner, (dict, list, tuple)) for inner in value)
        yield name, clean(", ".join(map(str, value)) or "-") if plain else f"{len(value)} entries"
    else:
        yield name, _plain(value)


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return count(value) if isinstance(value, int) and abs(value) >= 10_000_000 else clean(str(value))


def _history(model: Model, log: EventLog, pane: Pane, key: str) -> list[Line]:
    entry = log.find(int(key)) if pane is Pane.EVENTS and key.isdecimal() else None
    if isinstance(entry, EventEntry) and entry.count > 1:
        shown = (*entry.earlier, entry.event)
        title = f"{count(entry.count)} events" + (f", the newest {len(shown)}" if entry.count > len(shown) else "")
        texts = ((one.at_ms, one.type, words(one)) for one in reversed(shown))
    else:
        about = subject(entry.event) if isinstance(entry, EventEntry) else clean(key)
        title = f"Latest events of {about}"
        found = log.latest(lambda other: bool(about) and _about(other) == about, RELATED)
        entries = (other for other in found if isinstance(other, EventEntry))
        texts = ((other.at_ms, other.event.type, entry_words(other)) for other in entries)
    lines: list[Line] = [
        (Cell(f"  {clock(at_ms, model.zone, parts=True)}  ", Tone.DIM), Cell(f"{clean(kind):<22} "), Cell(text))
        for at_ms, kind, text in texts
    ]
    return [*_title(title), *lines] if lines else []


def _about(entry: Entry) -> str:
    return subject(entry.event) if isinstance(entry, EventEntry) else ""
