"""Rows of the Profiles pane: one per profile, and one for usage that belongs to none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from clown_daemon.protocol.resources import UNATTRIBUTED, Profile, ProfileUsage, Proxy, Run
from clown_daemon.protocol.timestamps import epoch_ms
from clown_tui.formatting import clean, spark, whole_duration
from clown_tui.state.model import Model, day_start_ms
from clown_tui.state.rows import Cell, Column, Row, Sort, Tone
from clown_tui.state.selectors.money import Amount, amount_of, minute_tokens, today_of
from clown_tui.state.selectors.proxies import has_proxy, proxy_words

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

_PROXY_COLUMN = Column("PROXY", 7, "right", priority=6)
_PROXY_PLACE = 4
"""Between the model and the state."""

UNATTRIBUTED_KEY = f":{UNATTRIBUTED}"
"""The key of the row without a profile; no alias begins with a colon."""

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


def profile_columns(model: Model) -> tuple[Column, ...]:
    """Answer the columns; the one of proxies is there once a profile has one."""
    if not _any_proxy(model):
        return PROFILE_COLUMNS
    return (*PROFILE_COLUMNS[:_PROXY_PLACE], _PROXY_COLUMN, *PROFILE_COLUMNS[_PROXY_PLACE:])


def _any_proxy(model: Model) -> bool:
    return any(map(has_proxy, model.proxies.values()))


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


_SortKey = Callable[[Model, Profile, int], tuple[int, int, str]]

_SORT_KEYS: dict[str, _SortKey] = {
    "NAME": lambda _model, profile, _now_ms: (0, 0, profile.alias.casefold()),
    "AGENT": lambda model, profile, _now_ms: (0, 0, _agent_name(model, profile).casefold()),
    "MODEL": lambda model, profile, _now_ms: (0, 0, _model_name(model, profile).casefold()),
    "STATE": lambda _model, profile, _now_ms: (_state_rank(profile), 0, ""),
    "TOK/5m": lambda model, profile, now_ms: (sum(_tokens(model.usage.get(profile.alias), now_ms)), 0, ""),
    "COST": lambda model, profile, now_ms: _cost_rank(_amount(model, model.usage.get(profile.alias), now_ms)),
}


def _state_rank(profile: Profile) -> int:
    state = profile.run.state if profile.run else ""
    return _ORDER.get(state, 2 if run_words(profile.run).tone is Tone.BAD else 9)


def _cost_rank(amount: Amount) -> tuple[int, int, str]:
    return amount.nanos, amount.missing, ""


class ProfileRows(Sequence[Row]):
    """Rows that are made when they are looked at: a tick of the clock then costs what is on the screen, not all."""

    def __init__(self, model: Model, now_ms: int, sort: Sort) -> None:
        self._model = model
        self._now_ms = now_ms
        ordered = [model.profiles[alias] for alias in sorted(model.profiles)]
        key = _SORT_KEYS.get(sort.column, _SORT_KEYS["NAME"])
        ordered.sort(key=lambda profile: key(model, profile, now_ms), reverse=sort.descending)
        self._ordered = ordered
        self._proxied = _any_proxy(model)
        self._stray = None if UNATTRIBUTED in model.profiles else model.usage.get(UNATTRIBUTED)

    def __len__(self) -> int:
        return len(self._ordered) + (self._stray is not None)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        if isinstance(index, slice):
            return tuple(self._make(place) for place in range(len(self))[index])
        return self._make(range(len(self))[index])

    def _make(self, place: int) -> Row:
        if place < len(self._ordered):
            return _profile_row(self._model, self._ordered[place], self._now_ms, proxied=self._proxied)
        assert self._stray is not None  # else the place would be out of range
        return _stray_row(self._model, self._stray, self._now_ms, proxied=self._proxied)


def profile_rows(model: Model, now_ms: int, *, sort: Sort = PROFILE_SORTS[0]) -> Sequence[Row]:
    """Answer one row per profile in the given order, and last the usage that belongs to none, if there is any."""
    return ProfileRows(model, now_ms, sort)


def _agent_name(model: Model, profile: Profile) -> str:
    agent = model.agents.get(profile.agent_id)
    return clean(agent.name if agent else profile.agent_id)


def _model_name(model: Model, profile: Profile) -> str:
    agent = model.agents.get(profile.agent_id)
    return short_model(profile.model or (agent.default_model if agent else None))


def _tokens(usage: ProfileUsage | None, now_ms: int) -> tuple[int, ...]:
    return minute_tokens(usage, now_ms) if usage else (0,) * 5


def _amount(model: Model, usage: ProfileUsage | None, now_ms: int) -> Amount:
    if usage is None:
        return Amount()
    period = today_of(usage, day_start_ms(model, now_ms))
    return amount_of(period.cost, period.unpriced_responses)


def _profile_row(model: Model, profile: Profile, now_ms: int, *, proxied: bool) -> Row:
    words = run_words(profile.run)
    named = _model_name(model, profile)
    usage = model.usage.get(profile.alias)
    return Row(
        profile.alias,
        (
            Cell(words.glyph, words.tone),
            Cell(clean(profile.alias), Tone.STRONG if words.tone is Tone.GOOD else Tone.PLAIN),
            Cell(_agent_name(model, profile)),
            Cell(named, Tone.DIM if named == "-" else Tone.PLAIN),
            *((_proxy_cell(model.proxies.get(profile.alias)),) if proxied else ()),
            Cell(words.word, words.tone),
            Cell(uptime(profile.run, now_ms), Tone.DIM if words.tone is Tone.DIM else Tone.PLAIN),
            _spark(_tokens(usage, now_ms)),
            money_cell(_amount(model, usage, now_ms)),
        ),
    )


def _proxy_cell(proxy: Proxy | None) -> Cell:
    """Show where a profile's agent finds its proxy: `:9101`, with the state's glyph unless it runs."""
    if proxy is None or proxy.port is None or not has_proxy(proxy):
        return Cell("-", Tone.DIM)
    if proxy.status == "running":
        return Cell(f":{proxy.port}")
    words = proxy_words(proxy)
    return Cell(f"{words.glyph}:{proxy.port}", words.tone)


def _spark(values: tuple[int, ...]) -> Cell:
    return Cell(spark(values), Tone.ACCENT if any(values) else Tone.DIM)


def money_cell(amount: Amount) -> Cell:
    """Show money; an unknown price stands out, nothing at all stands back."""
    if amount.missing:
        return Cell(amount.text(), Tone.WARN)
    return Cell(amount.text(), Tone.PLAIN if amount.nanos else Tone.DIM)


def _stray_agents(model: Model, usage: ProfileUsage) -> str:
    """Name who ran without a profile this month: the one, or how many."""
    ids = {part.agent_id for part in usage.month.by_agent} or {usage.agent_id or "-"}
    if len(ids) > 1:
        return f"{len(ids)} agents"
    agent_id = ids.pop()
    agent = model.agents.get(agent_id)
    return clean(agent.name if agent else agent_id)


def _stray_row(model: Model, usage: ProfileUsage, now_ms: int, *, proxied: bool) -> Row:
    amount = _amount(model, usage, now_ms)
    cells = (
        "·",
        "no profile",
        _stray_agents(model, usage),
        *(("-",) if proxied else ()),
        "-",
        "-",
        "-",
        spark(_tokens(usage, now_ms)),
        amount.text(),
    )
    return Row(UNATTRIBUTED_KEY, tuple(Cell(text, Tone.DIM) for text in cells))
