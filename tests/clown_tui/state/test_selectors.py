"""What each pane shows, cut out of the model."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.client.states import GapFound, Message, Phase
from clown_daemon.protocol.events import (
    CATALOGUE,
    AgentUpdated,
    DaemonShuttingDown,
    DaemonUpdated,
    ProfileCreated,
    ProfileStopped,
    ProxyError,
    RegistrySyncCompleted,
    UsageImportProgressed,
)
from clown_daemon.protocol.resources import UNATTRIBUTED, Proxy, Registry, UsageImport
from clown_daemon.protocol.timestamps import rfc3339
from clown_tui.formatting import cells
from clown_tui.state import event_words
from clown_tui.state.event_log import EventLog
from clown_tui.state.model import Connection, Model
from clown_tui.state.panes import PANES, Pane
from clown_tui.state.reducer import from_snapshot, reduce
from clown_tui.state.rows import Line, Row, Tone
from clown_tui.state.selectors import (
    PROFILE_SORTS,
    Sort,
    alarms,
    connection_card,
    connection_words,
    cost_lines,
    detail_lines,
    empty_lines,
    event_rate,
    event_row,
    header_line,
    pane_summary,
    pane_title,
    profile_rows,
    registry_lines,
    resource_json,
    status_line,
    summary_line,
    tab_titles,
)
from clown_tui.state.selectors.money import burn_rate, day_amounts, hour_amounts, projection, today_amount
from clown_tui.state.selectors.profiles import UNATTRIBUTED_KEY, short_model
from tests.support.dashboard_state import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    a_daemon,
    a_period,
    a_profile,
    a_run,
    a_snapshot,
    a_usage,
    an_agent,
    an_event,
    bucket,
    connection,
    received,
    used,
)


def _model(**parts: Any) -> Model:
    model = from_snapshot(Model(), a_snapshot(**parts), NOW_MS)
    return reduce(model, [connection(Phase.LIVE)])


def _texts(row: Row) -> list[str]:
    return [cell.text for cell in row.cells]


def _text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def _block(lines: tuple[Line, ...]) -> str:
    return "\n".join(map(_text, lines))


def _details(model: Model, pane: Pane, key: str, log: EventLog | None = None) -> tuple[Line, ...]:
    return detail_lines(model, pane, key, log, now_ms=NOW_MS)


# -- profiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "glyph", "word", "up"),
    [
        (None, "○", "idle", "-"),
        (a_run(), "●", "running", "2h00m"),
        (a_run("starting"), "◐", "start…", "-"),
        (a_run("stopping"), "◐", "stop…", "2h00m"),
        (a_run("exited", exit_code=0), "○", "idle", "-"),
        (a_run("exited", exit_code=-15), "○", "idle", "-"),
        (a_run("exited", exit_code=1), "✗", "exit 1", "-"),
        (a_run("failed", error="no binary"), "✗", "failed", "-"),
        (a_run("lost"), "?", "lost", "-"),
    ],
)
def test_a_state_is_a_glyph_and_a_word(run: Any, glyph: str, word: str, up: str) -> None:
    (row,) = profile_rows(_model(agents=(an_agent(),), profiles=(a_profile(run=run),)), NOW_MS)
    assert _texts(row)[:6] == [glyph, "work", "Claude Code", "sonnet-4-5", word, up]


@pytest.mark.parametrize(
    ("today", "shown"),
    [
        (a_period(3.42), "$3.42"),
        (a_period(None, 50), "?"),
        (a_period(3.42, unpriced=2), "~$3.42"),
        (a_period(0.001), "<$0.01"),
        (a_period(9.0, start_ms=DAY_MS - 24 * HOUR_MS), "$0.00"),
    ],
)
def test_cost_today_never_shows_an_unknown_price_or_yesterday(today: Any, shown: str) -> None:
    (row,) = profile_rows(_model(profiles=(a_profile(),), usage=(a_usage(today=today),)), NOW_MS)
    assert row.cells[-1].text == shown


def test_the_spark_has_a_step_for_each_of_the_last_minutes() -> None:
    minutes = (bucket(9 * MINUTE_MS, 99, 1), bucket(4 * MINUTE_MS, 10, 1), bucket(0, 80, 1))
    (row,) = profile_rows(_model(profiles=(a_profile(),), usage=(a_usage(minutes=minutes),)), NOW_MS)
    assert row.cells[-2].text == "▂···█"


def test_usage_without_a_profile_is_a_dim_last_row_and_only_if_there_is_any() -> None:
    model = _model(profiles=(a_profile("zoo"),), usage=(a_usage(UNATTRIBUTED),))
    rows = profile_rows(model, NOW_MS, sort=Sort("NAME", descending=True))
    assert [row.key for row in rows] == ["zoo", UNATTRIBUTED_KEY]
    assert {cell.tone for cell in rows[-1].cells} == {Tone.DIM}
    assert len(profile_rows(_model(profiles=(a_profile(),)), NOW_MS)) == 1


def test_agents_without_a_profile_are_named_or_counted() -> None:
    one, other = a_period(), a_period(agent="codex")
    several = msgspec.structs.replace(one, by_agent=(*one.by_agent, *other.by_agent))
    for month, shown in ((one, "Claude Code"), (several, "2 agents")):
        model = _model(agents=(an_agent(),), usage=(a_usage(UNATTRIBUTED, one, month=month),))
        assert profile_rows(model, NOW_MS)[-1].cells[2].text == shown


@pytest.mark.parametrize("sort", PROFILE_SORTS)
def test_every_order_is_total_and_turns_around(sort: Sort) -> None:
    profiles = (a_profile("a", model="m1"), a_profile("b", model="m2", run=a_run()), a_profile("c", agent_id="x"))
    model = _model(profiles=profiles, usage=(a_usage("c", minutes=(bucket(0, 5, 0.1),)),))
    keys = [row.key for row in profile_rows(model, NOW_MS, sort=sort)]
    turned = [row.key for row in profile_rows(model, NOW_MS, sort=replace(sort, descending=not sort.descending))]
    assert sorted(keys) == sorted(turned) == ["a", "b", "c"]
    assert keys != turned
    assert sort.words().startswith(f"sort {sort.column}")


def test_the_dearest_profile_comes_first_by_cost() -> None:
    usage = (a_usage("a", a_period(1)), a_usage("b", a_period(2)))
    model = _model(profiles=(a_profile("a"), a_profile("b")), usage=usage)
    assert [row.key for row in profile_rows(model, NOW_MS, sort=Sort("COST", descending=True))] == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("claude-sonnet-4-5-20250929", "sonnet-4-5"),
        ("openai/gpt-5-codex", "gpt-5-codex"),
        ("claude-opus-4-1", "opus-4-1"),
        (None, "-"),
        ("", "-"),
        ("20250929", "20250929"),
    ],
)
def test_models_are_shown_by_their_short_names(name: str | None, shown: str) -> None:
    assert short_model(name) == shown


def test_escape_sequences_in_names_reach_no_cell() -> None:
    model = _model(
        agents=(an_agent(name="\x1b[2Jevil", problem="\x1b]0;x\x07slow"),),
        profiles=(a_profile(model="\x1b[31mred", run=a_run("failed", error="\x1b[5mx")),),
    )
    rows = [_text(row.cells) for row in profile_rows(model, NOW_MS)]
    lines = [_text(line) for line in (*registry_lines(model, NOW_MS, 60), *_details(model, Pane.PROFILES, "work"))]
    assert not any("\x1b" in text for text in (*rows, *lines, _text(status_line(model, NOW_MS, 80))))


# -- cost -------------------------------------------------------------------------------------------------------------


def _spender() -> Model:
    day = 24 * HOUR_MS
    usage = a_usage(
        minutes=(bucket(40 * MINUTE_MS, 1, 9.0), bucket(10 * MINUTE_MS, 1, 0.30), bucket(0, 1, 0.10)),
        hours=(bucket(23 * HOUR_MS, 1, 0.5), bucket(0, 1, 0.71), bucket(0, 1, None)),
        days=(bucket(NOW_MS - DAY_MS + 6 * day, 1, 5.1), bucket(NOW_MS - DAY_MS, 1, 3.42)),
    )
    return _model(profiles=(a_profile(),), usage=(usage, a_usage(UNATTRIBUTED, a_period(None, 10))))


def test_the_burn_rate_is_that_of_15_minutes_and_a_projection_believes_it_for_an_hour() -> None:
    model = _spender()
    assert today_amount(model, NOW_MS).text() == "~$3.42"
    assert burn_rate(model, NOW_MS).text() == "$1.60"
    assert projection(model, NOW_MS).text() == "~$5.47"


def test_time_lines_have_a_slot_for_every_step() -> None:
    model = _spender()
    hours = hour_amounts(model, NOW_MS)
    assert len(hours) == 24
    assert (hours[0].text(), hours[-1].text()) == ("$0.50", "~$0.71")
    assert [amount.text() for amount in day_amounts(model, NOW_MS)] == ["$5.10", *["$0.00"] * 5, "$3.42"]


def test_the_cost_pane_tells_today_then_where_it_goes() -> None:
    text = _block(cost_lines(_spender(), NOW_MS, 42))
    for part in ("TODAY ~$3.42", "BURN $1.60/h (15 min)", "projected ~$5.47 by 24:00", "max ~$0.71/h", "Σ $8.52"):
        assert part in text
    assert "BY MODEL" in text
    assert "no profile" in text


@given(st.integers(1, 120), st.integers(1, 40))
def test_the_cost_pane_keeps_to_its_size(width: int, height: int) -> None:
    lines = cost_lines(_spender(), NOW_MS, width, height)
    assert len(lines) <= height
    assert all(cells(_text(line)) <= width for line in lines)


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=20))
def test_the_sum_of_the_machine_is_exact(parts: list[int]) -> None:
    usage = tuple(a_usage(f"p{number}", a_period(part / 10**9)) for number, part in enumerate(parts))
    assert today_amount(_model(usage=usage), NOW_MS).nanos == sum(parts)


def test_a_day_with_a_clock_change_ends_when_it_ends() -> None:
    # 2026-03-29: 23 hours in Berlin.
    noon = 1_774_778_400_000
    model = _model(time_zone="Europe/Berlin")
    assert day_amounts(model, noon)[0].text() == "$0.00"
    assert projection(model, noon).text() == "$0.00"


# -- registry and agents ----------------------------------------------------------------------------------------------


def test_agents_are_told_with_version_problem_or_absence() -> None:
    agents = (
        an_agent(),
        an_agent("codex", name="Codex", version=None, problem="it printed no version"),
        an_agent("gemini", name="Gemini CLI", installed=False, version=None, binary_path=None),
    )
    text = _block(registry_lines(_model(agents=agents), NOW_MS, 60))
    for part in ("sync is not available yet", "✓ Claude Code  2.1.92", "▲ Codex", "it printed no version", "not found"):
        assert part in text
    assert text.index("Codex") < text.index("Gemini")


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        (
            UsageImport(
                source="claude",
                state="running",
                files_done=12,
                files_total=24,
                bytes_done=500_000_000,
                bytes_total=1_000_000_000,
                bytes_per_second=310_000_000,
                seconds_left=2.4,
            ),
            "█████░░░░░ 50% of 1.0 GB · 2s left · 310 MB/s",
        ),
        (UsageImport(source="claude", state="running", files_total=24), "░░░░░░░░░░ - of 0 B · 0 of 24 files"),
        (UsageImport(source="claude", state="done", records_imported=1204), "✓ claude 1,204 new responses"),
        (UsageImport(source="claude", state="done", lines_broken=2), "claude 0 (2 broken)"),
        (UsageImport(source="claude", state="done"), "✓ nothing new to import"),
        (UsageImport(source="claude", state="failed", error="no access"), "✗ no access"),
        (UsageImport(source="claude", state="cancelled"), "cancelled"),
    ],
)
def test_imports_show_how_far_they_are(entry: UsageImport, part: str) -> None:
    assert part in _block(registry_lines(_model(imports=(entry,)), NOW_MS, 60))


def test_what_is_done_shares_a_line_with_the_most_first() -> None:
    done = [
        UsageImport(source="amp", state="done"),
        UsageImport(source="claude", state="done", records_imported=12),
        UsageImport(source="codex", state="done", records_imported=310, lines_broken=1),
    ]
    lines = registry_lines(_model(imports=done), NOW_MS, 70)
    assert "✓ codex 310 (1 broken) · claude 12 new responses" in _block(lines)


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ({"syncing": True}, "syncing main"),
        ({"last_error": "no network"}, "✗ no network"),
        ({}, "never synced"),
        ({"last_sync": rfc3339(NOW_MS - 180_000), "commit": "9f31c2e4"}, "✓ synced 3m ago · 9f31c2e"),
    ],
)
def test_the_registry_tells_its_state(parts: dict[str, Any], shown: str) -> None:
    values: dict[str, Any] = {"channel": "main", "commit": None, "last_sync": None, "cached": False, **parts}
    assert shown in _block(registry_lines(_model(registry=Registry(**values)), NOW_MS, 70))


@given(st.integers(1, 100))
def test_the_agents_pane_keeps_to_its_width(width: int) -> None:
    model = _model(agents=(an_agent(problem="p" * 80),), daemon=a_daemon(problems=("x" * 90,)))
    assert all(cells(_text(line)) <= width for line in registry_lines(model, NOW_MS, width))


# -- events -----------------------------------------------------------------------------------------------------------


def _event_texts(data: Any, resource: Any = None) -> list[str]:
    log = EventLog()
    log.extend([received(data, resource)])
    return _texts(event_row(log[0], zone=ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (used(usd=0.0131, tokens=1204), ["UsageUpdated", "", "work", "+1,204 tok  +$0.0131"]),
        (ProxyError(profile="lab", error="port taken"), ["ProxyError", "", "lab", "port taken"]),
        (
            ProfileStopped(alias="a", exit_code=1, runtime_secs=61, run_id="r"),
            ["ProfileStopped", "", "a", "exit 1 after 1m"],
        ),
        (
            ProfileStopped(alias="a", exit_code=None, runtime_secs=0, run_id="r", error="no binary"),
            ["ProfileStopped", "", "a", "did not start: no binary"],
        ),
        (AgentUpdated(id="o", old_version="1", new_version=None), ["AgentUpdated", "", "o", "1 → not found"]),
        (DaemonShuttingDown(reason="idle_timeout"), ["DaemonShuttingDown", "", "-", "idle timeout"]),
        (
            RegistrySyncCompleted(channel="m", commit="9f31c2e4", from_cache=False, artifacts_downloaded=2),
            ["RegistrySyncCompleted", "", "-", "9f31c2e, 2 artifacts"],
        ),
        (ProfileCreated(alias="a", agent_id="x", provider_id="y", model=None), ["ProfileCreated", "", "a", "x · y"]),
    ],
)
def test_an_event_is_time_type_subject_and_words(data: Any, texts: list[str]) -> None:
    assert _event_texts(data) == ["14:03:36.000", *texts]


def test_every_kind_of_event_has_words() -> None:
    samples: dict[str, Any] = {"str": "x", "int": 1, "bool": True, "tuple": ("x",)}
    for kind in CATALOGUE:
        fields: dict[str, Any] = {}
        for name, annotation in kind.data.__annotations__.items():
            if name == "tokens":
                fields |= {"tokens": used().tokens, "cost": used().cost}
            elif name not in fields:
                fields[name] = samples.get(str(getattr(annotation, "__name__", annotation)).split("[")[0])
        fields["reason"] = "stop"
        data = kind.data(**{name: value for name, value in fields.items() if name in kind.data.__annotations__})
        assert event_words.words(an_event(data))


def test_a_failed_import_is_an_error_and_problems_are_a_warning() -> None:
    failed = UsageImport(source="claude", state="failed", error="no access")
    event = an_event(UsageImportProgressed(source="claude", files_done=0, files_total=0), failed)
    assert event_words.level_of(event) is event_words.Level.ERROR
    assert event_words.words(event) == "no access"
    assert event_words.level_of(an_event(DaemonUpdated(problems=1), None)) is event_words.Level.WARN


def test_a_collapsed_line_shows_how_many_and_their_sums() -> None:
    log = EventLog()
    log.extend([received(used(usd=0.01)), received(used(usd=None)), received(used(usd=0.02))])
    assert _texts(event_row(log[0], zone=ZoneInfo("UTC")))[2:] == ["×3", "work", "+30 tok  ~+$0.0300"]
    assert "3 events" in _block(_details(_model(), Pane.EVENTS, "0", log))


@pytest.mark.parametrize(
    ("missed", "part"),
    [(0, "nothing was missed"), (4, "up to 4 events not seen"), (None, "is unknown")],
)
def test_a_gap_tells_how_long_and_what_was_missed(missed: int | None, part: str) -> None:
    log = EventLog()
    messages: list[Message] = [GapFound(away_seconds=11.8, missed=missed, at_ms=NOW_MS)]
    log.extend(messages)
    log.mark(NOW_MS, "lunch")
    gap = _text(event_row(log[0], zone=ZoneInfo("UTC")).cells)
    assert "reconnected after 12s" in gap
    assert part in gap
    assert "lunch" in _text(event_row(log[1], zone=ZoneInfo("UTC")).cells)


def test_times_are_local_utc_or_ages() -> None:
    log = EventLog()
    log.extend([received(used())])
    zone = ZoneInfo("Asia/Tokyo")
    assert event_row(log[0], zone=zone).cells[0].text == "23:03:36.000"
    assert event_row(log[0], zone=zone, times="utc").cells[0].text == "14:03:36.000"
    assert event_row(log[0], zone=zone, times="ago", now_ms=NOW_MS + 65_000).cells[0].text == "1m ago"


# -- connection and header --------------------------------------------------------------------------------------------


def _phase(phase: Phase, *, known: bool = True, later_ms: int = 0, **parts: Any) -> Model:
    model = _model() if known else Model()
    return reduce(model, [connection(phase, at_ms=NOW_MS + later_ms, **parts)])


@pytest.mark.parametrize(
    ("model", "after_s", "text"),
    [
        (Model(), 0, "CONNECTING"),
        (_phase(Phase.LIVE), 5, "LIVE"),
        (_phase(Phase.LIVE), 42, "LIVE (quiet 42s)"),
        (_phase(Phase.STALE, later_ms=40_000), 48, "STALE 38s"),
        (_phase(Phase.BACKOFF, attempt=3, retry_at=103.2), 26, "OFFLINE 26s, retry 4 in 3.2s"),
        (_phase(Phase.DOWN, attempt=0, retry_at=100.0), 26, "OFFLINE 26s, retry 1 in 0.0s"),
        (_phase(Phase.CONNECTING, attempt=3), 26, "OFFLINE 26s"),
        (_phase(Phase.SYNCING), 1, "RESYNC"),
        (_phase(Phase.SYNCING, known=False), 1, "CONNECTING"),
        (_phase(Phase.STOPPED), 1, "DAEMON STOPPED"),
        (_phase(Phase.FATAL), 1, "REFUSED"),
        (_phase(Phase.STARTING, known=False), 1, "STARTING DAEMON"),
    ],
)
def test_every_state_of_the_connection_has_its_words(model: Model, after_s: int, text: str) -> None:
    assert connection_words(model, NOW_MS + after_s * 1000, 100.0).text.startswith(text)
    assert connection_words(model, NOW_MS + after_s * 1000).text.startswith(text.split(",", maxsplit=1)[0])


def test_every_phase_has_words() -> None:
    for phase in Phase:
        assert connection_words(replace(Model(), connection=Connection(phase=phase)), NOW_MS).text


def test_titles_say_how_old_the_data_is_while_it_is_not_current() -> None:
    assert pane_title(_model(), Pane.COST) == "3 Cost"
    assert pane_title(_phase(Phase.BACKOFF, later_ms=4000), Pane.COST) == "3 Cost as of 14:03:40"


def test_the_header_tells_connection_running_cost_rate_alarms_and_time() -> None:
    model = _model(profiles=(a_profile(run=a_run()), a_profile("lab", run=a_run("failed"))), usage=(a_usage(),))
    text = _text(header_line(model, NOW_MS, 120))
    for part in (
        "clown",
        "● LIVE",
        "127.0.0.1:8765",
        "0.3.1 up 4h00m",
        "1/2 running",
        "$3.42 today",
        "0 ev/s",
        "▲1",
        "14:03:36",
    ):
        assert part in text


@given(st.integers(1, 220))
def test_the_header_and_status_are_exactly_as_wide_as_the_screen(width: int) -> None:
    model = _model(profiles=(a_profile(run=a_run("failed", error="e" * 90)),))
    assert cells(_text(header_line(model, NOW_MS, width))) <= width
    assert cells(_text(status_line(model, NOW_MS, width))) <= width + 1
    assert cells(_text(summary_line(model, NOW_MS, width))) <= width


def test_the_rate_counts_the_last_whole_seconds() -> None:
    model = reduce(_model(), [received(used(), a_usage(), seq=seq) for seq in range(1, 101)])
    assert event_rate(model, NOW_MS + 1000) == 20
    assert event_rate(model, NOW_MS + 9000) == 0


def test_the_status_line_shows_the_newest_error_then_the_connection_then_alarms() -> None:
    model = reduce(_model(), [received(ProxyError(profile="lab", error="taken"))])
    assert "▲ ProxyError lab taken" in _text(status_line(model, NOW_MS, 80))
    offline = _phase(Phase.BACKOFF, reason="the connection was lost")
    assert "the connection was lost" in _text(status_line(offline, NOW_MS, 80))
    broken = _model(daemon=a_daemon(problems=("bad manifest", "bad log")))
    assert "▲ bad manifest  (+1 more)" in _text(status_line(broken, NOW_MS, 80))


@pytest.mark.parametrize("own", ["", "0.3.1"])
def test_a_daemon_of_the_same_version_or_none_to_compare_is_no_news(own: str) -> None:
    model = replace(_model(), own_version=own)
    assert "≠" not in _text(header_line(model, NOW_MS, 200))
    assert _text(status_line(model, NOW_MS, 80)).split("UTC")[0].strip() == ""


def test_another_version_is_told_in_the_header_and_where_nothing_worse_is_told() -> None:
    model = replace(_model(), own_version="0.4.0")
    assert "≠ daemon 0.3.1, this is 0.4.0" in _text(header_line(model, NOW_MS, 120))
    assert "≠ daemon 0.3.1 runs, this is 0.4.0" in _text(status_line(model, NOW_MS, 100))
    broken = replace(_model(daemon=a_daemon(problems=("bad manifest",))), own_version="0.4.0")
    assert "▲ bad manifest" in _text(status_line(broken, NOW_MS, 80))


def test_alarms_are_what_is_broken_now() -> None:
    model = _model(
        profiles=(a_profile(run=a_run("exited", exit_code=3)), a_profile("ok", run=a_run())),
        proxies=(Proxy(profile="p", enabled=True, port=1, pid=None, status="failed"),),
        imports=(UsageImport(source="claude", state="failed"),),
        registry=Registry(channel="m", commit=None, last_sync=None, cached=False, last_error="no network"),
        daemon=a_daemon(problems=("bad manifest",)),
    )
    assert len(alarms(model, NOW_MS)) == 5
    assert [cell.text for cell in tab_titles(model, NOW_MS, 12)] == [
        "1 Profiles ✗1",
        "2 Proxies ✗1",
        "3 Cost",
        "4 Registry ✗3",
        "5 Events +12",
    ]


# -- empty panes, cards, details --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pane", PANES)
def test_an_empty_pane_states_the_fact_and_the_reason(pane: Pane) -> None:
    assert len(empty_lines(_model(), pane)) >= 2
    assert len(empty_lines(Model(), pane)) >= 2
    assert _block(empty_lines(_model(), pane, filtered=18311)) == "0 of 18,311 match: Esc clears the filter"


def test_without_a_daemon_a_card_says_what_was_tried_and_what_to_do() -> None:
    down = _phase(Phase.DOWN, known=False, reason="nothing listens", hint="start it", attempt=1)
    text = _block(connection_card(down, may_start=True))
    for part in ("No daemon answers at http://127.0.0.1:8765", "nothing listens", "start it", "s start", "c try again"):
        assert part in text
    assert "start a daemon" not in _block(connection_card(down, may_start=False))
    assert connection_card(_model(), may_start=True) == ()
    assert "Connecting" in _block(connection_card(Model(), may_start=True))
    assert "refused" in _block(connection_card(_phase(Phase.FATAL, known=False), may_start=True))


def test_details_are_fields_usage_events_and_json() -> None:
    log = EventLog()
    log.extend([received(used()), received(used("lab"))])
    model = _model(profiles=(a_profile(run=a_run()),), usage=(a_usage(),), agents=(an_agent(),))
    text = _block(_details(model, Pane.PROFILES, "work", log))
    for part in ("run.state", "running", "Usage today", "Latest events of work", '"alias": "work"'):
        assert part in text
    assert "lab" not in text
    assert "version" in _block(_details(model, Pane.REGISTRY, "claude"))
    assert "UsageUpdated" in _block(_details(model, Pane.EVENTS, "1", log))
    assert _block(_details(model, Pane.PROFILES, "gone")) == "This row is gone."
    assert resource_json(model, Pane.COST, "nobody") is None
    assert (resource_json(model, Pane.COST, "work") or "").startswith("{")
    assert resource_json(model, Pane.PROXIES, "work") is None


def test_summaries_count_what_the_panes_show() -> None:
    model = _model(profiles=(a_profile(run=a_run()),), agents=(an_agent(),), usage=(a_usage(today=a_period(None)),))
    log = EventLog()
    log.extend([received(used())])
    assert pane_summary(model, Pane.PROFILES, NOW_MS) == "1 profile · 1 running"
    assert pane_summary(model, Pane.COST, NOW_MS) == "this machine · ~ leaves unknown prices out"
    assert pane_summary(model, Pane.REGISTRY, NOW_MS) == "1 of 1 agent found"
    assert pane_summary(model, Pane.EVENTS, NOW_MS, log) == "FOLLOW · 1 event"
    log.hold(freeze=False)
    assert pane_summary(model, Pane.EVENTS, NOW_MS, log) == "PAUSED · +0 unseen"
    log.hold(freeze=True)
    assert pane_summary(model, Pane.EVENTS, NOW_MS, log) == "FROZEN · +0 unseen"
    assert pane_summary(Model(), Pane.PROFILES, NOW_MS) == ""
