"""Lines of the Cost pane: today, the burn rate, budgets and where it leads; then where it goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clown_daemon.protocol.resources import UNATTRIBUTED, Tokens
from clown_tui.formatting import NANOS, clean, cut, fit, spark, tokens
from clown_tui.state.model import Model, day_start_ms
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.budgets import (
    BudgetState,
    budget_lines,
    budget_states,
    other_budget_lines,
    window_lines,
)
from clown_tui.state.selectors.layout import shorten
from clown_tui.state.selectors.money import (
    Amount,
    add_tokens,
    amount_of,
    burn_rate,
    day_amounts,
    hour_amounts,
    projection,
    today_amount,
    today_of,
    total,
)
from clown_tui.state.selectors.profiles import short_model

_BLANK: Line = ()
_LEAST_LINES = 3
"""What a breakdown needs to say something: its title and two lines."""


@dataclass(frozen=True, slots=True)
class Share:
    """One line of a breakdown of today."""

    name: str
    tokens: Tokens
    amount: Amount


def cost_lines(model: Model, now_ms: int, width: int, height: int | None = None) -> tuple[Line, ...]:
    """Answer the pane's text, at most `width` columns and `height` lines; the most telling lines come first."""
    return tuple(shorten(line, width) for line in _lines(model, now_ms, width, height))


def _lines(model: Model, now_ms: int, width: int, height: int | None) -> list[Line]:
    room = 10_000 if height is None else height
    states = budget_states(model, now_ms)
    head = [*_spent(model, now_ms, width), *_outlook(model, states, now_ms, width)]
    bars = [*_timelines(model, now_ms, width)]
    if len(head) + len(bars) >= room:
        return [*head, *bars][:room]
    tables = _breakdowns(model, now_ms, width)
    head += other_budget_lines(states, width, _spare(tables, room - len(head) - len(bars), len(states) - 1))
    spaced = [*head, _BLANK, *bars] if len(head) + len(bars) + 1 < room else [*head, *bars]
    return [*spaced, *_tables(tables, room - len(spaced))]


def _spare(tables: Sequence[list[Line]], left: int, wanted: int) -> int:
    """Answer how many of the lines left further budgets get: what the first table, if it fits, leaves of them."""
    left -= 1  # a blank line before the bars
    table = 1 + min(len(tables[0]), _LEAST_LINES) if tables else 0
    return max(0, min(wanted, left - table if left >= table else left))


def _breakdowns(model: Model, now_ms: int, width: int) -> list[list[Line]]:
    tables = (
        _table("BY MODEL", by_model(model, now_ms), width),
        _table("BY PROFILE", by_profile(model, now_ms), width),
        _agent_table(model, now_ms, width),
    )
    return [table for table in tables if table]


def _outlook(model: Model, states: tuple[BudgetState, ...], now_ms: int, width: int) -> Iterable[Line]:
    """The tightest budget; without any, where today leads. Then the five hours that are running."""
    if states:
        yield from budget_lines(model, states, now_ms, width)
    else:
        yield (Cell("projected ", Tone.DIM), Cell(projection(model, now_ms).text()), Cell(" by 24:00", Tone.DIM))
    yield from window_lines(model, now_ms)


def _agent_table(model: Model, now_ms: int, width: int) -> list[Line]:
    """A single agent would only repeat the sum."""
    shares = by_agent(model, now_ms)
    return _table("BY AGENT", shares, width) if len(shares) > 1 else []


def _tables(tables: Sequence[list[Line]], room: int) -> list[Line]:
    """Give the breakdowns room: as many as can say something, each its part or what the others leave of theirs."""
    shown = list(tables)
    while shown and sum(1 + min(len(table), _LEAST_LINES) for table in shown) > room:
        shown.pop()
    lines: list[Line] = []
    for number, table in enumerate(shown):
        left = room - len(lines)
        part = left // (len(shown) - number)
        later = sum(min(1 + len(other), part) for other in shown[number + 1 :])
        lines += [_BLANK, *_shorten(table, left - later - 1)]
    return lines


def _shorten(table: list[Line], room: int) -> list[Line]:
    if len(table) <= room:
        return table
    return [*table[: room - 1], (Cell(f"+{len(table) - room + 1} more", Tone.DIM),)]


def _spent(model: Model, now_ms: int, width: int) -> Iterable[Line]:
    today, burn = today_amount(model, now_ms), burn_rate(model, now_ms)
    first: Line = (Cell("TODAY ", Tone.DIM), Cell(today.text(), Tone.STRONG))
    rate: Line = (Cell("BURN ", Tone.DIM), Cell(f"{burn.text()}/h"), Cell(" (15 min)", Tone.DIM))
    if width >= 38:
        gap = " " * max(2, 17 - len("TODAY ") - len(today.text()))
        yield (*first, Cell(gap), *rate)
    else:
        yield first
        yield rate


