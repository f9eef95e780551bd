import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Costs, Response
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import ANYBODY, ModelPrices, Price, PriceList, Rates, Source, Table
from tests.support.transcripts import line, sample

PRICES = PriceList((shipped_table(),))
NOVEMBER = epoch_ms("2026-11-23T10:00:00Z")
MIXED = (1_000, 2_000, 30_000, 400, 50)
READING = (1_000, 2_000, 30_000, 0, 0)
LONG = (1_000, 2_000, 300_000, 400, 50)
LONG_READING = (1_000, 2_000, 300_000, 0, 0)


def response(model: str, *, at_ms: int = NOVEMBER, **fields: Any) -> Response:
    zero = Response("claude", "claude", "key", "anthropic", model, "s", None, at_ms, 0, 0, 0, 0, 0)
    return zero._replace(**fields)


def spent(model: str, tokens: tuple[int, int, int, int, int], **fields: Any) -> Response:
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    return response(model, **dict(zip(names, tokens, strict=True)), **fields)


def total(found: Costs | None) -> int:
    assert found is not None
    return found.total_pico


def table(*models: tuple[str, ModelPrices], name: str = "test") -> Table:
    by_seller: dict[str, tuple[ModelPrices, ...]] = {}
    for seller, model in models:
        by_seller[seller] = (*by_seller.get(seller, ()), model)
    return Table(date="", sources=(Source(name, "1"),), models=by_seller)


def model_at(usd: int, *names: str, **of_price: Any) -> ModelPrices:
    """A model whose every token costs so many US dollars a million."""
    return ModelPrices(names, {"standard": (Price(bands=((0, usd * 10**6, usd * 10**6),), **of_price),)})


def test_each_class_of_tokens_has_its_own_exact_price() -> None:
    cost = PRICES.cost(spent("claude-sonnet-4-5", (11, 201, 15_001, 500, 1_501)))
    assert cost is not None
    assert cost.input_pico == 11 * 3_000_000
    assert cost.output_pico == 201 * 15_000_000
    assert cost.cache_read_pico == 15_001 * 300_000
    assert cost.cache_write_pico == 500 * 3_750_000 + 1_501 * 6_000_000
    assert cost.total_pico == 33_000_000 + 3_015_000_000 + 4_500_300_000 + 1_875_000_000 + 9_006_000_000
    assert cost.price_table.startswith("genai-prices 0.2.3 (2026-")


@pytest.mark.parametrize(
    ("model", "tokens", "fields", "by_hand"),
    [
        # US dollars per million tokens: in, out, read, 5 minute write, 1 hour write.
        ("claude-sonnet-4-5", MIXED, {}, 43_800_000_000),  # 3, 15, 0.30, 3.75, 6
        ("claude-opus-4-5", MIXED, {}, 73_000_000_000),  # 5, 25, 0.5, 6.25, 10
        ("claude-opus-4-8", MIXED, {}, 73_000_000_000),  # the same
        ("claude-opus-5", MIXED, {}, 73_000_000_000),  # the same
        ("claude-opus-4-8", MIXED, {"tier": "fast"}, 146_000_000_000),  # 10, 50, 1, 12.5, 20
        ("claude-haiku-4-5", MIXED, {}, 14_600_000_000),  # 1, 5, 0.1, 1.25, 2
        ("claude-sonnet-5", MIXED, {}, 29_200_000_000),  # 2, 10, 0.2, 2.5, 4
        ("gpt-5-codex", READING, {}, 25_000_000_000),  # 1.25, 10, 0.125
        ("gpt-5.3-codex", READING, {}, 35_000_000_000),  # 1.75, 14, 0.175
        ("gpt-5.5", READING, {}, 80_000_000_000),  # 5, 30, 0.5
        ("gpt-5.5", LONG_READING, {}, 400_000_000_000),  # 10, 45, 1
        ("gpt-6.1-sol", (1_000, 2_000, 30_000, 400, 0), {}, 26_000_000_000),  # 2, 10, 0.1, 2.5
        ("gpt-6.1-sol", (1_000, 2_000, 300_000, 400, 0), {}, 96_000_000_000),  # 4, 15, 0.2, 5
        ("gpt-6-astra", (1_000, 2_000, 30_000, 400, 0), {}, 145_000_000_000),  # 10, 50, 1, 12.5
        ("gpt-6-astra", (1_000, 2_000, 300_000, 400, 0), {}, 780_000_000_000),  # 20, 75, 2, 25
        ("gemini-2.5-pro", READING, {}, 25_000_000_000),  # 1.25, 10, 0.125
        ("gemini-2.5-pro", LONG_READING, {}, 107_500_000_000),  # 2.5, 15, 0.25
        ("claude-sonnet-4-5", LONG, {"at_ms": epoch_ms("2026-04-29T23:59:59.999Z")}, 234_600_000_000),
        ("claude-sonnet-4-5", LONG, {"at_ms": epoch_ms("2026-04-30T00:00:00Z")}, 124_800_000_000),
        ("claude-opus-5", MIXED, {"tier": "batch"}, 36_500_000_000),  # half
        ("gpt-5-codex", READING, {"tier": "flex"}, 12_500_000_000),  # half
        ("gpt-5-codex", READING, {"tier": "priority"}, 50_000_000_000),  # twice
    ],
)
def test_the_shipped_prices_are_those_of_the_vendors(
    model: str, tokens: tuple[int, int, int, int, int], fields: dict[str, Any], by_hand: int
) -> None:
    assert total(PRICES.cost(spent(model, tokens, **fields))) == by_hand


