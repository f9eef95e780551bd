"""Copies under other keys: what of them counts, in whatever order they come."""

import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clown_daemon.store.ledger import Costs, Entry, Response
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_replays import Copy, replays_among
from tests.support.ledger import check_sums, empty_ledger, response


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


def entry(found: Response) -> Entry:
    pico = found.output_tokens * 7
    return Entry(found, Costs(0, pico, 0, 0, pico, "t"), "work")


def add(ledger: sqlite3.Connection, *responses: Response) -> int:
    """Add responses; answer how many more count."""
    added = add_entries(ledger, map(entry, responses))
    check_sums(ledger)
    return sum(found.responses for found in added.values())


def counted(ledger: sqlite3.Connection) -> dict[str, int]:
    """How many responses count in each session."""
    return dict(map(tuple, ledger.execute("SELECT name, responses FROM usage_sessions WHERE responses > 0")))


PARENT = response("p", session="parent", twin="t")
CHILD = response("c", session="child", twin="t", parent_session="parent")
GRANDCHILD = response("g", session="grandchild", twin="t", parent_session="child")


def test_a_fork_that_repeats_its_ancestor_adds_nothing(ledger: sqlite3.Connection) -> None:
    assert add(ledger, PARENT) == 1
    assert add(ledger, CHILD) == 0
    assert add(ledger, GRANDCHILD) == 0
    assert counted(ledger) == {"parent": 1}


def test_an_ancestor_that_is_read_later_takes_its_response_back(ledger: sqlite3.Connection) -> None:
    assert add(ledger, GRANDCHILD) == 1
    assert add(ledger, CHILD) == 0
    assert counted(ledger) == {"child": 1}
    assert add(ledger, PARENT) == 0
    assert counted(ledger) == {"parent": 1}


def test_a_link_that_is_told_late_finds_what_was_read_before(ledger: sqlite3.Connection) -> None:
    assert add(ledger, PARENT) == 1
    assert add(ledger, GRANDCHILD) == 1
    assert add(ledger, response("other", session="child", parent_session="parent")) == 0
    assert counted(ledger) == {"parent": 1, "child": 1}


def test_twins_in_sessions_that_know_nothing_of_each_other_both_count(ledger: sqlite3.Connection) -> None:
    assert add(ledger, PARENT, response("s", session="stranger", twin="t", parent_session="somebody")) == 2


def test_two_responses_of_one_session_may_be_twins(ledger: sqlite3.Connection) -> None:
    assert add(ledger, PARENT, PARENT._replace(key="again")) == 2


def test_twins_are_of_one_agent(ledger: sqlite3.Connection) -> None:
    add(ledger, PARENT)
    assert add(ledger, CHILD._replace(agent_id="codex")) == 1


@pytest.mark.parametrize("sessions", [("a", "b"), ("b", "a")])
def test_sessions_that_claim_to_come_from_each_other_lose_nothing(
    ledger: sqlite3.Connection, sessions: tuple[str, str]
) -> None:
    one, other = sessions
    assert add(ledger, response("1", session=one, parent_session=other, twin="t")) == 1
    assert add(ledger, response("2", session=other, parent_session=one, twin="t")) == 1
    assert add(ledger, response("3", session="own", parent_session="own", twin="t")) == 1


def test_a_side_line_is_a_replay_only_where_a_main_line_is_left() -> None:
    side, main = Copy(1, session=1, sidechain=True), Copy(2, session=2, sidechain=False)
    assert replays_among([side, main], lambda _: set()) == {1}
    # The main line repeats the side line's session: of the two, only the side line is no copy.
    assert replays_among([side, main], lambda session: {1} if session == 2 else set()) == {2}
    assert replays_among([side, Copy(3, session=3, sidechain=True)], lambda _: set()) == set()


def test_a_replay_that_turns_out_to_be_a_main_line_counts_again(ledger: sqlite3.Connection) -> None:
    main = response("1", twin="t")
    assert add(ledger, main, response("2", twin="t", sidechain=True)) == 1
    assert add(ledger, response("2", twin="t", sidechain=False)) == 1


def test_a_replay_is_corrected_although_it_does_not_count(ledger: sqlite3.Connection) -> None:
    add(ledger, PARENT, CHILD)
    assert add(ledger, CHILD._replace(output_tokens=500)) == 0
    assert counted(ledger) == {"parent": 1}


def test_a_proxy_and_a_log_are_two_witnesses_of_one_response(ledger: sqlite3.Connection) -> None:
    log = response("anthropic|msg_1|req_1", output_tokens=3, complete=False, twin="msg_1|10|40|30")
    proxy = response("anthropic|msg_1|req_1", source="proxy", output_tokens=20, response_id="msg_1")
    assert add(ledger, log) == 1
    assert add(ledger, proxy) == 0
    [row] = ledger.execute("SELECT source, output_tokens, complete, twin, response_id FROM usage_records").fetchall()
    assert (row["source"], row["output_tokens"], row["complete"], row["response_id"]) == ("proxy", 20, 1, "msg_1")
    assert row["twin"] is not None, "a replay in the log is still found"
    assert add(ledger, log._replace(key="anthropic|msg_1|req_2", sidechain=True)) == 0


# -- in any order -----------------------------------------------------------------------------------------------------

PARENTS = {"s1": None, "s2": "s1", "s3": "s2", "s4": "s1", "s5": "unread", "s6": None}


def invented(key: int, tokens: int, at: int, *, sidechain: bool, told: bool, model: str) -> Response:
    session = f"s{key % 6 + 1}"
    return response(
        f"k{key}",
        session=session,
        twin=f"t{key // 6}" if key % 5 else None,
        parent_session=PARENTS[session] if told else None,
        output_tokens=tokens,
        at_ms=1_795_428_000_000 + at * 600_000,
        sidechain=sidechain,
        model=model,
    )


responses = st.builds(
    invented,
    st.integers(0, 17),
    st.integers(0, 2),
    st.integers(0, 300),
    sidechain=st.booleans(),
    told=st.booleans(),
    model=st.sampled_from(["a", "b"]),
)


def read_in(batches: Sequence[Sequence[Response]]) -> tuple[object, ...]:
    """Everything that is told of a ledger, after these batches."""
    with empty_ledger() as ledger:
        for batch in batches:
            add_entries(ledger, map(entry, batch))
        check_sums(ledger)
        return (
            sorted(
                map(tuple, ledger.execute("SELECT name, parent, first_ms, last_ms, output_tokens FROM usage_sessions"))
            ),
            sorted(
                map(
                    tuple,
                    ledger.execute(
                        "SELECT model, quarter_ms, usage_quarters.responses, usage_quarters.total_pico"
                        " FROM usage_quarters JOIN usage_series USING (series)"
                    ),
                )
            ),
        )


@settings(deadline=None, max_examples=150)
@given(read=st.lists(responses, max_size=14), data=st.data())
def test_what_counts_never_depends_on_the_order_of_reading(read: list[Response], data: st.DataObject) -> None:
    other = data.draw(st.permutations(read))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(other)), max_size=4)))
    batches = [other[start:end] for start, end in zip([0, *cuts], [*cuts, len(other)], strict=True)]
    assert read_in([read]) == read_in(batches)
