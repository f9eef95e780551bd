import sqlite3
from collections.abc import Iterator

import pytest

from clown_daemon.store.ledger import Entry
from clown_daemon.store.proxied_runs import begin_proxied_run, end_proxied_run, without_proxied
from tests.support.ledger import empty_ledger, response


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


def entry(at_ms: int, profile: str = "work", key: str = "gemini|session|message") -> Entry:
    return Entry(response(key, at_ms=at_ms), None, profile)


def kept(ledger: sqlite3.Connection, *entries: Entry) -> list[int]:
    return [one.response.at_ms for one in without_proxied(ledger, entries)]


def test_what_happened_behind_a_proxy_is_told_by_it_alone(ledger: sqlite3.Connection) -> None:
    begin_proxied_run(ledger, "r1", "work", now_ms=10)
    assert kept(ledger, entry(9), entry(10), entry(1_000)) == [9]
    end_proxied_run(ledger, "r1", ended_ms=20)
    assert kept(ledger, entry(9), entry(10), entry(20), entry(21)) == [9, 21]
    begin_proxied_run(ledger, "r2", "work", now_ms=30)
    assert kept(ledger, entry(15), entry(25), entry(35)) == [25]


def test_keys_that_a_proxy_makes_too_are_joined_in_the_ledger(ledger: sqlite3.Connection) -> None:
    begin_proxied_run(ledger, "r1", "work", now_ms=10)
    assert kept(ledger, entry(15, key="anthropic|msg_1|req_1"), entry(16, key="anthropic|msg_1|1|2|3")) == [15]


def test_other_profiles_are_not_touched(ledger: sqlite3.Connection) -> None:
    begin_proxied_run(ledger, "r1", "work", now_ms=10)
    assert kept(ledger, entry(15, "play"), entry(16, "unattributed"), entry(17)) == [15, 16]


def test_an_end_is_written_down_once_and_never_before_the_start(ledger: sqlite3.Connection) -> None:
    begin_proxied_run(ledger, "r1", "work", now_ms=10)
    end_proxied_run(ledger, "r1", ended_ms=5)
    end_proxied_run(ledger, "r1", ended_ms=50)
    end_proxied_run(ledger, "another", ended_ms=50)
    assert kept(ledger, entry(10), entry(11)) == [11]