def test_a_real_sample_costs_what_it_costs_by_hand() -> None:
    by_key = {found.key: found for found in ClaudeParser().feed(sample("main_then_resumed").read_bytes())}
    # Opus 4.5 in picodollars a token: 5,000,000 in, 25,000,000 out, 500,000 read, 6,250,000 and 10,000,000 written.
    by_hand = 50 * 5_000_000 + 810 * 25_000_000 + 60_010 * 500_000 + 2_000 * 6_250_000 + 6_010 * 10_000_000
    assert sum(total(PRICES.cost(found)) for found in by_key.values()) == by_hand == 123_105_000_000


def test_a_request_over_the_threshold_is_dear_as_a_whole_and_the_cache_counts_towards_it() -> None:
    march = epoch_ms("2026-03-01T00:00:00Z")
    at = spent("claude-sonnet-4-5", (100_000, 10, 60_000, 30_000, 10_000), at_ms=march)
    over = at._replace(cache_write_1h_tokens=10_001)
    flat = 100_000 * 3_000_000 + 10 * 15_000_000 + 60_000 * 300_000 + 30_000 * 3_750_000
    dear = 100_000 * 6_000_000 + 10 * 22_500_000 + 60_000 * 600_000 + 30_000 * 7_500_000
    assert total(PRICES.cost(at)) == flat + 10_000 * 6_000_000
    assert total(PRICES.cost(over)) == dear + 10_001 * 12_000_000


def test_of_several_thresholds_the_highest_that_was_passed_counts() -> None:
    bands = ((0, 1, 1), (100, 2, 2), (200, 3, 3))
    prices = PriceList((table(("openai", ModelPrices(("m",), {"standard": (Price(bands=bands),)}))),))
    costs = [total(prices.cost(response("m", input_tokens=tokens))) for tokens in (100, 101, 200, 201)]
    assert costs == [100, 202, 400, 603]


def test_prices_hold_from_their_day_on() -> None:
    large = response("claude-opus-4-6", input_tokens=300_000)
    before = large._replace(at_ms=epoch_ms("2026-03-12T23:59:59.999Z"))
    after = large._replace(at_ms=epoch_ms("2026-03-13T00:00:00Z"))
    assert total(PRICES.cost(before)) == 300_000 * 10_000_000
    assert total(PRICES.cost(after)) == 300_000 * 5_000_000


def test_before_its_first_day_a_price_is_not_known() -> None:
    prices = PriceList((table(("openai", model_at(1, "m", valid_from="2026-03-13"))),))
    assert prices.cost(response("m", at_ms=epoch_ms("2026-03-12T23:59:59.999Z"))) is None
    assert prices.cost(response("m", at_ms=epoch_ms("2026-03-13T00:00:00Z"))) is not None
    assert prices.cost(response("m", at_ms=-1)) is None


@pytest.mark.parametrize(
    ("time", "usd"),
    [("00:59:59.999", 1), ("01:00:00", 2), ("03:59:59.999", 2), ("04:00:00", 1), ("22:59:59", 1), ("23:00:00", 3)],
)
def test_some_prices_hold_at_hours_of_the_day_over_midnight_too(time: str, usd: int) -> None:
    [cheap] = model_at(1, "m").prices["standard"]
    [peak] = model_at(2, "m", hours=(60, 240)).prices["standard"]
    [night] = model_at(3, "m", hours=(1380, 30)).prices["standard"]
    prices = PriceList((table(("openai", ModelPrices(("m",), {"standard": (cheap, peak, night)}))),))
    at_ms = epoch_ms(f"2026-11-23T{time}Z")
    assert total(prices.cost(response("m", at_ms=at_ms, input_tokens=1))) == usd * 10**6
    assert total(prices.cost(response("m", at_ms=epoch_ms("2026-11-24T00:29:00Z"), input_tokens=1))) == 3 * 10**6


