import sqlite3
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from clown_daemon.protocol.requests import Bucket, Dimension
from clown_daemon.protocol.timestamps import epoch_ms, rfc3339
from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.periods import DAY_MS, HOUR_MS, QUARTER_MS, Span, span_of
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_spans import EVERYTHING, Only, read_sums
from clown_daemon.store.usage_timeline import first_use_ms, read_days, read_timeline
from tests.support.ledger import empty_ledger, response


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


def every_quarter(span: Span) -> list[Entry]:
    """One response of 100 tokens for a picodollar in each quarter of an hour."""
    return [
        Entry(response(f"k{at}", at_ms=at + 60_000), Costs(0, 1, 0, 0, 1, "t"), "work")
        for at in range(span.start_ms, span.end_ms, QUARTER_MS)
    ]


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("UTC", "2026-03-29T12:00:00Z", [24] * 3),
        ("Europe/London", "2026-03-29T12:00:00Z", [24, 23, 24]),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", [24, 25, 24]),
        ("America/New_York", "2026-03-08T17:00:00Z", [24, 23, 24]),
        ("Asia/Kathmandu", "2026-06-01T06:00:00Z", [24] * 3),
        ("Australia/Lord_Howe", "2026-04-05T02:00:00Z", [24, 24.5, 24]),
    ],
)
def test_days_are_those_of_the_zone(ledger: sqlite3.Connection, zone: str, noon: str, hours: list[float]) -> None:
    days = [span_of("today", epoch_ms(noon) + shift * DAY_MS, ZoneInfo(zone)) for shift in (-1, 0, 1)]
    span = Span(days[0].start_ms, days[-1].end_ms)
    # More on both sides: it must stay outside.
    add_entries(ledger, every_quarter(Span(span.start_ms - DAY_MS, span.end_ms + DAY_MS)))
    [(name, line)] = read_timeline(ledger, span, ZoneInfo(zone), "day", "model").items()
    assert name == "claude-sonnet-4-5"
    assert [bucket.start_ms for bucket in line] == [day.start_ms for day in days]
    assert [bucket.tokens / 400 for bucket in line] == hours
    rows = read_days(ledger, span, ZoneInfo(zone))
    assert [row.sums.responses / 4 for row in rows] == hours
    assert rows[1].day == noon[:10]
    assert [row.sums for row in rows] == [read_sums(ledger, *day) for day in days]


@pytest.mark.parametrize(
    ("zone", "midnight", "starts"),
    [
        ("UTC", "2026-11-23T00:00:00Z", ["00:00", "01:00", "02:00"]),
        ("Asia/Kathmandu", "2026-11-22T18:15:00Z", ["18:15", "19:15", "20:15"]),
        # 02:00 is 03:00, and 02:00 comes twice.
        ("Europe/Berlin", "2026-03-28T23:00:00Z", ["23:00", "00:00", "01:00", "02:00"]),
        ("Europe/Berlin", "2026-10-24T22:00:00Z", ["22:00", "23:00", "00:00", "01:00", "02:00"]),
        # At 02:00 it is 01:30 again: an hour begins at its half.
        ("Australia/Lord_Howe", "2026-04-04T13:00:00Z", ["13:00", "14:00", "15:00", "15:30", "16:30"]),
    ],
)
def test_hours_are_the_full_ones_of_the_zone(
    ledger: sqlite3.Connection, zone: str, midnight: str, starts: list[str]
) -> None:
    start = epoch_ms(midnight)
    span = Span(start, start + 5 * HOUR_MS)
    add_entries(ledger, every_quarter(span))
    [line] = read_timeline(ledger, span, ZoneInfo(zone), "hour", "profile").values()
    assert [rfc3339(bucket.start_ms)[11:16] for bucket in line][: len(starts)] == starts
    assert sum(bucket.tokens for bucket in line) == 5 * 400


def used(key: str, at: str, profile: str = "work", **changes: object) -> Entry:
    found = response(key, at_ms=epoch_ms(at), **changes)
    return Entry(found, None if found.model == "own" else Costs(1, 2, 3, 4, 10, "t"), profile)


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_there_is_a_line_for_each_name_and_no_step_without_usage(ledger: sqlite3.Connection, bucket: Bucket) -> None:
    add_entries(
        ledger,
        [
            used("1", "2026-11-23T10:00:00Z", agent_id="claude", project="/a"),
            used("2", "2026-11-25T10:00:00Z", agent_id="codex", provider="openai", model="own", project=None),
            used("3", "2026-11-25T10:59:59Z", "play", agent_id="claude", project="/a"),
        ],
    )
    span = Span(epoch_ms("2026-11-22T00:00:00Z"), epoch_ms("2026-11-26T00:00:00Z"))
    first, second = (epoch_ms(f"2026-11-{day}T{'10' if bucket == 'hour' else '00'}:00:00Z") for day in (23, 25))
    one = 1e-11

    def lines(by: Dimension, only: Only = EVERYTHING) -> dict[str, list[tuple[int, int, float | None]]]:
        found = read_timeline(ledger, span, ZoneInfo("UTC"), bucket, by, only)
        return {name: [(step.start_ms, step.tokens, step.cost_usd) for step in line] for name, line in found.items()}

    assert lines("agent") == {
        "claude": [(first, 100, one), (second, 100, one)],
        "codex": [(second, 100, None)],
    }
    assert lines("profile") == {"play": [(second, 100, one)], "work": [(first, 100, one), (second, 100, None)]}
    assert lines("project") == {"": [(second, 100, None)], "/a": [(first, 100, one), (second, 100, one)]}
    assert list(lines("provider")) == ["anthropic", "openai"]
    assert lines("model", Only(project="/a", profile="play")) == {"claude-sonnet-4-5": [(second, 100, one)]}


def test_an_export_has_a_row_for_each_day_profile_agent_provider_and_model(ledger: sqlite3.Connection) -> None:
    add_entries(
        ledger,
        [
            used("1", "2026-11-23T23:30:00Z", project="/a"),
            used("2", "2026-11-23T23:45:00Z", project="/b"),
            used("3", "2026-11-23T10:00:00Z", "play", model="own"),
        ],
    )
    span = Span(epoch_ms("2026-11-22T23:00:00Z"), epoch_ms("2026-11-24T23:00:00Z"))
    rows = read_days(ledger, span, ZoneInfo("Europe/Berlin"))
    assert [(row[:5], row.sums.responses, row.sums.unpriced_responses) for row in rows] == [
        (("2026-11-23", "play", "claude", "anthropic", "own"), 1, 1),
        (("2026-11-24", "work", "claude", "anthropic", "claude-sonnet-4-5"), 2, 0),
    ]
    assert [row.sums.responses for row in read_days(ledger, span, ZoneInfo("UTC"), Only(project="/b"))] == [1]


def test_the_first_use_is_that_of_a_response_that_counts(ledger: sqlite3.Connection) -> None:
    assert first_use_ms(ledger) is None
    replay = used("1", "2026-11-22T10:07:00Z", sidechain=True, twin="t")
    add_entries(ledger, [replay, used("2", "2026-11-23T10:07:00Z", twin="t")])
    assert first_use_ms(ledger) == epoch_ms("2026-11-23T10:00:00Z")
