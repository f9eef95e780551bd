import sqlite3
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Costs, Entry, Response, ServiceTier
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_rows import SELECT, TIERS, Names, as_stored, stored
from tests.support.ledger import empty_ledger

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**40)
entries = st.builds(
    Entry,
    st.builds(
        Response,
        source=texts,
        agent_id=texts,
        key=texts,
        provider=texts,
        model=texts,
        session=texts,
        project=texts.map(lambda text: text or None),
        at_ms=st.integers(0, 2**42),
        input_tokens=counts,
        output_tokens=counts,
        cache_read_tokens=counts,
        cache_write_5m_tokens=counts,
        cache_write_1h_tokens=counts,
        reasoning_tokens=counts,
        web_searches=counts,
        tier=st.sampled_from(TIERS),
        sidechain=st.booleans(),
        complete=st.booleans(),
        response_id=st.none() | texts,
        twin=st.none() | texts,
        parent_session=st.none() | texts,
    ),
    st.none() | st.builds(Costs, counts, counts, counts, counts, counts, texts),
    texts,
)


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


@given(entry=entries)
def test_a_row_says_all_that_an_entry_does(entry: Entry) -> None:
    with empty_ledger() as ledger:
        add_entries(ledger, [entry])
        [row] = ledger.execute(SELECT).fetchall()
        assert stored(row).entry == as_stored(entry)
        # What was read can be written again.
        names = Names(ledger)
        assert names.stored_row(as_stored(entry)) == names.rows([entry])[0]


def test_numbers_are_given_out_once(ledger: sqlite3.Connection) -> None:
    names, others = Names(ledger), Names(ledger)
    assert names.session("claude", "s") == names.session("claude", "s") == others.session("claude", "s")
    assert names.session("codex", "s") != names.session("claude", "s")
    assert names.project(None) == others.project("") != names.project("/a")


def test_tiers_keep_their_numbers() -> None:
    assert TIERS == get_args(ServiceTier) == ("standard", "fast", "priority", "flex", "batch")
