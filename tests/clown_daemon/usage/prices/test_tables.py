import pytest

from clown_daemon.usage.prices.rates import PriceDataError
from clown_daemon.usage.prices.tables import changes, check_table, decode_table, encode_table, table_of
from clown_daemon.usage.pricing import ModelPrices, Price, Source, Table

SOURCES = (Source("genai-prices", "1", "MIT"), Source("litellm", "2", "MIT"))


def model(*names: str, usd: int = 1, tier: str = "standard", origin: str | None = None) -> ModelPrices:
    return ModelPrices(names, {tier: (Price(bands=((0, usd, usd),)),)}, origin)


def table(*models: tuple[str, ModelPrices]) -> Table:
    return table_of("2026-11-23", SOURCES, models)


def test_a_table_is_read_as_it_was_written_a_line_for_each_model() -> None:
    dated = Price(bands=((0, 1, 2, 3), (200, 4, 5)), valid_from="2026-01-31", hours=(60, 240), web_search=6)
    written = table(
        ("openai", ModelPrices(("b", "a"), {"standard": (dated,), "fast": (dated,)}, "litellm")),
        ("anthropic", model("c")),
        ("openai", model("a-model")),
    )
    content = encode_table(written)
    assert decode_table(content) == written
    assert list(written.models) == ["anthropic", "openai"]
    assert [found.id for found in written.models["openai"]] == ["a-model", "b"]
    assert sum(line.startswith(b'{"names"') for line in content.splitlines()) == 3
    assert [written.label(found) for found in written.models["openai"]] == [
        "genai-prices 1 (2026-11-23)",
        "litellm 2 (2026-11-23)",
    ]


def test_names_that_are_found_by_a_shorter_one_anyway_are_left_out() -> None:
    found = table(
        ("openai", model("gpt-x-latest", "gpt-x", "gpt-x-20260101", "gpt-x-20260101[1m]", "x-gpt")),
        ("openai", model("gpt-x-20270101")),
        ("bedrock", model("us.openai.gpt-x", "gpt-x", "gpt-x-v1:0")),
    )
    assert {names.id: names.names for names in found.models["openai"]} == {
        "gpt-x-20270101": ("gpt-x-20270101",),
        "gpt-x-latest": ("gpt-x-latest", "gpt-x", "x-gpt"),
    }
    assert found.models["bedrock"][0].names == ("us.openai.gpt-x", "gpt-x")


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (
            (("openai", model("m")), ("openai", model("n", "m"))),
            "openai n: the name m is not its own, or not in lower case",
        ),
        ((("openai", model("M")),), "openai M: the name M is not its own, or not in lower case"),
        ((("openai", model("m", tier="slow")),), "openai m: slow is no service tier"),
        (
            (("openai", ModelPrices(("m",), {"standard": (Price(bands=((1, 1, 1),)),)})),),
            "openai m: its thresholds do not ascend from 0",
        ),
        (
            (("openai", ModelPrices(("m",), {"standard": (Price(bands=((0, 1, 1), (0, 2, 2))),)})),),
            "openai m: its thresholds do not ascend from 0",
        ),
        ((("openai", ModelPrices(("m",), {"standard": (Price(bands=()),)})),), "its thresholds do not ascend from 0"),
        (
            (("openai", ModelPrices(("m",), {"standard": (Price(bands=((0, 1, 1),), valid_from="2026-02-30"),)})),),
            "'2026-02-30' is no day",
        ),
    ],
)
def test_an_unsound_table_is_refused_with_a_sentence(
    models: tuple[tuple[str, ModelPrices], ...], sentence: str
) -> None:
    with pytest.raises(PriceDataError, match=sentence):
        table(*models)


def test_a_name_may_be_a_models_at_each_seller() -> None:
    check_table(table(("openai", model("m")), ("azure", model("m"))))


def test_what_changed_is_told_by_the_prices_that_served_before() -> None:
    shipped = table(
        ("openai", model("same")),
        ("openai", model("repriced")),
        ("openai", model("removed")),
        ("openai", model("second", origin="litellm")),
    )
    new = table(
        ("openai", model("same")),
        ("openai", model("repriced", usd=2)),
        ("openai", model("added")),
        # Listed anew, but at the price that its maker's list said anyway.
        ("openrouter", model("openai/same")),
        ("openrouter", model("openai/repriced", usd=1)),
    )
    assert changes([shipped], new) == (("openai added",), ("openai removed",), ("openai repriced",))
    assert changes([new, shipped], new) == ((), (), ())
