"""How each budget stands: what was spent of it, which thresholds that passed, and where it leads.

A budget of the daemon is its definition; what was spent comes from the same totals as the rest of the Cost pane, so the
two never disagree on the screen. The tightest budget comes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from clown_daemon.clock import end_of_day_ms, end_of_month_ms, start_of_day_ms, start_of_month_ms
from clown_daemon.protocol.resources import UNATTRIBUTED, AgentUsage, Budget, PeriodUsage, PlanWindow, ProfileUsage
from clown_tui.formatting import bar, cells, clean, month_day, nanos, plural, tokens, whole_duration
from clown_tui.state.event_words import limit_words
from clown_tui.state.model import Model, day_start_ms
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.money import (
    Amount,
    amount_of,
    bucket_nanos,
    bucket_tokens,
    month_of,
    projected,
    today_of,
    total,
)

_BAR_COLUMNS = 8
"""Columns of the bar in the header, and of those after the first in the pane."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget as of now. Amounts are nano-dollars, or tokens."""

    budget: Budget
    spent: int
    limit: int
    missing: int
    """Responses that a budget in dollars leaves out, since their prices are not known."""
    crossed: tuple[int, ...]
    """Thresholds that were reached in the period of now, in per cent."""
    end_ms: int

    @property
    def share(self) -> float:
        """How much of the limit is spent, from 0."""
        return self.spent / self.limit

    @property
    def passed(self) -> int | None:
        """The greatest threshold that was reached, in per cent."""
        return max(self.crossed, default=None)

    @property
    def coming(self) -> int | None:
        """The next threshold, in per cent."""
        return min((one for one in self.budget.thresholds if one not in self.crossed), default=None)

    @property
    def tone(self) -> Tone:
        """What the state means: all well, warned, spent."""
        if self.spent >= self.limit:
            return Tone.BAD
        return Tone.WARN if self.crossed else Tone.PLAIN

    @property
    def percent(self) -> str:
        """Write the share: whole per cent, never rounded up, `~` where prices are missing, `?` where all are."""
        if self.missing and not self.spent:
            return "?"
        return f"{'~' if self.missing else ''}{self.spent * 100 // self.limit}%"

    def amount(self, value: int) -> str:
        """Write an amount in the budget's unit."""
        return f"{tokens(value)} tok" if self.budget.limit_usd is None else Amount(value, self.missing).text()


def budget_title(budget: Budget) -> str:
    """Name a budget: `$10/day`, `work $5/day`."""
    about = "no profile" if budget.profile == UNATTRIBUTED else budget.profile or budget.agent_id or ""
    return f"{clean(about)} {limit_words(budget.limit_usd, budget.limit_tokens, budget.period)}".lstrip()


def crossed_thresholds(model: Model, budget: Budget, now_ms: int) -> tuple[int, ...]:
    """Answer which thresholds were reached in the period of now; those of a period before count no more."""
    start_ms = (start_of_day_ms if budget.period == "day" else start_of_month_ms)(now_ms, model.zone)
    return budget.crossed if budget.start_ms >= start_ms else ()


def budget_states(model: Model, now_ms: int) -> tuple[BudgetState, ...]:
    """Answer how every budget stands, the tightest first."""
    states = (_state(model, budget, now_ms) for budget in model.budgets.values())
    return tuple(sorted(states, key=lambda state: (-state.share, state.budget.id)))


def _state(model: Model, budget: Budget, now_ms: int) -> BudgetState:
    parts = list(_parts(model, budget, now_ms))
    money = total(amount_of(part.cost, part.unpriced_responses) for part in parts if part.responses)
    in_usd = budget.limit_usd is not None
    return BudgetState(
        budget=budget,
        spent=money.nanos if in_usd else sum(part.tokens.total for part in parts),
        limit=nanos(budget.limit_usd) if budget.limit_usd is not None else budget.limit_tokens or 1,
        missing=money.missing if in_usd else 0,
        crossed=crossed_thresholds(model, budget, now_ms),
        end_ms=(end_of_day_ms if budget.period == "day" else end_of_month_ms)(now_ms, model.zone),
    )


def _parts(model: Model, budget: Budget, now_ms: int) -> Iterable[PeriodUsage | AgentUsage]:
    """Answer what counts of the budget's period."""
    day_ms, month_ms = day_start_ms(model, now_ms), start_of_month_ms(now_ms, model.zone)
    for usage in model.usage.values():
        if budget.profile not in {None, usage.profile}:
            continue
        period = today_of(usage, day_ms) if budget.period == "day" else month_of(usage, month_ms)
        if budget.agent_id is None:
            yield period
        else:
            yield from (part for part in period.by_agent if part.agent_id == budget.agent_id)


def _usages(model: Model, budget: Budget) -> list[ProfileUsage] | None:
    """Answer whose time lines are the budget's; None where they hold other agents' usage as well."""
    usages = [usage for usage in model.usage.values() if budget.profile in {None, usage.profile}]
    if budget.agent_id is None:
        return usages
    agents = {usage.profile: {part.agent_id for part in usage.month.by_agent} for usage in usages}
    its_own = [usage for usage in usages if budget.agent_id in agents[usage.profile]]
    return its_own if all(len(agents[usage.profile]) == 1 for usage in its_own) else None


