import pytest

from clown_daemon.usage.prices.resellers import shadowed, split_by_price
from clown_daemon.usage.pricing import ModelPrices, Price

MAKERS = Price(bands=((0, 3, 15, 1, 4, 6), (200, 6, 30, 2, 8, 12)), web_search=10)
OLD = Price(bands=((0, 9, 9),))
MADE = (
    "anthropic",
    ModelPrices(("claude-x",), {"standard": (OLD, MAKERS), "fast": (MAKERS,)}),
)


def listed(
    *bands: tuple[int, ...], seller: str = "openrouter", name: str = "anthropic/claude-x"
) -> tuple[str, ModelPrices]:
    return seller, ModelPrices((name,), {"standard": (Price(bands=bands),)})


@pytest.mark.parametrize(
    "bands",
    [
        MAKERS.bands,
        ((0, 3, 15), (200, 6, 30)),
        ((0, 3, 15, 1, 4), (200, 6, 30, 2)),
    ],
)
def test_who_says_nothing_but_the_makers_price_has_the_makers_whole_list(bands: tuple[tuple[int, ...], ...]) -> None:
    own, at_makers_price = split_by_price([MADE, listed(*bands)])
    assert own == [MADE]
    assert at_makers_price == [("openrouter", ModelPrices(("anthropic/claude-x",), MADE[1].prices))]


@pytest.mark.parametrize(
    ("seller", "model"),
    [
        listed((0, 3, 15)),
        listed((0, 3, 16), (200, 6, 30)),
        listed((0, 3, 15), (100, 6, 30)),
        listed((0, 3, 15, 2), (200, 6, 30)),
        listed(*MAKERS.bands, seller="zai"),
        listed(*MAKERS.bands, name="anthropic/claude-y"),
        ("openrouter", ModelPrices(("anthropic/claude-x",), {"standard": (OLD, MAKERS)})),
    ],
)
def test_another_price_is_ones_own(seller: str, model: ModelPrices) -> None:
    own, at_makers_price = split_by_price([MADE, (seller, model)])
    assert own == [MADE, (seller, model)]
    assert at_makers_price == []


def test_what_would_be_taken_for_another_model_of_its_seller_is_listed_all_the_same() -> None:
    regional = listed((0, 4, 16), seller="bedrock", name="anthropic.claude-x")
    dated = listed(*MAKERS.bands, seller="bedrock", name="anthropic.claude-x-20260101")
    elsewhere = listed(*MAKERS.bands, seller="bedrock", name="global.anthropic.claude-x")
    own, at_makers_price = split_by_price([MADE, regional, dated, elsewhere])
    assert own == [MADE, regional]
    assert [model.id for _, model in shadowed(own, at_makers_price)] == ["anthropic.claude-x-20260101"]
