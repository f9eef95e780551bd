from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.store.ledger import Costs, Entry, Response, merge
from tests.support.ledger import response


def entry(profile: str = "work", *, pico: int | None = 1, **changes: object) -> Entry:
    costs = None if pico is None else Costs(pico, 0, 0, 0, pico, "t")
    return Entry(response(**changes), costs, profile)  # type: ignore[arg-type]  # its own fields


@pytest.mark.parametrize("right_first", [True, False])
def test_the_larger_output_is_right_and_brings_its_price(right_first: bool) -> None:
    begun, ended = entry(output_tokens=3, complete=False, pico=1), entry(output_tokens=200, pico=2)
    merged = merge(ended, begun) if right_first else merge(begun, ended)
    assert (merged.response.output_tokens, merged.response.complete, merged.costs) == (200, True, ended.costs)


def test_on_a_tie_the_complete_one_is_right() -> None:
    assert merge(entry(complete=False), entry(complete=True)).response.complete


def test_the_first_one_owns_it_and_the_earlier_instant_is_its_time() -> None:
    first = entry("work", agent_id="claude", session="s1", project="/a", at_ms=5)
    second = entry("play", agent_id="proxy", session="s2", project="/b", at_ms=3, output_tokens=99)
    merged = merge(first, second)
    assert merged.profile == "work"
    assert merged.response == response(agent_id="claude", session="s1", project="/a", at_ms=3, output_tokens=99)


def test_what_one_witness_alone_knows_is_kept() -> None:
    log = entry(twin="t", response_id=None, output_tokens=5)
    proxy = entry(twin=None, response_id="msg_1", output_tokens=9, source="proxy")
    for merged in (merge(log, proxy), merge(proxy, log)):
        assert (merged.response.twin, merged.response.response_id, merged.response.source) == ("t", "msg_1", "proxy")


@pytest.mark.parametrize("log_first", [True, False])
def test_what_a_proxy_cannot_know_comes_from_the_log(log_first: bool) -> None:
    log = entry(session="s1", project="/a", parent_session="s0")
    proxy = entry(session="", project=None, source="proxy")
    merged = (merge(log, proxy) if log_first else merge(proxy, log)).response
    assert (merged.session, merged.project, merged.parent_session) == ("s1", "/a", "s0")


@pytest.mark.parametrize("log_first", [True, False])
def test_on_a_tie_the_proxy_is_right(log_first: bool) -> None:
    log, proxy = entry(provider="anthropic", model="a", pico=1), entry(provider="zai", source="proxy", pico=2)
    merged = merge(log, proxy) if log_first else merge(proxy, log)
    assert (merged.response.provider, merged.costs) == ("zai", proxy.costs)


@pytest.mark.parametrize("log_first", [True, False])
def test_a_proxy_knows_whose_profile_it_serves(log_first: bool) -> None:
    log, proxy = entry(UNATTRIBUTED), entry("work", source="proxy")
    assert (merge(log, proxy) if log_first else merge(proxy, log)).profile == "work"


def test_a_proxy_takes_nothing_away_from_another_profile() -> None:
    assert merge(entry("play"), entry("work", source="proxy")).profile == "play"


def test_a_response_is_a_main_one_if_any_witness_says_so() -> None:
    assert not merge(entry(sidechain=True), entry(sidechain=False)).response.sidechain


witnesses = st.builds(
    entry,
    output_tokens=st.integers(0, 2),
    complete=st.booleans(),
    input_tokens=st.integers(0, 1),
    at_ms=st.integers(0, 2),
    model=st.sampled_from(["a", "b"]),
    source=st.sampled_from(["claude", "proxy"]),
    sidechain=st.booleans(),
    twin=st.sampled_from([None, "t"]),
    tier=st.sampled_from(["standard", "fast"]),
)


@given(st.lists(witnesses, min_size=3, max_size=3))
def test_the_order_of_witnesses_never_matters(three: list[Entry]) -> None:
    merged: set[Response] = {merge(merge(a, b), c).response for a, b, c in permutations(three)}
    assert len(merged) == 1
