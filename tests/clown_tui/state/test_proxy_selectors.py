"""The Proxies pane, the column of proxies in the Profiles pane, and the details of one."""

from dataclasses import replace
from typing import Any

import pytest

from clown_daemon.client.states import Phase
from clown_daemon.protocol.resources import UNATTRIBUTED, Proxy, ProxyMinute
from clown_tui.formatting import cells, to_ascii
from clown_tui.state.model import Model
from clown_tui.state.panes import Pane
from clown_tui.state.reducer import from_snapshot, reduce
from clown_tui.state.rows import Cell, Row, Sort
from clown_tui.state.selectors import (
    PROXY_COLUMNS,
    PROXY_SORTS,
    detail_lines,
    empty_lines,
    pane_summary,
    profile_columns,
    profile_rows,
    proxy_rows,
)
from clown_tui.state.selectors.layout import line_width, wrap
from clown_tui.state.selectors.proxies import recent_errors, recent_first_ms, request_rate
from tests.support.dashboard_state import MINUTE_MS, NOW_MS, a_profile, a_snapshot, a_usage, connection

THIS_MINUTE = NOW_MS // MINUTE_MS * MINUTE_MS
STATES = ("running", "starting", "stopping", "backing_off", "failed", "stopped")


def a_proxy(profile: str = "work", status: Any = "running", **parts: Any) -> Proxy:
    pid = 4711 if status == "running" else None
    return Proxy(**{"profile": profile, "enabled": True, "port": 9101, "pid": pid, "status": status, **parts})


def minute(ago: int, requests: int, errors: int = 0, first_ms: float | None = None) -> ProxyMinute:
    return ProxyMinute(THIS_MINUTE - ago * MINUTE_MS, requests, errors, first_ms)


def _model(**parts: Any) -> Model:
    return reduce(from_snapshot(Model(), a_snapshot(**parts), NOW_MS), [connection(Phase.LIVE)])


def _shown(proxy: Proxy, now_ms: int = NOW_MS) -> dict[str, str]:
    (row,) = proxy_rows(_model(proxies=(proxy,)), now_ms)
    return {column.title: cell.text for column, cell in zip(PROXY_COLUMNS, row.cells, strict=True)}


