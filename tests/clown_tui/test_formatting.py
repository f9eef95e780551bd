"""Numbers, times and foreign text as the screen shows them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_tui import formatting


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("two\nlines\tand", "two lines and"),
        ("bell\x07 null\x00", "bell null"),
        ("right\u202eleft", "rightleft"),
        ("\x1b", ""),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_foreign_text_loses_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert formatting.clean(text) == shown


@given(st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    shown = formatting.clean(text)
    assert "\n" not in shown
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (9_940, "9.9 KB"), (999_600, "1.0 MB"), (1_240_000_000, "1.2 GB")],
)
def test_sizes_are_short(number: int, shown: str) -> None:
    assert formatting.size(number) == shown


def test_long_text_is_bounded() -> None:
    assert formatting.clean("x" * 5000, 10) == "xxxxxxxxx…"


@given(st.text(), st.integers(0, 40))
def test_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    assert formatting.cells(formatting.fit(formatting.clean(text), width)) == width


def test_wide_letters_take_two_columns() -> None:
    assert formatting.cells("日本") == 4
    assert formatting.fit("日本語", 5) == "日本…"
    assert formatting.fit("日本語", 4) == "日… "
    assert formatting.fit("ab", 4, "right") == "  ab"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9_410, "9.4k"),
        (9_990, "10k"),
        (210_400, "210k"),
        (999_600, "1.0M"),
        (1_204_000, "1.2M"),
    ],
)
def test_tokens_take_at_most_five_columns(number: int, shown: str) -> None:
    assert formatting.tokens(number) == shown


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(0, "$0.00"), (4.12, "$4.12"), (0.0001, "<$0.01"), (1204.5, "$1,204.50"), (-1.5, "-$1.50"), (0.006, "$0.01")],
)
def test_money_that_is_more_than_nothing_never_reads_as_nothing(usd: float, shown: str) -> None:
    assert formatting.dollars(formatting.nanos(usd)) == shown


@given(st.lists(st.integers(0, 10**12), max_size=50))
def test_sums_in_nano_dollars_are_exact(amounts: list[int]) -> None:
    assert sum(formatting.nanos(amount / formatting.NANOS) for amount in amounts) == sum(amounts)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0s"),
        (0.42, "0.4s"),
        (41, "41s"),
        (59.7, "1m"),
        (2460, "41m"),
        (8040, "2h14m"),
        (7200, "2h00m"),
        (273600, "3d4h"),
    ],
)
def test_spans_have_at_most_two_units(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


def test_ages_change_once_a_second() -> None:
    assert formatting.whole_duration(9.9) == "9s"
    assert formatting.ago(1000, 1500) == "now"
    assert formatting.ago(0, 125_000) == "2m ago"


def test_times_of_day_are_in_the_zone() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    assert formatting.clock(1_204, zone, parts=True) == "05:30:01.204"
    assert formatting.clock(1_204) == "00:00:01"
    assert formatting.zone_offset(0, zone) == "UTC+5:30"
    assert formatting.zone_offset(0, ZoneInfo("UTC")) == "UTC"
    assert formatting.zone_offset(0, ZoneInfo("America/Caracas")) == "UTC-4"


def test_little_is_never_drawn_as_nothing() -> None:
    assert formatting.spark([0, 1, 500, 1000]) == "·▁▅█"
    assert formatting.spark([0, 0]) == "··"
    assert formatting.bar(0.001, 5) == "█░░░░"
    assert formatting.bar(0.999, 5) == "████░"
    assert formatting.bar(1, 5) == "█████"
    assert formatting.bar(0, 5) == "░░░░░"


def test_counts_and_shares() -> None:
    assert formatting.plural(1, "profile") == "1 profile"
    assert formatting.plural(18311, "event") == "18,311 events"
    assert formatting.percent(1, 3) == "33%"
    assert formatting.percent(1, 0) == "-"


def test_every_glyph_has_an_ascii_one() -> None:
    assert formatting.to_ascii("● work ▁█ → é") == "* work _# > ?"