def test_the_price_of_a_service_tier_that_nobody_knows_is_not_guessed() -> None:
    fast = response("claude-opus-4-8", output_tokens=10, tier="fast")
    assert total(PRICES.cost(fast)) == 10 * 50_000_000
    assert PRICES.cost(fast._replace(model="claude-sonnet-4-5")) is None
    assert PRICES.cost(fast._replace(tier="priority")) is None
    batch = fast._replace(tier="batch", at_ms=epoch_ms("2026-10-13T23:59:59Z"))
    assert PRICES.cost(batch) is None
    assert total(PRICES.cost(batch._replace(at_ms=epoch_ms("2026-10-14T00:00:00Z")))) == 10 * 12_500_000


def test_a_web_search_costs_a_cent_and_is_in_the_total_alone() -> None:
    cost = PRICES.cost(response("claude-opus-5", web_searches=3))
    assert cost is not None
    assert cost.total_pico == 3 * 10_000_000_000
    assert (cost.input_pico, cost.output_pico, cost.cache_write_pico, cost.cache_read_pico) == (0, 0, 0, 0)


def test_searches_of_unknown_price_leave_the_cost_unknown() -> None:
    prices = PriceList((table(("openai", model_at(1, "m"))),))
    assert prices.cost(response("m", web_searches=1)) is None
    assert prices.cost(response("m")) is not None


def test_an_unknown_model_has_no_cost_rather_than_none_to_pay() -> None:
    assert PRICES.cost(response("my-own-model", input_tokens=1)) is None
    assert PRICES.cost(response("claude-opus-99", input_tokens=1)) is None
    assert PRICES.find("") == ()


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5[1m]", "claude-sonnet-4-5"),
        (" Claude-Sonnet-4-5 ", "claude-sonnet-4-5"),
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("some-gateway/claude-opus-4.5", "claude-opus-4-5"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
        ("gpt-5-codex", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("vertex_ai/claude-opus-4-5@20251101", "claude-opus-4-5"),
    ],
)
def test_every_way_to_write_a_model_finds_it(written: str, known: str) -> None:
    assert [match.model.id for match in PRICES.find(written)] == [known]


@pytest.mark.parametrize(
    "model",
    [
        "deepseek-chat",
        "MiniMax-M2.1",
        "kimi-k2-thinking",
        "grok-code-fast-1",
        "glm-4.6",
        "qwen3-coder-plus",
        "gpt-5.1-codex",
    ],
)
def test_the_models_of_every_maker_are_found_without_saying_whose_they_are(model: str) -> None:
    assert PRICES.cost(response(model, input_tokens=1)) is not None


def test_where_a_model_is_bought_counts_and_its_maker_otherwise() -> None:
    prices = PriceList(
        (
            table(
                ("anthropic", model_at(1, "m")),
                ("openrouter", model_at(2, "m", "anthropic/m")),
                ("zai", model_at(3, "g")),
            ),
        )
    )
    assert [prices.find("m", whose)[0].seller for whose in (None, "anthropic", "OpenRouter", "corp", "self")] == [
        *("anthropic", "anthropic", "openrouter", "anthropic", "anthropic"),
    ]
    assert prices.find("openrouter/anthropic/m")[0].seller == "openrouter"
    # Agents say `anthropic` of whoever answers in its format.
    assert prices.find("g", "anthropic")[0].seller == "zai"
    # But these answer foreign names with models of their own, or run models here.
    assert prices.find("m", "zai") == prices.find("m", "ollama") == ()


def test_a_free_variant_is_never_charged_for_nor_taken_for_free_without_knowing() -> None:
    assert total(PRICES.cost(response("deepseek/deepseek-r1:free", provider="openrouter", input_tokens=9))) == 0
    for variant in ("free", "online", "nitro", "floor", "extended"):
        assert PRICES.find(f"anthropic/claude-opus-4.5:{variant}", "openrouter") == ()
    assert PRICES.find("anthropic/claude-opus-4.5:thinking", "openrouter") != ()


def test_a_region_of_bedrock_has_its_own_price() -> None:
    one: dict[str, Any] = {"input_tokens": 1, "provider": "bedrock"}
    assert total(PRICES.cost(response("us.anthropic.claude-sonnet-4-5-20250929-v1:0", **one))) == 3_300_000
    assert total(PRICES.cost(response("global.anthropic.claude-sonnet-4-5-20250929-v1:0", **one))) == 3_000_000
    assert total(PRICES.cost(response("us.anthropic.claude-sonnet-4-5-20250929-v1:0", input_tokens=1))) == 3_300_000


