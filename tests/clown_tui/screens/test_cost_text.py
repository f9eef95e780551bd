from dataclasses import replace

from clown_daemon.protocol.resources import Cost, PeriodUsage, ProfileUsage, Tokens, UsageBucket
from clown_tui.screens.cost_text import CostText
from clown_tui.state.model import Model

NOW_MS = 1_790_000_000_000 - 1_790_000_000_000 % 60_000


def spent(dollars: float) -> dict[str, ProfileUsage]:
    period = PeriodUsage(start_ms=NOW_MS, tokens=Tokens(input_tokens=9), cost=Cost(total_cost=dollars), responses=1)
    minute = UsageBucket(NOW_MS, 9, dollars)
    used = ProfileUsage(
        profile="work", agent_id="claude", last_used=None, today=period, week=period, month=period, minutes=(minute,)
    )
    return {"work": used}


def text(lines: object) -> str:
    return str(lines)


def test_lines_are_kept_within_a_minute_and_made_anew_when_something_is_another() -> None:
    cost = CostText()
    model = Model(usage=spent(1.0))
    first = cost.lines(model, NOW_MS, 40, 20)
    assert cost.lines(replace(model, seq=7), NOW_MS + 59_999, 40, 20) is first
    assert cost.lines(model, NOW_MS + 60_000, 40, 20) is not first
    assert cost.lines(model, NOW_MS, 50, 20) != first
    assert "$2.00" in text(cost.lines(replace(model, usage=spent(2.0)), NOW_MS, 40, 20))


def test_what_was_used_in_the_running_minute_burns() -> None:
    assert "$4.00/h" in text(CostText().lines(Model(usage=spent(1.0)), NOW_MS + 30_000, 40, 20))