def _block(lines: tuple[tuple[Cell, ...], ...]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


# -- rows -------------------------------------------------------------------------------------------------------------


def test_a_row_tells_where_the_proxy_is_and_what_went_through_it() -> None:
    minutes = (minute(3, 6, 2, 900.0), minute(1, 14, 0, 400.0), minute(0, 2))
    assert _shown(a_proxy(restarts=1, requests=1022, errors=9, last_request_ms=NOW_MS - 12_000, minutes=minutes)) == {
        "": "●",
        "PROFILE": "work",
        "PORT": "9101",
        "STATE": "running",
        "PID": "4711",
        "REQ/m": "14",
        "FIRST BYTE": "550ms",
        "ERR": "2",
        "RESTARTS": "1",
        "ALL REQ": "1,022",
        "ALL ERR": "9",
        "LAST": "12s ago",
    }


def test_what_is_not_known_is_no_zero() -> None:
    shown = _shown(a_proxy(status="stopped", port=None))
    assert [shown[title] for title in ("PORT", "PID", "FIRST BYTE", "LAST")] == ["-"] * 4


def test_every_state_has_its_own_word_also_without_colour_and_in_ascii() -> None:
    seen = [(shown[""], shown["STATE"]) for shown in (_shown(a_proxy(status=status)) for status in STATES)]
    assert len({word for _, word in seen}) == len(STATES)
    assert len({to_ascii(word) for _, word in seen}) == len(STATES)
    assert {glyph for glyph, _ in seen} == {"●", "◐", "✗", "○"}


@pytest.mark.parametrize(
    ("status", "last"),
    [("failed", "port taken"), ("backing_off", "port taken"), ("running", "now"), ("stopped", "now")],
)
def test_an_error_is_told_while_it_stands_in_the_way(status: str, last: str) -> None:
    assert _shown(a_proxy(status=status, last_error="port\x1b[31m taken", last_request_ms=NOW_MS))["LAST"] == last


def test_the_rate_is_the_last_full_minutes_until_the_running_one_has_more() -> None:
    assert request_rate(a_proxy(), NOW_MS) == 0
    assert request_rate(a_proxy(minutes=(minute(2, 50), minute(1, 5), minute(0, 3))), NOW_MS) == 5
    assert request_rate(a_proxy(minutes=(minute(1, 5), minute(0, 7))), NOW_MS) == 7


def test_a_quiet_proxy_is_painted_at_the_turn_of_a_minute_and_no_more() -> None:
    proxy = a_proxy(last_request_ms=THIS_MINUTE - 2 * MINUTE_MS, minutes=(minute(1, 5, 1, 80.0), minute(0, 3)))
    model = _model(proxies=(proxy,))
    rows = [proxy_rows(model, THIS_MINUTE + second * 1000) for second in range(60)]
    assert len(set(rows)) == 1
    assert proxy_rows(model, THIS_MINUTE + MINUTE_MS) != rows[0]


def test_minutes_that_passed_count_no_more() -> None:
    proxy = a_proxy(minutes=(minute(15, 9, 9, 9000.0), minute(14, 1, 1, 8.25)))
    assert recent_errors(proxy, NOW_MS) == 1
    assert recent_first_ms(proxy, NOW_MS) == 8.25
    assert _shown(proxy)["FIRST BYTE"] == "8.2ms"
    assert _shown(proxy, NOW_MS + MINUTE_MS)["FIRST BYTE"] == "-"
    assert _shown(a_proxy(minutes=(minute(0, 1, 0, 12_300.0),)))["FIRST BYTE"] == "12s"


@pytest.mark.parametrize("sort", PROXY_SORTS)
def test_every_order_of_proxies_turns_around(sort: Sort) -> None:
    proxies = (a_proxy("a", minutes=(minute(0, 9, 3),)), a_proxy("b", "failed", port=None))
    model = _model(proxies=proxies)
    keys = [row.key for row in proxy_rows(model, NOW_MS, sort=sort)]
    turned = [row.key for row in proxy_rows(model, NOW_MS, sort=replace(sort, descending=not sort.descending))]
    assert sorted(keys) == ["a", "b"]
    assert keys == turned[::-1]


def test_the_frame_counts_who_is_up_and_who_failed() -> None:
    model = _model(proxies=(a_proxy("a"), a_proxy("b"), a_proxy("c", "failed"), a_proxy("d", "stopped")))
    assert pane_summary(model, Pane.PROXIES, NOW_MS) == "2 up · 1 error"


# -- nothing to show --------------------------------------------------------------------------------------------------


def test_without_a_proxy_the_pane_gives_the_command_that_starts_one() -> None:
    text = _block(empty_lines(_model(profiles=(a_profile("work"), a_profile("lab"))), Pane.PROXIES))
    assert "curl -X POST http://127.0.0.1:8765/api/proxy/lab/start" in text
    assert "later version" not in text


def test_without_a_profile_there_is_nothing_to_start_a_proxy_for() -> None:
    text = _block(empty_lines(_model(), Pane.PROXIES))
    assert "there is no profile" in text
    assert "curl" not in text


# -- in the Profiles pane ---------------------------------------------------------------------------------------------


def _proxy_cells(model: Model) -> list[str]:
    place = [column.title for column in profile_columns(model)].index("PROXY")
    rows: list[Row] = list(profile_rows(model, NOW_MS))
    assert all(len(row.cells) == len(profile_columns(model)) for row in rows)
    return [row.cells[place].text for row in rows]


def test_profiles_name_the_port_of_their_proxy_and_its_state_unless_it_runs() -> None:
    model = _model(
        profiles=tuple(a_profile(alias) for alias in "abcdef"),
        proxies=(
            a_proxy("a"),
            a_proxy("b", "failed"),
            a_proxy("c", "backing_off"),
            a_proxy("d", "stopped"),
            a_proxy("e", "stopped", enabled=False),
        ),
        usage=(a_usage(UNATTRIBUTED),),
    )
    assert _proxy_cells(model) == [":9101", "✗:9101", "◐:9101", "○:9101", "-", "-", "-"]


@pytest.mark.parametrize("proxies", [(), (a_proxy(status="stopped", enabled=False),)])
def test_the_column_is_absent_while_no_profile_has_a_proxy(proxies: tuple[Proxy, ...]) -> None:
    model = _model(profiles=(a_profile(),), proxies=proxies, usage=(a_usage(UNATTRIBUTED),))
    assert "PROXY" not in [column.title for column in profile_columns(model)]
    assert all(len(row.cells) == len(profile_columns(model)) for row in profile_rows(model, NOW_MS))


# -- details ----------------------------------------------------------------------------------------------------------


def test_details_draw_the_last_minutes() -> None:
    proxy = a_proxy(minutes=(minute(14, 7, 0, 100.0), minute(1, 14, 1, 400.0), minute(0, 1)))
    text = _block(detail_lines(_model(proxies=(proxy,)), Pane.PROXIES, "work", now_ms=NOW_MS))
    assert "Last 15 minutes" in text
    assert "▅············█▁  22 requests, at most 14 in a minute" in text
    assert "·············█·  1 error\n" in text
    assert "▃············█·  300ms on average" in text


def test_details_of_a_proxy_without_requests_say_so() -> None:
    text = _block(detail_lines(_model(proxies=(a_proxy(),)), Pane.PROXIES, "work", now_ms=NOW_MS))
    assert "0 requests\n" in text
    assert "none came" in text


@pytest.mark.parametrize("width", [1, 3, 10, 24, 60])
def test_a_long_line_is_broken_and_nothing_of_it_lost(width: int) -> None:
    text = "it ended 5 times within 60 s and is not started again: 世界 " + "x" * 70
    parts = wrap((Cell("  last_error  "), Cell(text)), width)
    assert all(line_width(part) <= max(4, width) for part in parts)
    told = "".join(part[-1].text for part in parts if part[-1].text != "  last_error  ")
    assert text.replace(" ", "") in told.replace(" ", "")
    assert cells(text) > width


def test_what_follows_stands_below_the_beginning_of_the_last_cell() -> None:
    parts = wrap((Cell("name: "), Cell("one two three")), 14)
    assert _block(parts) == "name: one two\n      three"
    assert wrap((Cell("short"),), 14) == ((Cell("short"),),)