def _leads_to(model: Model, state: BudgetState, now_ms: int) -> int | None:
    """Answer what will have been spent by the end; None where nothing says how fast this part of the usage goes."""
    usages = _usages(model, state.budget)
    if usages is None:
        return None
    measure = bucket_tokens if state.budget.limit_usd is None else bucket_nanos
    period = state.budget.period
    return projected(state.spent, usages, period=period, measure=measure, now_ms=now_ms, end_ms=state.end_ms)


# -- what is drawn ----------------------------------------------------------------------------------------------------


def budget_lines(model: Model, states: tuple[BudgetState, ...], now_ms: int, width: int) -> list[Line]:
    """Answer the tightest budget in full: its bar, and where it leads."""
    if not states:
        return []
    return [_bar_line(states[0], width), *_outlook(model, states[0], now_ms, width)]


def other_budget_lines(states: tuple[BudgetState, ...], width: int, room: int) -> list[Line]:
    """Answer a line for each other budget; what has no room is counted."""
    others = states[1:]
    if len(others) <= room:
        return [_short_line(state, width) for state in others]
    more: Line = (Cell(f"+{plural(len(others) - room + 1, 'more budget')}", Tone.DIM),)
    return [*(_short_line(state, width) for state in others[: room - 1]), more] if room > 0 else []


def _bar_line(state: BudgetState, width: int) -> Line:
    label, title, percent = "BUDGET ", budget_title(state.budget), _marked(state)
    columns = width - len(label) - cells(title) - len(percent) - 4
    drawn = f" [{bar(state.share, columns)}]" if columns >= 4 else ""
    return (Cell(label, Tone.DIM), Cell(title), Cell(drawn, _bar_tone(state)), Cell(f" {percent}", state.tone))


def _short_line(state: BudgetState, width: int) -> Line:
    percent = _marked(state)
    columns = min(_BAR_COLUMNS, width - cells(budget_title(state.budget)) - len(percent) - 4)
    drawn = f" [{bar(state.share, columns)}]" if columns >= 4 else ""
    return (Cell(budget_title(state.budget)), Cell(drawn, _bar_tone(state)), Cell(f" {percent}", state.tone))


def _marked(state: BudgetState) -> str:
    return state.percent if state.tone is Tone.PLAIN else f"▲{state.percent}"


def _bar_tone(state: BudgetState) -> Tone:
    return Tone.ACCENT if state.tone is Tone.PLAIN else state.tone


def _outlook(model: Model, state: BudgetState, now_ms: int, width: int) -> list[Line]:
    """Say where it leads and what comes next; on two lines where one is too short."""
    leads_to = _leads_to(model, state, now_ms)
    note = _note(state, leads_to)
    noted: list[Line] = [(note,)] if note.text else []
    if leads_to is None:
        return noted
    ends = "24:00" if state.budget.period == "day" else month_day(state.end_ms - 1, model.zone)
    line: Line = (Cell("projected ", Tone.DIM), Cell(state.amount(leads_to)), Cell(f" by {ends}", Tone.DIM))
    gap = min(3, width - sum(len(cell.text) for cell in line) - len(note.text))
    return [(*line, Cell(" " * gap), note)] if noted and gap >= 1 else [line, *noted]


def _note(state: BudgetState, leads_to: int | None) -> Cell:
    if state.spent == state.limit:
        return Cell("▲ all spent", Tone.BAD)
    if state.spent > state.limit:
        return Cell(f"▲ over by {state.amount(state.spent - state.limit)}", Tone.BAD)
    if state.passed is not None:
        return Cell(f"▲ {state.passed}% passed", Tone.WARN)
    if state.coming is None:
        return Cell("")
    expected = leads_to is not None and leads_to * 100 >= state.coming * state.limit
    text = f"{'▲ ' if expected else ''}warn at {state.coming}%"
    return Cell(text, Tone.WARN if expected else Tone.DIM)


def header_bar(model: Model, now_ms: int) -> Cell | None:
    """Answer the tightest budget for the header; None without budgets. Its own day needs no name, others have one."""
    states = budget_states(model, now_ms)
    if not states:
        return None
    state = states[0]
    about = clean(state.budget.profile or state.budget.agent_id or "")
    names = [about, "month" if state.budget.period == "month" else ""]
    drawn = f"[{bar(state.share, _BAR_COLUMNS)}] {_marked(state)}"
    return Cell(" ".join(part for part in (*names, drawn) if part), state.tone)


# -- five-hour windows ------------------------------------------------------------------------------------------------


def window_lines(model: Model, now_ms: int) -> list[Line]:
    """Answer a line for each five-hour window that has not ended, the fullest first."""
    found = [
        (usage.profile, usage.window)
        for usage in model.usage.values()
        if usage.window is not None and usage.window.start_ms <= now_ms < usage.window.end_ms
    ]
    found.sort(key=lambda one: (-amount_of(one[1].cost).nanos, -one[1].tokens.total, one[0]))
    return [_window(window, now_ms, profile if len(found) > 1 else "") for profile, window in found]


def _window(window: PlanWindow, now_ms: int, profile: str) -> Line:
    spent = amount_of(window.cost, window.unpriced_responses)
    left = whole_duration(max(60, (window.end_ms - now_ms) // 1000))
    name = "no profile" if profile == UNATTRIBUTED else clean(profile)
    text = f" · {tokens(window.tokens.total)} tok · {left} left" + (f" · {name}" if name else "")
    return (
        Cell("5h  ", Tone.DIM),
        Cell(spent.text(), Tone.WARN if spent.missing else Tone.PLAIN),
        Cell(text, Tone.DIM),
    )
