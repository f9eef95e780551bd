import pytest

from clown_daemon.usage.model_names import SELLERS
from clown_daemon.usage.pricing import ANYBODY, Price, Rates
from clown_daemon.usage.user_prices import PricesError, read_user_table

EVERYTHING = """
[[models."My-Model"]]
input = 3
output = 15.5
web_search = 10
long_context = [
    { above = 200_000, input = 6, output = 22.5, cache_read = 0.6 },
    { above = 500_000, input = 9, output = 30 },
]

[models."My-Model".fast]
input = 6
output = 31

[models."My-Model".batch]
input = 1.5
output = 7.75
web_search = 5

[[models."My-Model"]]
from = 2026-03-13
input = 2
output = 10
cache_read = 0.2
cache_write_5m = 2.5
cache_write_1h = 4

[[models."My-Model"]]
from = "2026-01-31"
input = 2.5
output = 10

[models.other]
provider = "x-ai"
input = 0
output = 0
"""


def test_a_file_may_say_everything_that_a_table_says() -> None:
    table = read_user_table(EVERYTHING)
    [model] = table.models[ANYBODY]
    assert (model.id, table.label(model)) == ("my-model", "user prices.toml")
    first, second, third = model.prices["standard"]
    assert first.web_search == 10_000_000_000
    assert [(above, Rates.of(rates)) for above, *rates in first.bands] == [
        (0, Rates(3_000_000, 15_500_000, 3_000_000, 3_000_000, 3_000_000)),
        (200_000, Rates(6_000_000, 22_500_000, 600_000, 6_000_000, 6_000_000)),
        (500_000, Rates(9_000_000, 30_000_000, 9_000_000, 9_000_000, 9_000_000)),
    ]
    assert [price.valid_from for price in (first, second, third)] == [None, "2026-01-31", "2026-03-13"]
    assert third.bands == ((0, 2_000_000, 10_000_000, 200_000, 2_500_000, 4_000_000),)
    assert model.prices["fast"] == (
        Price(bands=((0, 6_000_000, 31_000_000, 6_000_000, 6_000_000, 6_000_000),), web_search=10_000_000_000),
    )
    assert [price.web_search for price in model.prices["batch"]] == [5_000_000_000]
    assert "flex" not in model.prices
    assert [model.id for model in table.models["xai"]] == ["other"]


def test_a_write_of_an_hour_costs_what_one_of_five_minutes_does_where_it_is_left_out() -> None:
    [model] = read_user_table("[models.x]\ninput = 1\noutput = 2\ncache_write_5m = 3").models[ANYBODY]
    assert model.prices["standard"][0].bands == ((0, 1_000_000, 2_000_000, 1_000_000, 3_000_000, 3_000_000),)


def test_the_same_model_may_have_a_price_at_each_seller() -> None:
    text = "".join(f'[[models.m]]\nprovider = "{name}"\ninput = 1\noutput = 1\n' for name in SELLERS)
    assert set(read_user_table(text).models) == set(SELLERS)


def test_no_models_are_no_mistake() -> None:
    assert read_user_table("").models == {}
    assert read_user_table("[models]").models == {}


WHOLE = "input = 1\noutput = 2\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models = 3", "models is not a table"),
        ("[models]\nx = 3", "models.x is not a table"),
        ("[models.x]\ninput = 1", "models.x lacks output"),
        ("[models.x]", "models.x lacks input and output"),
        (f"[models.x]\n{WHOLE}outptu = 2", "unknown name models.x.outptu, did you mean output?"),
        (f"[models.x]\n{WHOLE}zzz = 2", "unknown name models.x.zzz"),
        ("[modles.x]\ninput = 1", "unknown name modles, did you mean models?"),
        (f"[models.x]\n{WHOLE}[models.x.fats]\n{WHOLE}", "unknown name models.x.fats, did you mean fast?"),
        (f"[models.x]\n{WHOLE}[models.x.fast]\ninptu = 1", "unknown name models.x.fast.inptu, did you mean input?"),
        (f"[models.x]\n{WHOLE}[models.x.fast]\ninput = 1", "models.x.fast lacks output"),
        (f"[models.x]\n{WHOLE}fast = 3", "models.x.fast is not a table"),
        ('[models.x]\ninput = "1"\noutput = 2', "models.x.input is no number of US dollars per million tokens"),
        ("[models.x]\ninput = true\noutput = 2", "models.x.input is no number of US dollars per million tokens"),
        ("[models.x]\ninput = -1\noutput = 2", "models.x.input is not between 0 and 10000"),
        ("[models.x]\ninput = 0.0000001\noutput = 2", "models.x.input has more decimals than are counted"),
        ("[models.x]\ninput = nan\noutput = 2", "models.x.input is not between 0 and 10000"),
        ("[models.x]\ninput = inf\noutput = 2", "models.x.input is not between 0 and 10000"),
        (f"[models.x]\n{WHOLE}web_search = 1001", "models.x.web_search is not between 0 and 1000"),
        (f"[models.x]\n{WHOLE}from = 3", "models.x.from is no day such as 2026-01-31"),
        (f"[models.x]\n{WHOLE}from = 2026-01-01T00:00:00Z", "models.x.from is no day such as 2026-01-31"),
        (f'[models.x]\n{WHOLE}from = "20260101"', "models.x.from is no day such as 2026-01-31"),
        (f'[models.x]\n{WHOLE}from = "2026-02-30"', "models.x.from: there is no day 2026-02-30"),
        (f"[models.x]\n{WHOLE}provider = 3", "models.x.provider is no text"),
        (f"[models.x]\n{WHOLE}long_context = 3", "models.x.long_context is not a list of tables"),
        (f"[models.x]\n{WHOLE}long_context = [3]", "models.x.long_context[1] is not a table"),
        (
            f"[models.x]\n{WHOLE}long_context = [{{ above = 0, input = 1, output = 1 }}]",
            "models.x.long_context[1].above is no number of tokens, each larger than the one before",
        ),
        (
            f"[models.x]\n{WHOLE}long_context = [{{ input = 1, output = 1 }}]",
            "models.x.long_context[1].above is no number of tokens, each larger than the one before",
        ),
        (
            f"[models.x]\n{WHOLE}long_context = [{{ abvoe = 1 }}]",
            "unknown name models.x.long_context[1].abvoe, did you mean above?",
        ),
        (
            f"[[models.x]]\n{WHOLE}[[models.x]]\n{WHOLE}",
            "models.x[2] is the second price of this model with no day to hold from",
        ),
        (
            f"[[models.x]]\nfrom = 2026-01-01\n{WHOLE}[[models.X]]\nfrom = 2026-01-01\n{WHOLE}",
            "models.X[1] is the second price of this model with the day 2026-01-01 to hold from",
        ),
        ("[models", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PricesError) as raised:
        read_user_table(text)
    assert str(raised.value) == sentence
