"""Databases of older schemas: what they hold is carried over exactly."""

import sqlite3
from collections.abc import Iterator

import pytest

from clown_daemon.store.connection import migrate
from clown_daemon.store.ledger import Entry
from clown_daemon.store.usage import Position, add_entries, read_positions
from clown_daemon.store.usage_rows import SELECT, as_stored, stored
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import PriceList
from tests.support.ledger import check_sums, put_into_old_schema
from tests.support.transcripts import line, sample

PRICES = PriceList((shipped_table(),))


def read(data: bytes, profile: str) -> dict[str, Entry]:
    """The responses of a transcript by key, each as its last line tells it."""
    return {found.key: Entry(found, PRICES.cost(found), profile) for found in ClaudeParser().feed(data)}


ENTRIES = tuple(
    (
        read(sample("main_then_resumed").read_bytes(), "unattributed")
        | read(sample("gateway_no_requestId").read_bytes(), "work")
        | read(sample("subagent").read_bytes(), "work")
        | read(line("fast", speed="fast", model="claude-opus-4-8", searches=2, one_hour=7), "work")
        | read(line("unpriced", None, model="my-own-model", sidechain=True, stop_reason=None), "play")
        | read(line("claude|counts|", None, tokens=(1, 2, 3, 4)), "play")
    ).values()
)


@pytest.fixture
def old() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection, to=3)
    yield connection
    connection.close()


def test_the_ledger_is_carried_over_exactly(old: sqlite3.Connection) -> None:
    put_into_old_schema(old, ENTRIES)
    migrate(old)
    check_sums(old)
    rows = [stored(row) for row in old.execute(SELECT)]
    assert {row.entry.response.key: row.entry for row in rows} == {
        found.response.key: found for found in map(as_stored, ENTRIES)
    }
    assert not any(row.replay for row in rows)


def test_what_was_counted_before_is_not_counted_again(old: sqlite3.Connection) -> None:
    put_into_old_schema(old, ENTRIES)
    migrate(old)
    assert add_entries(old, ENTRIES) == {}


def test_files_go_on_where_they_were_read_to(old: sqlite3.Connection) -> None:
    old.execute("INSERT INTO usage_offsets VALUES ('claude', '/a.jsonl', 7, 100, x'01', 'work')")
    migrate(old)
    assert read_positions(old, "claude") == {"/a.jsonl": Position(7, 100, b"\x01", "work")}


def test_an_empty_ledger_becomes_an_empty_one(old: sqlite3.Connection) -> None:
    migrate(old)
    check_sums(old)
    assert old.execute("SELECT count(*) FROM usage_records").fetchone()[0] == 0
