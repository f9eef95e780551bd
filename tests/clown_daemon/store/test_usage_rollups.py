"""Sums that follow their rows: what was first and last, what vanishes, and all of it made again."""

import sqlite3
from collections.abc import Iterator

import pytest

from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.periods import HOUR_MS
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_rollups import rebuild
from tests.support.ledger import check_sums, empty_ledger, read_rollups, response

AT = 1_795_428_000_000


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


def used(key: str, hours: float, profile: str = "work", **changes: object) -> Entry:
    return Entry(response(key, at_ms=AT + round(hours * HOUR_MS), **changes), Costs(1, 2, 3, 4, 10, "t"), profile)


def ends(ledger: sqlite3.Connection) -> tuple[float | None, float | None, float | None]:
    """Hours: the series' last use, the session's first and last."""
    [last] = ledger.execute("SELECT last_ms FROM usage_series WHERE responses > 0").fetchall()
    [session] = ledger.execute("SELECT first_ms, last_ms FROM usage_sessions WHERE responses > 0").fetchall()
    first, second, third = (None if ms is None else (ms - AT) / HOUR_MS for ms in (*last, *session))
    return first, second, third


def test_the_first_and_last_use_follow_what_is_read(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used("1", 5)])
    add_entries(ledger, [used("2", 7), used("3", 6)])
    assert ends(ledger) == (7, 5, 7)
    add_entries(ledger, [used("4", 1)])
    assert ends(ledger) == (7, 1, 7)


def test_a_last_use_that_was_earlier_moves_back(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used("1", 5), used("2", 80)])
    add_entries(ledger, [used("2", 30)])
    assert ends(ledger) == (30, 5, 30)
    check_sums(ledger)


def test_a_last_use_that_turns_out_to_be_a_replay_is_forgotten(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used("1", 5), used("copy", 80, sidechain=True, twin="t")])
    add_entries(ledger, [used("2", 6, twin="t")])
    assert ends(ledger) == (6, 5, 6)
    check_sums(ledger)


def test_a_session_that_a_profile_lost_is_not_counted_for_it(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used("copy", 1, "play", sidechain=True, twin="t"), used("other", 2, "work", session="s2")])
    add_entries(ledger, [used("main", 3, "work", twin="t")])
    assert dict(map(tuple, ledger.execute("SELECT profile, sessions FROM usage_profiles WHERE sessions > 0"))) == {
        "work": 2
    }
    assert ledger.execute("SELECT count(*) FROM usage_profile_sessions").fetchone()[0] == 2
    check_sums(ledger)


def test_no_row_of_nothing_is_left_behind(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used("copy", 1, sidechain=True, twin="t", project="/a")])
    add_entries(ledger, [used("main", 3, twin="t", project="/b")])
    for table in ("usage_quarters", "usage_days", "usage_session_days", "usage_series_projects"):
        assert not ledger.execute(f"SELECT 1 FROM {table} WHERE responses = 0").fetchall(), table  # noqa: S608  # our own names


def test_sums_that_are_made_again_are_the_same(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, [used(str(hour), hour, "work" if hour % 3 else "play") for hour in range(40)])
    before = read_rollups(ledger)
    rebuild(ledger)
    rebuild(ledger)
    assert read_rollups(ledger) == before
    assert len(before["usage_quarters"]) == 40


def test_a_write_that_is_rolled_back_leaves_no_trace(ledger: sqlite3.Connection) -> None:
    ledger.execute("BEGIN")
    add_entries(ledger, [used("1", 1)])
    ledger.execute("ROLLBACK")
    assert not any(read_rollups(ledger).values())
    added = add_entries(ledger, [used("2", 1)])
    assert added["work"].responses == 1
    check_sums(ledger)
