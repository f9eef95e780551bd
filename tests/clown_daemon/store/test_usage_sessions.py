import sqlite3
from collections.abc import Iterator

import pytest

from clown_daemon.protocol.requests import SessionOrder
from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.periods import DAY_MS, HOUR_MS, Span
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_sessions import Place, SessionRow, read_sessions
from clown_daemon.store.usage_spans import EVERYTHING, Only
from tests.support.ledger import empty_ledger, response

MONDAY = 1_795_392_000_000
ALL = Span(0, MONDAY + 9 * DAY_MS)
TUESDAY = Span(MONDAY + DAY_MS, MONDAY + 2 * DAY_MS)


def used(key: str, session: str, hours: float, pico: int | None, profile: str = "work", **changes: object) -> Entry:
    found = response(key, session=session, at_ms=MONDAY + round(hours * HOUR_MS), **changes)
    return Entry(found, None if pico is None else Costs(pico, 0, 0, 0, pico, "t"), profile)


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        add_entries(
            connection,
            [
                used("1", "old", 1, 50, project="/a"),
                used("2", "old", 25, 1, "play", model="haiku", project="/b"),
                used("3", "dear", 2, 900, parent_session="old", project=None),
                used("4", "new", 30, None, agent_id="codex"),
                used("5", "new", 31, 5),
            ],
        )
        yield connection


def names(rows: list[SessionRow]) -> list[tuple[str, str]]:
    return [(row.agent_id, row.name) for row in rows]


def test_the_last_used_session_comes_first(ledger: sqlite3.Connection) -> None:
    rows = read_sessions(ledger, ALL, limit=10)
    assert names(rows) == [("claude", "new"), ("codex", "new"), ("claude", "old"), ("claude", "dear")]
    old, dear = rows[2], rows[3]
    assert (old.first_ms, old.last_ms) == (MONDAY + HOUR_MS, MONDAY + 25 * HOUR_MS)
    assert (old.sums.responses, old.sums.total_pico) == (2, 51)
    assert (old.profiles, old.models, old.projects) == (
        ("play", "work"),
        ("claude-sonnet-4-5", "haiku"),
        ("/a", "/b"),
    )
    assert (dear.parent, dear.projects) == ("old", ())


def test_the_dearest_session_can_come_first(ledger: sqlite3.Connection) -> None:
    rows = read_sessions(ledger, ALL, order="cost", limit=10)
    assert names(rows) == [("claude", "dear"), ("claude", "old"), ("claude", "new"), ("codex", "new")]


def test_a_period_has_its_sessions_with_what_they_used_in_it(ledger: sqlite3.Connection) -> None:
    rows = read_sessions(ledger, TUESDAY, order="cost", limit=10)
    assert [(row.name, row.sums.responses, row.sums.total_pico) for row in rows] == [
        ("new", 1, 5),
        ("old", 1, 1),
        ("new", 1, 0),
    ]
    assert rows[1].first_ms == MONDAY + HOUR_MS, "over all time"


def test_sessions_can_be_of_some_usage_only(ledger: sqlite3.Connection) -> None:
    assert names(read_sessions(ledger, ALL, Only(profile="play"), limit=10)) == [("claude", "old")]
    assert names(read_sessions(ledger, ALL, Only(agent_id="codex"), limit=10)) == [("codex", "new")]
    [row] = read_sessions(ledger, ALL, Only(project="/a"), limit=10)
    assert (row.name, row.sums.responses) == ("old", 1)
    assert read_sessions(ledger, ALL, Only(model="nothing"), limit=10) == []


@pytest.mark.parametrize("order", ["last_used", "cost"])
@pytest.mark.parametrize("only", [EVERYTHING, Only(provider="anthropic")])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_follow_each_other_without_a_gap(
    ledger: sqlite3.Connection, order: SessionOrder, only: Only, limit: int
) -> None:
    whole = read_sessions(ledger, ALL, only, order=order, limit=10)
    paged: list[SessionRow] = []
    after: Place | None = None
    while page := read_sessions(ledger, ALL, only, order=order, after=after, limit=limit):
        assert len(page) <= limit
        paged += page
        after = page[-1].place
    assert paged == whole
    assert len(whole) == 4


def test_a_session_whose_responses_are_all_replays_is_none(ledger: sqlite3.Connection) -> None:
    copy = used("6", "copy", 40, 5, twin="t", parent_session="old")
    add_entries(ledger, [copy])
    add_entries(ledger, [used("7", "old", 41, 5, twin="t")])
    assert ("claude", "copy") not in names(read_sessions(ledger, ALL, limit=10))
