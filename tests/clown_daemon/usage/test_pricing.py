from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Costs, Response
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import PriceList, candidate_names
from tests.support.transcripts import line, sample

PRICES = PriceList((shipped_table(),))
NOVEMBER = epoch_ms("2026-11-23T10:00:00Z")


def response(model: str, *, at_ms: int = NOVEMBER, **counts: Any) -> Response:
    zero = Response("claude", "claude", "msg", "req", model, "s", None, at_ms, 0, 0, 0, 0, 0)
    return zero._replace(**counts)


def total(found: Costs | None) -> int:
    assert found is not None
    return found.total_pico


def test_each_class_of_tokens_has_its_own_exact_price() -> None:
    cost = PRICES.cost(
        response(
            "claude-sonnet-4-5",
            input_tokens=11,
            output_tokens=201,
            cache_read_tokens=15_001,
            cache_write_5m_tokens=500,
            cache_write_1h_tokens=1_501,
        )
    )
    assert cost is not None
    assert cost.input_pico == 11 * 3_000_000
    assert cost.output_pico == 201 * 15_000_000
    assert cost.cache_read_pico == 15_001 * 300_000
    assert cost.cache_write_pico == 500 * 3_750_000 + 1_501 * 6_000_000
    assert cost.total_pico == 33_000_000 + 3_015_000_000 + 4_500_300_000 + 1_875_000_000 + 9_006_000_000
    assert cost.price_table.startswith("genai-prices 0.2.3 (2026-")


def test_a_real_sample_costs_what_it_costs_by_hand() -> None:
    by_key = {found.key: found for found in ClaudeParser().feed(sample("main_then_resumed").read_bytes())}
    # Opus 4.5 in picodollars a token: 5,000,000 in, 25,000,000 out, 500,000 read, 6,250,000 and 10,000,000 written.
    by_hand = 50 * 5_000_000 + 810 * 25_000_000 + 60_010 * 500_000 + 2_000 * 6_250_000 + 6_010 * 10_000_000
    assert sum(total(PRICES.cost(found)) for found in by_key.values()) == by_hand == 123_105_000_000


def test_a_request_over_the_threshold_is_dear_as_a_whole_and_the_cache_counts_towards_it() -> None:
    at = response("claude-sonnet-4-5", input_tokens=100_000, cache_read_tokens=100_000, output_tokens=10)
    over = at._replace(cache_read_tokens=100_001)
    assert total(PRICES.cost(at)) == 100_000 * 3_000_000 + 100_000 * 300_000 + 10 * 15_000_000
    assert total(PRICES.cost(over)) == 100_000 * 6_000_000 + 100_001 * 600_000 + 10 * 22_500_000


def test_prices_hold_from_their_day_on() -> None:
    large = response("claude-opus-4-6", input_tokens=300_000)
    before = large._replace(at_ms=epoch_ms("2026-03-12T23:59:59Z"))
    after = large._replace(at_ms=epoch_ms("2026-03-13T00:00:00Z"))
    assert total(PRICES.cost(before)) == 300_000 * 10_000_000
    assert total(PRICES.cost(after)) == 300_000 * 5_000_000


def test_fast_mode_has_its_own_rates_and_is_unknown_where_the_table_has_none() -> None:
    fast = response("claude-opus-4-8", output_tokens=10)._replace(tier="fast")
    assert total(PRICES.cost(fast)) == 10 * 50_000_000
    assert PRICES.cost(fast._replace(model="claude-sonnet-4-5")) is None


def test_a_web_search_costs_a_cent_and_is_in_the_total_alone() -> None:
    cost = PRICES.cost(response("claude-opus-5", web_searches=3))
    assert cost is not None
    assert cost.total_pico == 3 * 10_000_000_000
    assert (cost.input_pico, cost.output_pico, cost.cache_write_pico, cost.cache_read_pico) == (0, 0, 0, 0)


def test_an_unknown_model_has_no_cost_rather_than_none_to_pay() -> None:
    assert PRICES.cost(response("my-own-model", input_tokens=1)) is None
    assert PRICES.cost(response("claude-opus-99", input_tokens=1)) is None
    assert PRICES.find("") is None


def test_every_way_to_write_a_model_finds_it() -> None:
    for written, known in {
        "claude-sonnet-4-5": "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929": "claude-sonnet-4-5",
        "claude-sonnet-4-5[1m]": "claude-sonnet-4-5",
        "Claude-Sonnet-4-5": "claude-sonnet-4-5",
        "anthropic/claude-opus-4.5": "claude-opus-4-5",
        "openrouter/anthropic/claude-opus-4.5": "claude-opus-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "claude-sonnet-4-5",
        "claude-opus-4-5@20251101": "claude-opus-4-5",
        "claude-opus-4-20250514": "claude-opus-4-0",
        "claude-opus-4-1-20250805": "claude-opus-4-1",
        "claude-3-5-haiku-20241022": "claude-3-5-haiku-latest",
        "gpt-5-codex": "gpt-5",
        "gpt-5-2025-08-07": "gpt-5",
        "gemini-2.5-pro": "gemini-2.5-pro",
    }.items():
        found = PRICES.find(written)
        assert found is not None, written
        assert found[1].id == known


def test_names_are_tried_from_the_most_exact_on_and_each_once() -> None:
    assert list(candidate_names("openrouter/anthropic/claude-x-20260101[1m]")) == [
        "openrouter/anthropic/claude-x-20260101[1m]",
        "openrouter/anthropic/claude-x-20260101",
        "claude-x-20260101",
        "claude-x",
    ]


def test_the_shipped_table_is_whole() -> None:
    table = shipped_table()
    names = [name for model in table.models for name in model.names]
    assert len(names) == len(set(names))
    assert len(table.models) > 100
    for model in table.models:
        for price in model.prices:
            for tiers in (price.tiers, price.fast or price.tiers):
                assert tiers[0].above == 0
                assert [tier.above for tier in tiers] == sorted({tier.above for tier in tiers})
                assert all(rate >= 0 for tier in tiers for rate in tier.rates)


@given(st.lists(st.integers(0, 100_000), min_size=5, max_size=5), st.integers(0, 5))
def test_the_total_is_the_exact_sum_of_its_parts(counts: list[int], searches: int) -> None:
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    found = response("claude-opus-5", web_searches=searches, **dict(zip(names, counts, strict=True)))
    cost = PRICES.cost(found)
    assert cost is not None
    assert cost.total_pico == sum(cost[:4]) + searches * 10_000_000_000


def test_a_parsed_line_is_priced_as_it_stands() -> None:
    [found] = ClaudeParser().feed(line(tokens=(1000, 0, 0, 0)))
    assert total(PRICES.cost(found)) == 3_000_000_000