def test_the_first_table_that_knows_decides_and_leaves_the_rest_to_the_next() -> None:
    own = ModelPrices(("m",), {"standard": (Price(bands=((0, 7, 7),), valid_from="2026-06-01"),)})
    listed = ModelPrices(
        ("m",),
        {"standard": (Price(bands=((0, 1, 1),), web_search=5),), "fast": (Price(bands=((0, 2, 2),)),)},
    )
    prices = PriceList((table((ANYBODY, own), name="mine"), table(("openai", listed), name="theirs")))
    found = prices.cost(response("m", input_tokens=1, web_searches=1))
    assert (total(found), found and found.price_table) == (12, "mine 1")
    found = prices.cost(response("m", input_tokens=1, at_ms=epoch_ms("2026-05-31T23:59:59Z")))
    assert (total(found), found and found.price_table) == (1, "theirs 1")
    assert total(prices.cost(response("m", input_tokens=1, tier="fast"))) == 2


def test_a_price_of_ones_own_holds_wherever_the_model_is_bought_unless_it_names_the_seller() -> None:
    listed = table(("anthropic", model_at(1, "m")), ("openrouter", model_at(2, "m")))
    anywhere = PriceList((table((ANYBODY, model_at(9, "m"))), listed))
    assert [
        total(anywhere.cost(response("m", input_tokens=1, provider=one))) for one in ("anthropic", "openrouter")
    ] == [
        *(9_000_000, 9_000_000),
    ]
    there = PriceList((table(("openrouter", model_at(9, "m"))), listed))
    assert [total(there.cost(response("m", input_tokens=1, provider=one))) for one in ("anthropic", "openrouter")] == [
        *(1_000_000, 9_000_000),
    ]


@given(st.randoms(use_true_random=False))
def test_neither_the_order_of_entries_nor_that_of_questions_changes_an_answer(chance: random.Random) -> None:
    models = [
        *(("anthropic", model_at(number, f"m{number}", f"m{number}-20260101")) for number in range(4)),
        *(("openrouter", model_at(10 + number, f"anthropic/m{number}", f"m{number}")) for number in range(3)),
        *(("google", model_at(20 + number, f"m{number}")) for number in range(6)),
    ]
    questions = [
        (f"{before}m{number}{after}", provider)
        for before in ("", "openrouter/anthropic/", "google/", "x/")
        for number in range(6)
        for after in ("", "-20260101", "[1m]", ":free")
        for provider in ("anthropic", "openrouter", "google", "corp")
    ]

    def answers(prices: PriceList, asked: list[tuple[str, str]]) -> dict[tuple[str, str], Costs | None]:
        return {(model, whose): prices.cost(response(model, provider=whose, input_tokens=1)) for model, whose in asked}

    expected = answers(PriceList((table(*models),)), questions)
    assert len({found and found.total_pico for found in expected.values()}) == 14
    assert answers(PriceList((table(*chance.sample(models, len(models))),)), chance.sample(questions, 50)).items() <= (
        expected.items()
    )


def test_prices_of_models_that_nobody_knows_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clown_daemon.usage.pricing._MOST_KNOWN", 3)
    prices = PriceList((table(("openai", model_at(1, "m"))),))
    for number in range(10):
        assert prices.cost(response(f"unknown-{number}")) is None
        assert total(prices.cost(response("m", input_tokens=1))) == 1_000_000
    assert len(prices._offers) <= 3


def test_the_shipped_table_prices_everything_in_whole_picodollars() -> None:
    shipped = shipped_table()
    assert sum(map(len, shipped.models.values())) > 1_500
    assert {"anthropic", "openai", "google", "openrouter", "bedrock", "vertex", "qwen", "groq"} <= set(shipped.models)
    for models in shipped.models.values():
        for model in models:
            assert "standard" in model.prices
            assert {shipped.label(model).split()[0]} <= {"genai-prices", "litellm"}


def test_rates_without_cached_ones_are_those_of_input() -> None:
    assert Rates.of((3, 15)) == Rates(3, 15, 3, 3, 3)
    assert Rates.of((3, 15, 1)) == Rates(3, 15, 1, 3, 3)
    assert Rates.of((3, 15, 1, 4)) == Rates(3, 15, 1, 4, 4)
    assert Rates.of((3, 15, 1, 4, 6)) == Rates(3, 15, 1, 4, 6)


@given(st.lists(st.integers(0, 100_000), min_size=5, max_size=5), st.integers(0, 5))
def test_the_total_is_the_exact_sum_of_its_parts(counts: list[int], searches: int) -> None:
    one, two, three, four, five = counts
    cost = PRICES.cost(spent("claude-opus-5", (one, two, three, four, five), web_searches=searches))
    assert cost is not None
    assert cost.total_pico == sum(cost[:4]) + searches * 10_000_000_000


def test_a_parsed_line_is_priced_as_it_stands() -> None:
    [found] = ClaudeParser().feed(line(tokens=(1000, 0, 0, 0)))
    assert total(PRICES.cost(found)) == 3_000_000_000
