"""The shapes are those that the program of Droid 0.215 writes by its own schema; no run of it wrote them."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Entry, Response, merge
from clown_daemon.usage.formats.droid import Session, Totals, bill, read_settings
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import PriceList

SESSION = Session("s-1", 1_795_428_000_000, "/home/dev/project")


def sums(*counts: int) -> dict[str, int]:
    names = ("inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens", "thinkingTokens")
    return dict(zip(names, (*counts, *(0,) * (5 - len(counts))), strict=True))


def document(*counts: int, model: object = "claude-sonnet-4-5", **more: object) -> bytes:
    content: dict[str, Any] = {
        "model": model,
        "reasoningEffort": "high",
        "providerLock": "anthropic",
        "providerLockTimestamp": "2026-11-23T10:00:00.000Z",
        "tokenUsage": sums(*counts) | {"factoryCredits": 12.5},
        "inclusiveTokenUsage": sums(*(9 * number for number in counts)),
    }
    return json.dumps(content | more).encode()


class Follower:
    """Keeps what is billed as the ledger does."""

    def __init__(self, session: Session = SESSION) -> None:
        self.session = session
        self.state = b""
        self.kept: dict[str, Entry] = {}

    def read(self, settings: bytes) -> Response | None:
        response, self.state = bill(read_settings(settings), self.session, self.state)
        if response is not None:
            kept = self.kept.get(response.key)
            entry = Entry(response, None, "p")
            self.kept[response.key] = entry if kept is None else merge(kept, entry)
        return response

    @property
    def outputs(self) -> list[tuple[str, int]]:
        return [(entry.response.model, entry.response.output_tokens) for entry in self.kept.values()]


def test_a_session_is_one_record_of_its_sums() -> None:
    response = Follower().read(document(100, 200, 300, 400, 50))
    assert response is not None
    assert (response.model, response.provider, response.session) == ("claude-sonnet-4-5", "anthropic", "s-1")
    assert response.project == "/home/dev/project"
    assert response.at_ms == 1_795_428_000_000
    assert (response.input_tokens, response.output_tokens, response.reasoning_tokens) == (100, 200, 50)
    assert (response.cache_write_5m_tokens, response.cache_read_tokens) == (300, 400)


def test_sums_that_grow_correct_the_record() -> None:
    follower = Follower()
    for output in (10, 20, 30):
        follower.read(document(1, output))
    assert follower.outputs == [("claude-sonnet-4-5", 30)]


def test_reading_again_from_the_start_adds_nothing() -> None:
    follower = Follower()
    follower.read(document(1, 20))
    follower.state = b""
    follower.read(document(1, 30))
    assert follower.outputs == [("claude-sonnet-4-5", 30)]


def test_another_model_begins_another_record() -> None:
    follower = Follower()
    follower.read(document(1, 20))
    follower.read(document(1, 50, model="gpt-5"))
    follower.read(document(1, 60, model="gpt-5"))
    follower.read(document(1, 61))
    assert follower.outputs == [("claude-sonnet-4-5", 20), ("gpt-5", 40), ("claude-sonnet-4-5", 1)]


def test_a_model_that_was_chosen_and_not_used_bills_nothing() -> None:
    follower = Follower()
    follower.read(document(1, 20))
    assert follower.read(document(1, 20, model="gpt-5")) is None
    assert follower.outputs == [("claude-sonnet-4-5", 20)]


def test_a_backup_that_was_restored_adds_nothing_and_what_follows_it_counts() -> None:
    follower = Follower()
    follower.read(document(1, 90))
    assert follower.read(document(1, 60)) is None
    follower.read(document(1, 65))
    assert sum(output for _, output in follower.outputs) == 95


def test_sums_that_begin_anew_count_from_there() -> None:
    follower = Follower()
    follower.read(document(100, 90))
    follower.read(document(0, 0, 0, 0, 0))
    follower.read(document(5, 4))
    follower.read(document(6, 7))
    assert sum(output for _, output in follower.outputs) == 90 + 3


def test_what_a_session_inherited_is_not_counted() -> None:
    follower = Follower(SESSION._replace(inherited=Totals(100, 90)))
    assert follower.read(document(100, 90)) is None
    follower.read(document(101, 95))
    assert follower.outputs == [("claude-sonnet-4-5", 5)]


def test_no_long_context_threshold_applies_to_sums() -> None:
    prices = PriceList((shipped_table(),))
    response, larger = (Follower().read(document(size, 0, model="gemini-2.5-pro")) for size in (1000, 1_000_000))
    assert response is not None
    assert larger is not None
    cost, more = prices.cost(response), prices.cost(larger)
    assert cost is not None
    assert more is not None
    assert more.total_pico == 1000 * cost.total_pico


def test_without_a_provider_and_an_instant_it_is_factorys_and_when_it_was_written() -> None:
    response = Follower().read(document(1, 2, providerLock=None, providerLockTimestamp=None))
    assert response is not None
    assert (response.provider, response.at_ms) == ("factory", SESSION.modified_ms)


def test_a_model_that_is_not_named_is_unknown() -> None:
    response = Follower().read(document(1, 2, model=None))
    assert response is not None
    assert response.model == "unknown"


def test_sums_of_whole_months_are_believed() -> None:
    response = Follower().read(document(1, 2, 3, 2**33))
    assert response is not None
    assert response.cache_read_tokens == 2**33


@pytest.mark.parametrize("quiet", [document(0, 0), document(1, 2, tokenUsage=None), b"{}"])
def test_settings_without_usage_bill_nothing(quiet: bytes) -> None:
    assert Follower().read(quiet) is None


@pytest.mark.parametrize(
    "broken",
    [
        document(-1, 2),
        document(2**50, 2),
        document(1, 2, tokenUsage={"inputTokens": "1"}),
        document(1, 2, tokenUsage=[]),
        document(1, 2, model=7),
        document(1, 2, providerLockTimestamp="yesterday"),
        b"[]",
        b"\xff",
    ],
)
def test_what_is_not_understood_is_not_guessed(broken: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of many kinds
        Follower().read(broken)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["a", "b"])), max_size=20))
def test_however_the_sums_grow_and_the_model_changes_every_token_counts_once(
    steps: list[tuple[int, int, str]],
) -> None:
    follower = Follower()
    fresh = output = 0
    for more_fresh, more_output, model in steps:
        fresh, output = fresh + more_fresh, output + more_output
        follower.read(document(fresh, output, model=model))
    responses = [entry.response for entry in follower.kept.values()]
    assert sum(response.input_tokens for response in responses) == fresh
    assert sum(response.output_tokens for response in responses) == output


@given(st.binary(max_size=200))
@example(b"\x94\x00\xa1\x80")
def test_no_state_whatsoever_raises(state: bytes) -> None:
    bill(read_settings(document(1, 2)), SESSION, state)
