"""What the dashboard says of budgets and five-hour windows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.client.states import Phase
from clown_daemon.protocol.events import BudgetDeleted, BudgetUpdated
from clown_daemon.protocol.resources import UNATTRIBUTED, PeriodUsage
from clown_tui.formatting import cells
from clown_tui.state.event_log import EventLog
from clown_tui.state.event_words import Level, level_of, subject, words
from clown_tui.state.filters import parse
from clown_tui.state.model import Model
from clown_tui.state.records import entry_record
from clown_tui.state.reducer import from_snapshot, reduce
from clown_tui.state.rows import Line, Tone
from clown_tui.state.selectors import alarms, cost_lines, header_line, tab_titles
from clown_tui.state.selectors.budgets import budget_states
from clown_tui.state.selectors.cost import by_agent
from tests.support.dashboard_state import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    a_budget,
    a_period,
    a_profile,
    a_snapshot,
    a_usage,
    a_window,
    an_agent,
    an_event,
    bucket,
    connection,
    crossed,
    received,
)

MONTH_MS = DAY_MS - 21 * 24 * HOUR_MS
"""The first of September."""


def model_of(*budgets: Any, **parts: Any) -> Model:
    """A dashboard with $4.12 spent today, $1.61 of it an hour."""
    usage = a_usage(
        today=a_period(4.12, 1_000_000),
        minutes=(bucket(5 * MINUTE_MS, 100_000, 0.4025),),
        hours=(bucket(HOUR_MS, 1_000_000, 4.12),),
        days=(bucket(NOW_MS - DAY_MS, 1_000_000, 4.12),),
    )
    values = {"profiles": (a_profile(),), "usage": (usage,), "budgets": budgets, **parts}
    return reduce(from_snapshot(Model(), a_snapshot(**values), NOW_MS), [connection(Phase.LIVE)])


def text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def block(model: Model, width: int = 42, height: int | None = None) -> list[str]:
    return [text(line) for line in cost_lines(model, NOW_MS, width, height)]


def test_the_cost_pane_shows_the_budget_its_bar_and_where_it_leads() -> None:
    assert block(model_of(a_budget()))[:3] == [
        "TODAY $4.12      BURN $1.61/h (15 min)",
        "BUDGET $10/day [████████░░░░░░░░░░░░░] 41%",
        "projected $7.26 by 24:00   warn at 80%",
    ]


def test_a_projection_that_passes_the_next_threshold_warns_of_it() -> None:
    assert "projected $7.26 by 24:00   ▲ warn at 80%" in block(model_of(a_budget(9.0)))


@pytest.mark.parametrize(
    ("budget", "percent", "note", "tone"),
    [
        (a_budget(5.0, crossed=(80,)), " ▲82%", "▲ 80% passed", Tone.WARN),
        (a_budget(4.12, crossed=(80, 100)), " ▲100%", "▲ all spent", Tone.BAD),
        (a_budget(4.0, crossed=(80, 100)), " ▲103%", "▲ over by $0.12", Tone.BAD),
        (
            a_budget(None, limit_tokens=2_000_000, thresholds=(50, 80), crossed=(50,)),
            " ▲50%",
            "▲ 50% passed",
            Tone.WARN,
        ),
    ],
)
def test_a_passed_threshold_is_a_glyph_and_a_word(budget: Any, percent: str, note: str, tone: Tone) -> None:
    lines = cost_lines(model_of(budget), NOW_MS, 42)
    assert (lines[1][-1].text, lines[1][-1].tone) == (percent, tone)
    assert (lines[2][-1].text, lines[2][-1].tone) == (note, tone)


def test_per_cent_are_never_rounded_up() -> None:
    [state] = budget_states(model_of(a_budget(4.1241)), NOW_MS)
    assert state.percent == "99%"


def test_a_budget_in_tokens_is_told_in_tokens() -> None:
    lines = block(model_of(a_budget(None, limit_tokens=2_000_000)))
    assert lines[1] == "BUDGET 2.0M tok/day [████████░░░░░░░░] 50%"
    assert lines[2] == "projected 1.8M tok by 24:00  ▲ warn at 80%"


def test_a_budget_says_that_prices_are_missing() -> None:
    some = model_of(a_budget(), usage=(a_usage(today=a_period(4.12, 9, unpriced=2)),))
    assert block(some)[1].endswith("] ~41%")
    none = model_of(a_budget(), usage=(a_usage(today=a_period(None, 9)),))
    assert block(none)[1].endswith("] ?")


def test_the_tightest_budget_comes_first_and_the_others_below_it() -> None:
    month = a_period(50.0, 9, start_ms=MONTH_MS)
    usage = (a_usage(today=a_period(4.12, 9), month=month), a_usage("lab", a_period(0.5, 9), month=a_period(1, 9)))
    budgets = (
        a_budget(),
        a_budget(1.0, profile="lab"),
        a_budget(200.0, period="month", start_ms=MONTH_MS),
        a_budget(1000.0, agent_id="claude", period="month", start_ms=MONTH_MS),
    )
    lines = block(model_of(*budgets, usage=usage))
    assert lines[1].startswith("BUDGET lab $1/day [")
    assert lines[3:6] == [
        "$10/day [███░░░░░] 46%",
        "$200/month [██░░░░░░] 25%",
        "claude $1,000/month [█░░░░░░░] 5%",
    ]
    assert "+2 more budgets" in block(model_of(*budgets, usage=usage), height=11)


def test_lines_that_are_too_few_for_a_table_go_to_the_other_budgets() -> None:
    usage = (a_usage(today=a_period(4.12, 9)),)
    budgets = (a_budget(), a_budget(200.0, period="month", start_ms=MONTH_MS))
    model = model_of(*budgets, usage=usage)
    blocks = {height: block(model, height=height) for height in range(5, 12)}
    assert [height for height, lines in blocks.items() if any("$200/month" in line for line in lines)] == [7, 8, 10, 11]
    assert [height for height, lines in blocks.items() if any("BY MODEL" in line for line in lines)] == [9, 10, 11]


def test_a_budget_counts_only_what_it_is_for() -> None:
    usage = (
        a_usage("work", a_period(1.0, 9)),
        a_usage("lab", a_period(2.0, 9, agent="codex"), agent_id="codex"),
        a_usage(UNATTRIBUTED, a_period(4.0, 9)),
    )
    budgets = (
        a_budget(10.0),
        a_budget(10.0, profile="lab"),
        a_budget(10.0, agent_id="claude"),
        a_budget(10.0, profile=UNATTRIBUTED),
    )
    states = budget_states(model_of(*budgets, usage=usage), NOW_MS)
    assert {state.budget.id: state.percent for state in states} == {
        "total:day:usd": "70%",
        "claude:day:usd": "50%",
        "unattributed:day:usd": "40%",
        "lab:day:usd": "20%",
    }
    assert "no profile $10/day" in "\n".join(block(model_of(*budgets, usage=usage)))


def test_without_time_lines_of_its_own_an_agents_budget_leads_nowhere() -> None:
    parts = a_period(1.0, 9).by_agent + a_period(2.0, 9, agent="codex").by_agent
    both = PeriodUsage(start_ms=DAY_MS, responses=2, by_agent=parts)
    mixed = a_usage(UNATTRIBUTED, both)
    lines = block(model_of(a_budget(10.0, agent_id="codex"), usage=(mixed,)))
    assert lines[1].startswith("BUDGET codex $10/day")
    assert lines[2] == "warn at 80%"


def test_thresholds_of_a_period_that_is_over_count_no_more() -> None:
    budget = a_budget(5.0, crossed=(80,), start_ms=DAY_MS - 24 * HOUR_MS)
    assert alarms(model_of(budget), NOW_MS) == ()
    [state] = budget_states(model_of(budget), NOW_MS)
    assert state.crossed == ()


def test_a_passed_threshold_is_an_alarm_in_the_header_the_tabs_and_the_status() -> None:
    warned = model_of(a_budget(5.0, crossed=(80,)))
    assert [(alarm.text, alarm.warning) for alarm in alarms(warned, NOW_MS)] == [("budget $5/day: 80% passed", True)]
    assert "▲1" in text(header_line(warned, NOW_MS, 120))
    assert tab_titles(warned, NOW_MS)[2].text == "3 Cost ▲1"
    spent = model_of(a_budget(4.0, crossed=(80, 100)), a_budget(5.0, id="other", crossed=(80,)))
    assert tab_titles(spent, NOW_MS)[2].text == "3 Cost ✗2"


def test_a_small_screen_has_the_tightest_budget_in_its_header() -> None:
    assert "$4.12 today  [███░░░░░] 41%" in text(header_line(model_of(a_budget()), NOW_MS, 80))
    assert "[" not in text(header_line(model_of(a_budget()), NOW_MS, 120))
    month = a_budget(10.0, profile="work", period="month", start_ms=MONTH_MS, crossed=())
    assert "work month [███░░░░░] 41%" in text(header_line(model_of(month), NOW_MS, 90))
    assert "▲82%" in text(header_line(model_of(a_budget(5.0, crossed=(80,))), NOW_MS, 80))


BUDGETS = st.lists(
    st.builds(
        lambda usd, period, profile, number: a_budget(
            usd, period=period, profile=profile, id=str(number), start_ms=MONTH_MS if period == "month" else DAY_MS
        ),
        st.sampled_from([0.01, 5.0, 12.5, 1_000_000.0]),
        st.sampled_from(["day", "month"]),
        st.sampled_from([None, "work", "a-profile-with-a-long-name-of-48-letters-or-so-xx"]),
        st.integers(0, 99),
    ),
    max_size=9,
)


@given(BUDGETS, st.integers(1, 120), st.integers(1, 40))
def test_the_cost_pane_keeps_to_its_size_with_any_budgets(budgets: Any, width: int, height: int) -> None:
    lines = cost_lines(model_of(*budgets), NOW_MS, width, height)
    assert len(lines) <= height
    assert all(cells(text(line)) <= width for line in lines)
    assert cells(text(header_line(model_of(*budgets), NOW_MS, width))) <= width


# -- five-hour windows ------------------------------------------------------------------------------------------------


def test_a_running_window_says_what_was_used_and_what_is_left() -> None:
    model = model_of(usage=(a_usage(window=a_window()),))
    assert "5h  $3.10 · 412k tok · 1h12m left" in block(model)
    assert not any(line.startswith("5h") for line in block(model_of(usage=(a_usage(window=a_window(left_ms=0)),))))


def test_several_windows_are_told_with_their_profiles_the_fullest_first() -> None:
    usage = (
        a_usage("work", window=a_window(1.0, 10, left_ms=MINUTE_MS // 2)),
        a_usage("lab", window=a_window(None, 99)),
        a_usage(UNATTRIBUTED, window=a_window(2.0)),
    )
    assert [line for line in block(model_of(usage=usage), width=60) if line.startswith("5h")] == [
        "5h  $2.00 · 412k tok · 1h12m left · no profile",
        "5h  $1.00 · 10 tok · 1m left · work",
        "5h  ? · 99 tok · 1h12m left · lab",
    ]


# -- agents, events ---------------------------------------------------------------------------------------------------


def test_today_is_broken_down_by_agent_when_there_are_several() -> None:
    usage = (a_usage("work", a_period(1.0, 9)), a_usage("lab", a_period(2.0, 9, agent="codex")))
    model = model_of(usage=usage, agents=(an_agent(),))
    assert [(share.name, share.amount.text()) for share in by_agent(model, NOW_MS)] == [
        ("codex", "$2.00"),
        ("Claude Code", "$1.00"),
    ]
    assert any(line.startswith("BY AGENT") for line in block(model))
    assert not any(line.startswith("BY AGENT") for line in block(model_of()))


@pytest.mark.parametrize(
    ("data", "resource", "about", "said"),
    [
        (crossed(80), a_budget(), "total", "80% of $10/day: $8.03 spent"),
        (crossed(100, profile="work"), a_budget(), "work", "100% of $10/day: $10.03 spent"),
        (
            crossed(
                80, agent_id="claude", limit_usd=None, spent_usd=None, limit_tokens=50_000_000, spent_tokens=41_000_000
            ),
            a_budget(),
            "claude",
            "80% of 50M tok/day: 41M tokens used",
        ),
        (
            BudgetUpdated(id="total:day:usd", profile=None, agent_id=None),
            a_budget(12.5, crossed=(80,)),
            "total",
            "budget $12.50/day · tells at 80% 100% · 80% passed already",
        ),
        (
            BudgetUpdated(id="total:day:usd", profile=None, agent_id=None),
            a_budget(thresholds=()),
            "total",
            "budget $10/day · tells nothing",
        ),
        (
            BudgetDeleted(id="profile:work:day:usd", profile="work", agent_id=None),
            None,
            "work",
            "budget profile:work:day:usd deleted",
        ),
    ],
)
def test_events_of_budgets_are_told_in_words(data: Any, resource: Any, about: str, said: str) -> None:
    event = an_event(data, resource)
    assert (subject(event), words(event)) == (about, said)


def test_a_crossing_is_a_warning_until_everything_is_spent() -> None:
    levels = [level_of(an_event(crossed(threshold))) for threshold in (50, 99, 100, 150)]
    assert levels == [Level.WARN, Level.WARN, Level.ERROR, Level.ERROR]


@pytest.mark.parametrize("wanted", ["@cost", "type:Budget*", "level:warn", "profile:work", "80%", "!agent:codex"])
def test_a_crossing_is_found_by_filters(wanted: str) -> None:
    log = EventLog()
    log.extend([received(crossed(80, profile="work"), a_budget())])
    assert parse(wanted).matches(entry_record(log[0]))
    assert not parse(f"{wanted} type:Usage*").matches(entry_record(log[0]))


def test_the_end_of_a_month_is_told_as_a_day() -> None:
    budget = a_budget(100.0, period="month", start_ms=MONTH_MS)
    lines = block(model_of(budget))
    assert lines[2].startswith("projected $")
    assert "by Sep 30" in lines[2]
