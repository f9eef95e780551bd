from pathlib import Path

import pytest

from clown_daemon.usage.price_files import PricesError, load_prices, read_user_table
from clown_daemon.usage.pricing import Rates

OWN = """
[models."My-Model"]
input = 3
output = 15.5

[models."claude-sonnet-4-5"]
input = 1
output = 2
cache_read = 0.1
cache_write_5m = 0.000001
cache_write_1h = 0
"""


def test_without_a_file_the_shipped_table_serves(tmp_path: Path) -> None:
    prices, problems = load_prices(tmp_path / "prices.toml")
    assert problems == ()
    assert prices.find("claude-opus-5") is not None


def test_the_users_prices_win_whatever_date_the_model_carries(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(OWN, encoding="utf-8")
    prices, problems = load_prices(tmp_path / "prices.toml")
    assert problems == ()
    found = prices.find("claude-sonnet-4-5-20250929")
    assert found is not None
    label, model = found
    assert label == "user prices.toml"
    assert model.prices[0].tiers[0].rates == Rates(1_000_000, 2_000_000, 100_000, 1, 0)
    own = prices.find("my-model")
    assert own is not None
    assert own[1].prices[0].tiers[0].rates == Rates(3_000_000, 15_500_000, 3_000_000, 3_000_000, 3_000_000)
    assert prices.find("claude-opus-5") is not None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models = 3", "models is not a table"),
        ("[models.x]\ninput = 1", "models.x lacks output"),
        ("[models.x]\ninput = 1\noutptu = 2", "unknown name models.x.outptu, did you mean output?"),
        ("[modles.x]\ninput = 1", "unknown name modles, did you mean models?"),
        ('[models.x]\ninput = "1"\noutput = 2', "models.x.input is no number of US dollars per million tokens"),
        ("[models.x]\ninput = true\noutput = 2", "models.x.input is no number of US dollars per million tokens"),
        ("[models.x]\ninput = -1\noutput = 2", "models.x.input is not between 0 and 10000"),
        ("[models.x]\ninput = 0.0000001\noutput = 2", "models.x.input has more than six decimals"),
        ("[models.x]\ninput = nan\noutput = 2", "models.x.input is not between 0 and 10000"),
        ("[models", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(PricesError) as raised:
        read_user_table(text)
    assert str(raised.value) == sentence
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    prices, problems = load_prices(path)
    assert problems == (f"your prices in {path} are not used: {sentence}",)
    assert prices.find("claude-opus-5") is not None


def test_a_file_that_cannot_be_read_is_a_problem_and_no_end(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").mkdir()
    _, problems = load_prices(tmp_path / "prices.toml")
    assert problems == (f"your prices in {tmp_path / 'prices.toml'} are not used: Is a directory",)
