import json
from typing import Any

import pytest

from clown_daemon.usage.prices.genai import entries
from clown_daemon.usage.prices.genai_data import decode_providers
from clown_daemon.usage.prices.rates import PriceDataError
from clown_daemon.usage.pricing import ModelPrices, Price


def published(*models: dict[str, Any], seller: str = "openai") -> bytes:
    return json.dumps([{"id": seller, "name": "n", "api_pattern": "p", "models": models}]).encode()


def model(name: str, prices: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices, **more}


def converted(content: bytes) -> dict[str, ModelPrices]:
    left_out: list[str] = []
    found = {model.id: model for _, model in entries(decode_providers(content), left_out)}
    assert left_out == []
    return found


def standard(prices: Any, **more: Any) -> tuple[Price, ...]:
    return converted(published(model("m", prices, **more)))["m"].prices["standard"]


IN_OUT = {"input_mtok": 3, "output_mtok": 15}


def test_a_price_is_read_exactly() -> None:
    prices = {
        **IN_OUT,
        "cache_read_mtok": 0.3,
        "cache_write_mtok": 3.75,
        "cache_write_1h_mtok": 6,
        "web_searches_kcount": 10,
    }
    assert standard(prices) == (
        Price(bands=((0, 3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000),), web_search=10_000_000_000),
    )


def test_sizes_of_requests_become_bands_and_a_class_without_sizes_keeps_its_price() -> None:
    prices = {
        "input_mtok": {"base": 3, "tiers": [{"start": 500_000, "price": 9}, {"start": 200_000, "price": 6}]},
        "output_mtok": 15,
        "cache_read_mtok": {"base": 0.3, "tiers": [{"start": 200_000, "price": 0.6}]},
    }
    [price] = standard(prices)
    assert price.bands == (
        (0, 3_000_000, 15_000_000, 300_000),
        (200_000, 6_000_000, 15_000_000, 600_000),
        (500_000, 9_000_000, 15_000_000, 600_000),
    )


def test_of_dated_prices_the_last_that_holds_is_right_and_the_first_where_none_does() -> None:
    first, second = standard(
        [
            {"constraint": {"start_date": "2025-01-01"}, "prices": IN_OUT},
            {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 1, "output_mtok": 2}},
        ]
    )
    assert (first.valid_from, second.valid_from) == (None, "2026-03-13")
    assert second.bands == ((0, 1_000_000, 2_000_000),)


def test_prices_by_the_hour_of_the_day_are_kept_and_those_that_never_count_left_out() -> None:
    peak = {"start_time": "01:00:00Z", "end_time": "04:30:00+00:00"}
    found = standard(
        [
            {"prices": {"input_mtok": 9, "output_mtok": 9}},
            {"prices": IN_OUT},
            {"constraint": peak, "prices": {"input_mtok": 6, "output_mtok": 30}},
        ]
    )
    assert [(price.hours, price.bands[0][1]) for price in found] == [(None, 3_000_000), ((60, 270), 6_000_000)]


def test_variants_become_tiers_that_override_single_prices_from_their_day_on() -> None:
    found = converted(
        published(
            model(
                "m",
                [
                    {"prices": {**IN_OUT, "cache_read_mtok": 0.3}},
                    {"constraint": {"start_date": "2027-01-01"}, "prices": {**IN_OUT, "cache_read_mtok": 2}},
                ],
                price_variants=[
                    {"when": {"service_tier": "default"}, "prices": {}},
                    {"when": {"speed": "fast"}, "prices": {"input_mtok": 6, "output_mtok": 30}},
                    {
                        "when": {"processing": "batch"},
                        "constraint": {"start_date": "2026-12-01"},
                        "prices": {"input_mtok": 1},
                    },
                    {
                        "when": {"processing": "batch"},
                        "constraint": {"start_date": "2026-10-14"},
                        "prices": {"input_mtok": 2, "output_mtok": 7},
                    },
                    {"when": {"service_tier": "flex", "region": "eu"}, "prices": {"input_mtok": 1}},
                ],
            )
        )
    )["m"].prices
    assert list(found) == ["standard", "fast", "batch"]
    assert [(price.valid_from, price.bands[0][1:]) for price in found["fast"]] == [
        (None, (6_000_000, 30_000_000, 300_000)),
        ("2027-01-01", (6_000_000, 30_000_000, 2_000_000)),
    ]
    assert [(price.valid_from, price.bands[0][1:]) for price in found["batch"]] == [
        ("2026-10-14", (2_000_000, 7_000_000, 300_000)),
        ("2026-12-01", (1_000_000, 7_000_000, 300_000)),
        ("2027-01-01", (1_000_000, 7_000_000, 2_000_000)),
    ]


