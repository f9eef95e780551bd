"""Rows of the Profiles pane: one per profile, and one for usage that belongs to none."""

from collections.abc import Callable
from dataclasses import dataclass

from clown_daemon.protocol.resources import UNATTRIBUTED, Profile, ProfileUsage, Run
from clown_daemon.protocol.timestamps import epoch_ms
from clown_tui.formatting import clean, spark, whole_duration
from clown_tui.state.model import Model, day_start_ms
from clown_tui.state.rows import Cell, Column, Row, Tone
from clown_tui.state.selectors.money import Amount, amount_of, minute_tokens, today_of

PROFILE_COLUMNS: tuple[Column, ...] = (
    Column("", 1),
    Column("NAME", 10, stretch=True),
    Column("AGENT", 11, priority=3),
    Column("MODEL", 12, priority=5),
    Column("STATE", 8),
    Column("UP", 6, "right", priority=2),
    Column("TOK/5m", 6, "right", priority=4),
    Column("COST", 8, "right", priority=1),
)

UNATTRIBUTED_KEY = f":{UNATTRIBUTED}"
"""The key of the row without a profile; no alias begins with a colon."""


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of rows: a column's title, and which way."""

    column: str = "NAME"
    descending: bool = False

    def words(self) -> str:
        """Say it as the pane's border does: `sort COST ▼`."""
        return f"sort {self.column} {'▼' if self.descending else '▲'}"


PROFILE_SORTS: tuple[Sort, ...] = (
    Sort("NAME"),
    Sort("STATE"),
    Sort("COST", descending=True),
    Sort("TOK/5m", descending=True),
    Sort("AGENT"),
    Sort("MODEL"),
)
"""What the sort key goes through, each in its natural direction."""

_ORDER = {"running": 0, "starting": 1, "stopping": 1, "failed": 2, "lost": 3}


@dataclass(frozen=True, slots=True)
class RunWords:
    """The state of a profile's newest run as glyph and word."""

    glyph: str
    word: str
    tone: Tone


_IDLE = RunWords("○", "idle", Tone.DIM)
_WORDS: dict[str, RunWords] = {
    "running": RunWords("●", "running", Tone.GOOD),
    "starting": RunWords("◐", "start…", Tone.WARN),
    "stopping": RunWords("◐", "stop…", Tone.WARN),
    "failed": RunWords("✗", "failed", Tone.BAD),
    "lost": RunWords("?", "lost", Tone.WARN),
}


def run_words(run: Run | None) -> RunWords:
    """Say a run's state. One that was stopped on request (TERM, KILL, INT) is idle, not broken."""
    if run is None:
        return _IDLE
    if run.state != "exited":
        return _WORDS[run.state]
    if run.exit_code in {0, None, -2, -9, -15}:
        return _IDLE
    return RunWords("✗", f"exit {run.exit_code}", Tone.BAD)


def is_running(profile: Profile) -> bool:
    """Tell whether a profile's agent has a process now."""
    return profile.run is not None and profile.run.state in {"starting", "running", "stopping"}


def uptime(run: Run | None, now_ms: int) -> str:
    """Write how long a run has been up; `-` when it is not."""
    if run is None or run.state not in {"running", "stopping"}:
        return "-"
    return whole_duration((now_ms - epoch_ms(run.started_at)) / 1000)


