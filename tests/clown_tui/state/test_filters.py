"""The filter grammar: what parses, what it matches, and that no text breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_tui.state.event_log import EventLog, GapEntry
from clown_tui.state.filters import Filter, FilterError, Record, parse
from clown_tui.state.records import entry_record, filter_lines, filter_rows, row_record
from clown_tui.state.rows import Cell, Column, Row
from tests.support.dashboard_state import NOW_MS, received, used

EVENT = Record(
    text="UsageUpdated work +1,204 tok sonnet",
    fields={"type": "UsageUpdated", "profile": "work", "model": "sonnet-4.5", "level": "info"},
    numbers={"cost": 0.0131, "tokens": 12_040.0},
    at_ms=NOW_MS - 60_000,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "usage",
        "work sonnet",
        '"updated work"',
        "Usage",
        "!lab",
        "type:usage*",
        "TYPE:usageupdate?",
        "type:Proxy*|Usage*",
        "profile:work !type:Proxy*",
        "model:*4.5",
        "text:1,204*tok",
        "cost>0.01",
        "cost<=0.0131",
        "tokens>=10k tokens<1M",
        "tokens>10K",
        "cost=0.0131",
        "cost>$0.01",
        "/usage.*tok/i",
        "/Upd[a-z]+/",
        "!/proxy/",
        "@cost",
        "!@errors",
        "since:2m",
        "since:1h",
        "level:info|warn",
        'profile:"work"',
    ],
)
def test_it_matches(text: str) -> None:
    assert parse(text).matches(EVENT, NOW_MS)


@pytest.mark.parametrize(
    "text",
    [
        "USAGE",
        "lab",
        "!usage",
        "type:usage",
        "cost>1",
        "since:30s",
        "@errors",
        "/usage/",
        "agent:*",
        "work lab",
        "tokens<10k",
    ],
)
def test_it_does_not_match(text: str) -> None:
    assert not parse(text).matches(EVENT, NOW_MS)


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("work !", 5, "must follow the !"),
        ('a "b', 2, "closing"),
        ("/abc", 0, "closing /"),
        ("//", 0, "between the /"),
        ("/[/", 1, "regular expression"),
        ("typ:x", 0, "did you mean type?"),
        ("x cost>", 7, "number must follow"),
        ("cost>much", 5, "number must follow"),
        ("cost:1", 0, "write cost>0"),
        ("type>1", 0, "write type:"),
        ("type:", 5, "value must follow"),
        ("type:a|", 7, "value must follow"),
        ("since:soon", 6, "since:10m"),
        ("@all", 0, "known: @errors"),
        ('ab"c', 2, "quote"),
        ("cost>1x", 6, "blank"),
    ],
)
def test_a_bad_filter_points_at_the_fault(text: str, position: int, part: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert part in str(caught.value)


GRAMMAR = st.lists(
    st.sampled_from(
        [*'!/"|:<>=@ikm?*\\ [(', "type", "cost", "since", "text", "10k", "work", "5m", "@errors", "Ä", "\u2028"]
    )
).map("".join)


@given(st.one_of(st.text(), GRAMMAR))
def test_no_text_raises_anything_but_a_filter_error_and_what_parses_prints_to_itself(text: str) -> None:
    wanted, position = _read(text)
    assert 0 <= position <= len(text)
    assert parse(str(wanted)) == wanted
    wanted.matches(EVENT, NOW_MS)


def _read(text: str) -> tuple[Filter, int]:
    try:
        return parse(text), 0
    except FilterError as error:
        return Filter(), error.position


def test_an_unknown_price_fulfils_no_comparison() -> None:
    log = EventLog()
    log.extend([received(used(usd=None))])
    record = entry_record(log[0])
    assert not parse("cost<1").matches(record)
    assert not parse("cost>=0").matches(record)
    assert parse("tokens=10").matches(record)


def test_a_gap_is_found_by_its_words() -> None:
    gap = GapEntry(number=1, at_ms=NOW_MS, away_seconds=3, missed=0)
    assert parse("reconnected level:warn").matches(entry_record(gap))


COLUMNS = (Column("NAME", 5), Column("AGENT", 5), Column("COST", 5))
ROWS = (
    Row("work", (Cell("work"), Cell("Claude Code"), Cell("$1,003.42"))),
    Row("lab", (Cell("lab"), Cell("Codex"), Cell("?"))),
)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ["work", "lab"]),
        ("claude", ["work"]),
        ("agent:codex", ["lab"]),
        ("cost>1k", ["work"]),
        ("!cost>0", ["lab"]),
    ],
)
def test_rows_are_filtered_by_the_titles_of_their_columns(text: str, keys: list[str]) -> None:
    assert [row.key for row in filter_rows(ROWS, COLUMNS, parse(text))] == keys
    assert row_record(ROWS[0], COLUMNS).fields["profile"] == "work"


def test_lines_are_filtered_by_their_text() -> None:
    lines = ((Cell("claude "), Cell("2.1")), (Cell("codex"),))
    assert filter_lines(lines, parse('"claude 2"')) == lines[:1]
    assert filter_lines(lines, Filter()) == lines