def test_the_long_context_of_sonnet_4_5_ended_although_its_data_has_no_day() -> None:
    tiered = {"input_mtok": {"base": 3, "tiers": [{"start": 200_000, "price": 6}]}, "output_mtok": 15}
    variant = {
        "when": {"processing": "batch"},
        "constraint": {"start_date": "2026-10-14"},
        "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 200_000, "price": 2}]}, "output_mtok": 7},
    }
    content = published(model("claude-sonnet-4-5", tiered, price_variants=[variant]), seller="anthropic")
    prices = converted(content)["claude-sonnet-4-5"].prices
    assert [(price.valid_from, len(price.bands)) for price in prices["standard"]] == [(None, 2), ("2026-04-30", 1)]
    assert [(price.valid_from, len(price.bands)) for price in prices["batch"]] == [("2026-10-14", 1)]


def test_names_that_rules_spell_out_go_to_the_first_model_whose_rule_they_meet() -> None:
    found = converted(
        published(
            model("gpt-x-mini", IN_OUT),
            {
                "id": "GPT-X",
                "match": {
                    "or": [
                        {"starts_with": "gpt-x-"},
                        {"equals": "GPT-X"},
                        {"and": [{"contains": "gptx"}, {"regex": "^(?!.*tts)"}]},
                        {"ends_with": "/gpt-x-turbo"},
                        {"starts_with": "gpt-x-2026"},
                    ]
                },
                "prices": IN_OUT,
            },
            {"id": "gpt-x-tts", "match": {"equals": "gpt-x-tts"}, "prices": IN_OUT},
        )
    )
    assert {name: model.names for name, model in found.items()} == {
        "gpt-x-mini": ("gpt-x-mini",),
        # The beginning of a name is a name that a date follows; a rule's other names are for nobody to guess.
        "gpt-x": ("gpt-x", "gpt-x-tts", "gpt-x-turbo", "gptx"),
    }


def test_googles_list_is_googles_own_and_vertex_ais() -> None:
    content = published(model("gemini-x", IN_OUT), model("claude-x", IN_OUT), seller="google")
    assert [(seller, found.id) for seller, found in entries(decode_providers(content), [])] == [
        ("google", "gemini-x"),
        ("vertex", "claude-x"),
    ]


def test_sellers_that_are_not_known_and_models_that_are_not_billed_by_tokens_are_not_there() -> None:
    assert converted(published(model("m", IN_OUT), seller="somebody-else")) == {}
    assert converted(published(model("tts", {"input_mchars": 15}), model("embed", {"input_mtok": 1}))) == {}


def test_nothing_to_pay_is_the_price_of_free_variants_alone() -> None:
    found = converted(published(model("a/m:free", {}), model("a/m", {}), seller="openrouter"))
    assert {name: found[name].prices["standard"] for name in found} == {"a/m:free": (Price(bands=((0, 0, 0),)),)}


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({**IN_OUT, "cache_write_mtok": 0.0833333333}, "0.0833333333 US dollars per 1,000,000 is no whole number of"),
        ({**IN_OUT, "input_mtok": -1}, "-1 US dollars per 1,000,000 is no sane price"),
        ({**IN_OUT, "input_mtok": 20_000}, "20000 US dollars per 1,000,000 is no sane price"),
        ({**IN_OUT, "requests_kcount": 5}, "it is not billed by its tokens of text alone"),
        ({**IN_OUT, "output_image_mtok": 5}, "it is not billed by its tokens of text alone"),
        ([], "a list of no prices"),
        ([{"prices": IN_OUT, "constraint": {}}], "a price under an unknown condition"),
        (
            [{"prices": IN_OUT, "constraint": {"start_time": "01:00:30Z", "end_time": "02:00:00Z"}}],
            "'01:00:30Z' is no whole minute of a UTC day",
        ),
    ],
)
def test_a_model_whose_price_cannot_be_told_exactly_is_left_out_and_named(prices: Any, reason: str) -> None:
    left_out: list[str] = []
    content = published(model("m", prices), model("other", IN_OUT))
    assert [found.id for _, found in entries(decode_providers(content), left_out)] == ["other"]
    [sentence] = left_out
    assert sentence.startswith(f"openai m: {reason}")


def test_a_variant_by_the_hour_is_left_out_with_its_model() -> None:
    left_out: list[str] = []
    by_hour = {"start_time": "01:00:00Z", "end_time": "02:00:00Z"}
    variant = {"when": {"speed": "fast"}, "constraint": by_hour, "prices": {}}
    assert list(entries(decode_providers(published(model("m", IN_OUT, price_variants=[variant]))), left_out)) == []
    assert left_out == ["openai m: a variant by the hour of the day"]


def test_the_newer_format_has_the_providers_within_an_object() -> None:
    content = b'{"units": {}, "providers": ' + published(model("m", IN_OUT)) + b"}"
    assert set(converted(content)) == {"m"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{}",
        b'[{"id": "openai"}]',
        b'[{"id": "openai", "models": [{"id": "m", "match": {"like": "m"}, "prices": {}}]}]',
        b'[{"id": "openai", "models": [{"id": "m", "match": {"regex": "("}, "prices": {}}]}]',
        b'[{"id": "openai", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": true}}]}]',
        b"[" * 100_000,
    ],
)
def test_other_data_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(PriceDataError, match="this is no data of genai-prices: "):
        decode_providers(content)