def short_model(name: str | None) -> str:
    """Write a model's name without vendor prefix and date: `claude-sonnet-4-5-20250929` is `sonnet-4-5`."""
    text = clean(name or "-").rsplit("/", 1)[-1]
    head, _, tail = text.rpartition("-")
    if head and len(tail) == 8 and tail.isdigit():
        text = head
    return text.removeprefix("claude-") or "-"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a row is made of and sorted by."""

    key: str
    name: str
    agent: str
    model: str
    words: RunWords
    state: str
    up: str
    tokens: tuple[int, ...]
    amount: Amount


_SORT_KEYS: dict[str, Callable[[_Facts], tuple[int, int, str]]] = {
    "NAME": lambda entry: (0, 0, entry.name.casefold()),
    "AGENT": lambda entry: (0, 0, entry.agent.casefold()),
    "MODEL": lambda entry: (0, 0, entry.model.casefold()),
    "STATE": lambda entry: (_ORDER.get(entry.state, 2 if entry.words.tone is Tone.BAD else 9), 0, ""),
    "TOK/5m": lambda entry: (sum(entry.tokens), 0, ""),
    "COST": lambda entry: (entry.amount.nanos, entry.amount.missing, ""),
}


def profile_rows(model: Model, now_ms: int, *, sort: Sort = PROFILE_SORTS[0]) -> tuple[Row, ...]:
    """Answer one row per profile in the given order, and last the usage that belongs to none, if there is any."""
    facts = [_profile_facts(model, profile, now_ms) for profile in model.profiles.values()]
    facts.sort(key=lambda entry: entry.key)
    facts.sort(key=_SORT_KEYS.get(sort.column, _SORT_KEYS["NAME"]), reverse=sort.descending)
    rows = [_row(entry) for entry in facts]
    stray = model.usage.get(UNATTRIBUTED)
    if stray is not None and UNATTRIBUTED not in model.profiles:
        rows.append(_stray_row(model, stray, now_ms))
    return tuple(rows)


def _profile_facts(model: Model, profile: Profile, now_ms: int) -> _Facts:
    usage = model.usage.get(profile.alias)
    agent = model.agents.get(profile.agent_id)
    words = run_words(profile.run)
    return _Facts(
        key=profile.alias,
        name=clean(profile.alias),
        agent=clean(agent.name if agent else profile.agent_id),
        model=short_model(profile.model or (agent.default_model if agent else None)),
        words=words,
        state=profile.run.state if profile.run else "",
        up=uptime(profile.run, now_ms),
        tokens=_tokens(usage, now_ms),
        amount=_amount(model, usage, now_ms),
    )


def _tokens(usage: ProfileUsage | None, now_ms: int) -> tuple[int, ...]:
    return minute_tokens(usage, now_ms) if usage else (0,) * 5


def _amount(model: Model, usage: ProfileUsage | None, now_ms: int) -> Amount:
    if usage is None:
        return Amount()
    period = today_of(usage, day_start_ms(model, now_ms))
    return amount_of(period.cost, period.unpriced_responses)


def _row(entry: _Facts) -> Row:
    quiet = Tone.DIM if entry.words.tone is Tone.DIM else Tone.PLAIN
    return Row(
        entry.key,
        (
            Cell(entry.words.glyph, entry.words.tone),
            Cell(entry.name, Tone.STRONG if entry.words.tone is Tone.GOOD else Tone.PLAIN),
            Cell(entry.agent),
            Cell(entry.model, Tone.DIM if entry.model == "-" else Tone.PLAIN),
            Cell(entry.words.word, entry.words.tone),
            Cell(entry.up, quiet),
            _spark(entry.tokens),
            money_cell(entry.amount),
        ),
    )


def _spark(values: tuple[int, ...]) -> Cell:
    return Cell(spark(values), Tone.ACCENT if any(values) else Tone.DIM)


def money_cell(amount: Amount) -> Cell:
    """Show money; an unknown price stands out, nothing at all stands back."""
    if amount.missing:
        return Cell(amount.text(), Tone.WARN)
    return Cell(amount.text(), Tone.PLAIN if amount.nanos else Tone.DIM)


def _stray_row(model: Model, usage: ProfileUsage, now_ms: int) -> Row:
    amount = _amount(model, usage, now_ms)
    agent = model.agents.get(usage.agent_id or "")
    name = agent.name if agent else usage.agent_id or "-"
    cells = ("·", "no profile", clean(name), "-", "-", "-", spark(_tokens(usage, now_ms)), amount.text())
    return Row(UNATTRIBUTED_KEY, tuple(Cell(text, Tone.DIM) for text in cells))
