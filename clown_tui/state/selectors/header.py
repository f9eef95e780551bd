"""The lines around the panes: header, status line and tab strip."""

from dataclasses import dataclass, replace

from clown_daemon.client.states import Phase
from clown_daemon.protocol.timestamps import epoch_ms
from clown_tui.formatting import ago, cells, clean, clock, count, cut, whole_duration, zone_offset
from clown_tui.state.event_words import WHOLE_PERCENT
from clown_tui.state.model import Model
from clown_tui.state.panes import PANES, Pane
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.budgets import budget_title, crossed_thresholds, header_bar
from clown_tui.state.selectors.connection import connection_words
from clown_tui.state.selectors.money import today_amount
from clown_tui.state.selectors.profiles import is_running, run_words

RATE_SECONDS = 5
"""The window of the event rate."""
GRID_COLUMNS = 100
"""From here on the Cost pane is always on the screen, and the header need not show its budget."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is broken now."""

    pane: Pane
    key: str
    text: str
    warning: bool = False
    """Nothing is broken yet."""


def alarms(model: Model, now_ms: int) -> tuple[Alarm, ...]:
    """Answer what is broken now: runs, proxies, imports, the registry, the daemon; and budgets near their end."""
    found: list[Alarm] = []
    for alias, profile in sorted(model.profiles.items()):
        words = run_words(profile.run)
        if words.tone is Tone.BAD:
            reason = profile.run.error if profile.run and profile.run.error else words.word
            found.append(Alarm(Pane.PROFILES, alias, f"profile {alias}: {reason}"))
    for alias, proxy in sorted(model.proxies.items()):
        if proxy.status == "failed":
            found.append(Alarm(Pane.PROXIES, alias, f"proxy {alias}: {proxy.last_error or 'failed'}"))
    for source, entry in sorted(model.imports.items()):
        if entry.state == "failed":
            found.append(Alarm(Pane.REGISTRY, source, f"import {source}: {entry.error or 'failed'}"))
    if model.registry and model.registry.last_error:
        found.append(Alarm(Pane.REGISTRY, "", f"registry: {model.registry.last_error}"))
    for budget in model.budgets.values():
        if crossed := crossed_thresholds(model, budget, now_ms):
            text = f"budget {budget_title(budget)}: {crossed[-1]}% passed"
            found.append(Alarm(Pane.COST, budget.id, text, warning=crossed[-1] < WHOLE_PERCENT))
    found += [Alarm(Pane.REGISTRY, "", problem) for problem in (model.daemon.problems if model.daemon else ())]
    return tuple(replace(alarm, text=clean(alarm.text)) for alarm in found)


def running_count(model: Model) -> int:
    """Count the profiles whose agent has a process now."""
    return sum(map(is_running, model.profiles.values()))


def event_rate(model: Model, now_ms: int) -> int:
    """Answer events a second over the last whole seconds."""
    now = now_ms // 1000
    seen = sum(number for second, number in model.pulse.seconds if now - RATE_SECONDS <= second < now)
    return round(seen / RATE_SECONDS)


def header_line(model: Model, now_ms: int, width: int, *, monotonic: float | None = None) -> Line:
    """Answer the top line, exactly `width` columns; what matters least is left out first when it gets narrow."""
    left = _left(model, now_ms, monotonic)
    right = _right(model, now_ms, with_budget=width < GRID_COLUMNS)
    while left or right:
        used = sum(cells(part.text) for _, part in (*left, *right)) + 2 * (len(left) + len(right))
        if used <= width or len(left) + len(right) == 1:
            break
        least = max((rank for rank, _ in (*left, *right)), default=0)
        left = [part for part in left if part[0] != least]
        right = [part for part in right if part[0] != least]
    return _spread([part for _, part in left], [part for _, part in right], width)


def _left(model: Model, now_ms: int, monotonic: float | None) -> list[tuple[int, Cell]]:
    """Give the parts of the left side with their rank; the greatest rank is left out first."""
    parts = [(8, Cell("clown", Tone.STRONG)), (0, connection_words(model, now_ms, monotonic).cell)]
    address = clean(model.connection.url).removeprefix("http://").removeprefix("https://").rstrip("/")
    if address:
        parts.append((9, Cell(address, Tone.DIM)))
    if model.daemon and model.skewed:
        parts.append((5, Cell(f"≠ daemon {clean(model.daemon.version)}, this is {model.own_version}", Tone.WARN)))
    elif model.daemon:
        up = whole_duration((now_ms - epoch_ms(model.daemon.started_at)) / 1000)
        shown = f"daemon {clean(model.daemon.version)}" + (f" up {up}" if model.live else "")
        parts.append((10, Cell(shown, Tone.DIM)))
    return parts