def _timelines(model: Model, now_ms: int, width: int) -> Iterable[Line]:
    hours = hour_amounts(model, now_ms)
    shown = hours[-max(1, min(24, width - 4)) :]
    bars = spark([amount.nanos for amount in shown])
    top = max(shown, key=lambda amount: amount.nanos)
    label = f"{len(shown)}h "
    line: Line = (Cell(label, Tone.DIM), Cell(bars[:-1], Tone.ACCENT), Cell(bars[-1], Tone.DIM))
    peak = f"  max {top.text()}/h"
    yield (*line, Cell(peak, Tone.DIM)) if len(label) + len(bars) + len(peak) <= width else line
    days = day_amounts(model, now_ms)
    sums = f"  Σ {total(days).text()}"
    for count in (7, 5, 3):
        texts = [_short(amount) for amount in days[-count:]]
        body = " ".join(texts)
        if 4 + len(body) + len(sums) <= width:
            earlier, running = " ".join(texts[:-1]), f" {texts[-1]}"
            yield (Cell(f"{count}d  ", Tone.DIM), Cell(earlier), Cell(running, Tone.DIM), *_week(sums, count))
            return
    yield (Cell("7d", Tone.DIM), Cell(sums))


def _week(sums: str, count: int) -> Line:
    """The sum is that of seven days, so it says so where fewer are listed."""
    return (Cell(sums, Tone.STRONG), Cell("" if count == 7 else " 7d", Tone.DIM))


def _short(amount: Amount) -> str:
    if amount.missing and not amount.nanos:
        return "?"
    value = amount.nanos / NANOS
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}"


# -- breakdowns -------------------------------------------------------------------------------------------------------


def by_model(model: Model, now_ms: int) -> tuple[Share, ...]:
    """Break today down by model, the dearest first."""
    day = day_start_ms(model, now_ms)
    parts: dict[str, list[tuple[Tokens, Amount]]] = {}
    for usage in model.usage.values():
        for entry in today_of(usage, day).by_model:
            part = (entry.tokens, amount_of(entry.cost, entry.unpriced_responses))
            parts.setdefault(short_model(entry.model), []).append(part)
    return _shares(parts)


def by_profile(model: Model, now_ms: int) -> tuple[Share, ...]:
    """Break today down by profile, the dearest first."""
    day = day_start_ms(model, now_ms)
    parts: dict[str, list[tuple[Tokens, Amount]]] = {}
    for usage in model.usage.values():
        period = today_of(usage, day)
        if period.responses or period.tokens.total:
            name = "no profile" if usage.profile == UNATTRIBUTED else clean(usage.profile)
            parts[name] = [(period.tokens, amount_of(period.cost, period.unpriced_responses))]
    return _shares(parts)


def by_agent(model: Model, now_ms: int) -> tuple[Share, ...]:
    """Break today down by agent, the dearest first."""
    day = day_start_ms(model, now_ms)
    parts: dict[str, list[tuple[Tokens, Amount]]] = {}
    for usage in model.usage.values():
        for entry in today_of(usage, day).by_agent:
            agent = model.agents.get(entry.agent_id)
            name = clean(agent.name if agent else entry.agent_id)
            parts.setdefault(name, []).append((entry.tokens, amount_of(entry.cost, entry.unpriced_responses)))
    return _shares(parts)


def _shares(parts: Mapping[str, list[tuple[Tokens, Amount]]]) -> tuple[Share, ...]:
    shares = (
        Share(name, add_tokens(part[0] for part in found), total(part[1] for part in found))
        for name, found in parts.items()
    )
    return tuple(sorted(shares, key=lambda share: (-share.amount.nanos, -share.tokens.total, share.name)))


def _table(title: str, shares: tuple[Share, ...], width: int) -> list[Line]:
    """Lay a breakdown out; columns are dropped from the left of the numbers when it gets narrow."""
    if not shares:
        return []
    columns = 3 if width >= 38 else 2 if width >= 32 else 0
    name_width = width - 9 - 6 * columns
    titles = ("IN", "OUT", "CACHE")[3 - columns :]
    head = fit(title, name_width) + "".join(fit(text, 6, "right") for text in titles) + fit("COST", 9, "right")
    return [(Cell(head, Tone.DIM),), *(_share_line(share, name_width, columns) for share in shares)]


def _share_line(share: Share, name_width: int, columns: int) -> Line:
    counted = share.tokens
    cached = counted.cache_read_input_tokens + counted.cache_creation_input_tokens
    numbers = (counted.input_tokens, counted.output_tokens, cached)[3 - columns :]
    middle = "".join(fit(tokens(number), 6, "right") for number in numbers)
    tone = Tone.WARN if share.amount.missing else Tone.PLAIN
    return (
        Cell(fit(cut(share.name, max(0, name_width - 1)), name_width)),
        Cell(middle, Tone.DIM),
        Cell(fit(share.amount.text(), 9, "right"), tone),
    )
