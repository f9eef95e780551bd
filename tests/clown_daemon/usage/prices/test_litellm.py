from decimal import Decimal
from typing import Any

import pytest

from clown_daemon.usage.prices.litellm import entries
from clown_daemon.usage.pricing import ModelPrices, Price

USD = Decimal("0.000001")


def entry(seller: str = "openai", **more: Any) -> dict[str, Any]:
    return {
        "litellm_provider": seller,
        "mode": "chat",
        "input_cost_per_token": 3 * USD,
        "output_cost_per_token": 15 * USD,
        **more,
    }


def converted(**content: dict[str, Any]) -> dict[tuple[str, str], ModelPrices]:
    left_out: list[str] = []
    found = {(seller, model.id): model for seller, model in entries(content, left_out)}
    assert left_out == []
    return found


def prices_of(**more: Any) -> Any:
    return converted(m=entry(**more))["openai", "m"].prices


def test_a_price_is_read_exactly_and_says_where_it_is_from() -> None:
    found = converted(
        m=entry(
            cache_read_input_token_cost=Decimal("3e-07"),
            cache_creation_input_token_cost=Decimal("0.00000375"),
            cache_creation_input_token_cost_above_1hr=6 * USD,
            search_context_cost_per_query={"search_context_size_low": 0.01, "search_context_size_high": 0.01},
        )
    )["openai", "m"]
    assert found.origin == "litellm"
    assert found.prices == {
        "standard": (
            Price(bands=((0, 3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000),), web_search=10_000_000_000),
        )
    }


def test_searches_with_prices_by_their_size_have_none() -> None:
    costs = {"search_context_size_low": 0.01, "search_context_size_high": 0.02}
    assert prices_of(search_context_cost_per_query=costs)["standard"][0].web_search is None


def test_long_context_and_tiers_have_their_own_prices_and_the_nearest_otherwise() -> None:
    found = prices_of(
        cache_read_input_token_cost=1 * USD,
        input_cost_per_token_above_200k_tokens=6 * USD,
        output_cost_per_token_above_200k_tokens=30 * USD,
        input_cost_per_token_priority=7 * USD,
        output_cost_per_token_priority=40 * USD,
        input_cost_per_token_above_272k_tokens_priority=14 * USD,
        input_cost_per_token_batches=2 * USD,
    )
    assert list(found) == ["standard", "priority", "batch"]
    assert found["standard"][0].bands == (
        (0, 3_000_000, 15_000_000, 1_000_000),
        (200_000, 6_000_000, 30_000_000, 1_000_000),
    )
    assert found["priority"][0].bands == (
        (0, 7_000_000, 40_000_000, 1_000_000),
        (272_000, 14_000_000, 40_000_000, 1_000_000),
    )
    assert found["batch"][0].bands == ((0, 2_000_000, 15_000_000, 1_000_000),)


def test_ranges_are_bands() -> None:
    ranges = [
        {"range": [0, Decimal("32000.0")], "input_cost_per_token": USD, "output_cost_per_token": 5 * USD},
        {"range": [Decimal("32000.0"), 10**6], "input_cost_per_token": 2 * USD, "output_cost_per_token": 9 * USD},
    ]
    assert prices_of(tiered_pricing=ranges)["standard"][0].bands == (
        (0, 1_000_000, 5_000_000),
        (32_000, 2_000_000, 9_000_000),
    )


@pytest.mark.parametrize(
    ("key", "seller", "found"),
    [
        ("GPT-X", "openai", ("openai", "gpt-x")),
        ("dashscope/qwen-x", "dashscope", ("qwen", "qwen-x")),
        ("vertex_ai/claude-x@20260101", "vertex_ai-anthropic_models", ("vertex", "claude-x@20260101")),
        ("gemini-x", "vertex_ai-language-models", ("vertex", "gemini-x")),
        ("us.anthropic.claude-x-v1:0", "bedrock_converse", ("bedrock", "us.anthropic.claude-x-v1:0")),
        ("groq/openai/gpt-oss", "groq", ("groq", "openai/gpt-oss")),
        ("meta_llama/llama-x", "meta_llama", ("meta", "llama-x")),
    ],
)
def test_a_key_is_a_name_at_a_seller(key: str, seller: str, found: tuple[str, str]) -> None:
    assert list(converted(**{key: entry(seller)})) == [found]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("m", entry(mode="embedding")),
        ("m", entry("somebody-else")),
        ("m", entry(input_cost_per_token=0, output_cost_per_token=0)),
        ("m", {"litellm_provider": "openai", "mode": "chat"}),
        ("bedrock/us-east-1/anthropic.claude-x", entry("bedrock")),
        ("dashscope/glm-5", entry("dashscope")),
        ("mistral/zai-glm-5", entry("mistral")),
    ],
)
def test_what_no_agent_buys_there_is_not_there(key: str, content: dict[str, Any]) -> None:
    assert converted(**{key: content}) == {}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"input_cost_per_token": Decimal("1.0000000000000001E-7")},
            "1.0000000000000001E-7 US dollars per 1 is no whole",
        ),
        ({"output_cost_per_token": None}, "a price without input or output"),
        ({"off_peak_pricing": {}}, "it is not billed by its tokens alone, or not all day"),
        ({"output_cost_per_image": 1}, "it is not billed by its tokens alone, or not all day"),
        ({"output_cost_per_reasoning_token": 99 * USD}, "reasoning has a price of its own"),
    ],
)
def test_a_model_whose_price_cannot_be_told_exactly_is_left_out_and_named(more: dict[str, Any], reason: str) -> None:
    left_out: list[str] = []
    assert list(entries({"m": entry(**more)}, left_out)) == []
    [sentence] = left_out
    assert sentence.startswith(f"litellm m: {reason}")


def test_a_name_with_two_prices_has_none() -> None:
    left_out: list[str] = []
    twice = {"deepseek-x": entry("deepseek"), "deepseek/deepseek-x": entry("deepseek", output_cost_per_token=USD)}
    assert list(entries(twice, left_out)) == []
    assert left_out == ["litellm deepseek deepseek-x: it has more than one price"]
    same = {"deepseek-x": entry("deepseek"), "deepseek/deepseek-x": entry("deepseek")}
    assert set(converted(**same)) == {("deepseek", "deepseek-x")}