def _right(model: Model, now_ms: int, *, with_budget: bool) -> list[tuple[int, Cell]]:
    parts: list[tuple[int, Cell]] = []
    if model.known:
        parts.append((3, Cell(f"{running_count(model)}/{len(model.profiles)} running")))
        parts.append((2, Cell(f"{today_amount(model, now_ms).text()} today", Tone.STRONG)))
        if with_budget and (drawn := header_bar(model, now_ms)) is not None:
            parts.append((6, drawn))
        parts.append((7, Cell(f"{count(event_rate(model, now_ms))} ev/s", Tone.DIM)))
        if found := alarms(model, now_ms):
            parts.append((1, Cell(f"▲{len(found)}", Tone.BAD)))
    parts.append((4, Cell(clock(now_ms, model.zone))))
    return parts


def _spread(left: list[Cell], right: list[Cell], width: int) -> Line:
    joined_left = [cell for part in left for cell in (Cell("  "), part)]
    joined_right = [cell for part in right for cell in (part, Cell("  "))]
    if joined_left:
        joined_left[0] = Cell(" ")
    if joined_right:
        joined_right[-1] = Cell(" ")
    used = sum(cells(cell.text) for cell in (*joined_left, *joined_right))
    if used > width and left and not right:
        return (Cell(cut(f" {left[0].text}", width), left[0].tone),)
    return (*joined_left, Cell(" " * max(0, width - used)), *joined_right)


def status_line(model: Model, now_ms: int, width: int, *, may_start: bool = True) -> Line:
    """Answer the line under the panes: the newest error until it is dismissed, else why there is no connection."""
    right = "" if model.as_of_ms is None else f"{zone_offset(now_ms, model.zone)} · data {_data_age(model, now_ms)} "
    left = _status(model, now_ms, may_start=may_start)
    room = width - cells(right) - 1
    if room < 20:
        right, room = "", width - 1
    text = cut(left.text, room)
    return (Cell(" "), Cell(text, left.tone), Cell(" " * (room - cells(text))), Cell(right, Tone.DIM))


def _status(model: Model, now_ms: int, *, may_start: bool) -> Cell:
    connection = model.connection
    if model.notice is not None:
        when = ago(model.notice.at_ms, now_ms)
        return Cell(f"▲ {model.notice.text}  ({when} · x dismiss)", Tone.BAD)
    if not model.live and connection.reason:
        absent = connection.phase in {Phase.STOPPED, Phase.BACKOFF, Phase.DOWN, Phase.CONNECTING}
        keys = "s start · c connect now" if may_start and absent else "c connect now"
        # The keys stand before the hint, which is what a narrow terminal cuts.
        hint = f"  {connection.hint}" if connection.hint else ""
        return Cell(clean(f"{connection.reason}  ({keys}){hint}"), Tone.WARN)
    found = alarms(model, now_ms)
    if found:
        more = f"  (+{len(found) - 1} more)" if len(found) > 1 else ""
        return Cell(f"▲ {found[0].text}{more}", Tone.WARN)
    if model.daemon and model.skewed:
        versions = f"daemon {clean(model.daemon.version)} runs, this is {model.own_version}"
        return Cell(f"≠ {versions}: clown-daemon restart", Tone.WARN)
    return Cell("", Tone.DIM)


def _data_age(model: Model, now_ms: int) -> str:
    if model.live:
        return "live"
    return f"{whole_duration((now_ms - (model.as_of_ms or now_ms)) / 1000)} old"


def summary_line(model: Model, now_ms: int, width: int) -> Line:
    """Answer the one line that a terminal too small for panes shows."""
    words = connection_words(model, now_ms)
    broken = len(alarms(model, now_ms))
    text = f"{words.glyph} {running_count(model)}/{len(model.profiles)} {today_amount(model, now_ms).text()}"
    alarm = f" ▲{broken}" if broken else ""
    return (Cell(cut(f"{text}{alarm} {words.text}", width), words.tone),)


_SHORT = {Pane.REGISTRY: "Registry"}


def tab_titles(model: Model, now_ms: int, unseen: int = 0) -> tuple[Cell, ...]:
    """Answer the five tabs of a small screen; they carry the alarms, so that nothing is hidden."""
    found = alarms(model, now_ms)
    return tuple(_tab(pane, [alarm for alarm in found if alarm.pane is pane], unseen) for pane in PANES)


def _tab(pane: Pane, found: list[Alarm], unseen: int) -> Cell:
    text = f"{pane.number} {_SHORT.get(pane, pane.heading)}"
    if pane is Pane.EVENTS and unseen:
        text += f" +{count(unseen)}"
    if not found:
        return Cell(text)
    if all(alarm.warning for alarm in found):
        return Cell(f"{text} ▲{len(found)}", Tone.WARN)
    return Cell(f"{text} ✗{len(found)}", Tone.BAD)
