from decimal import Decimal

import pytest

from clown_daemon.usage.prices.rates import PriceDataError, band, completed, picodollars
from clown_daemon.usage.pricing import Rates


@pytest.mark.parametrize(
    ("usd", "units", "pico"),
    [
        (Decimal(3), 10**6, 3_000_000),
        (Decimal("0.000001"), 10**6, 1),
        (Decimal("3e-06"), 1, 3_000_000),
        (Decimal(10), 1000, 10**10),
        (0, 10**6, 0),
        (0.1, 10**6, 100_000),
    ],
)
def test_prices_become_exact_picodollars(usd: object, units: int, pico: int) -> None:
    assert picodollars(usd, units) == pico


@pytest.mark.parametrize(
    ("usd", "sentence"),
    [
        (
            Decimal("0.0833333333333333"),
            "0.0833333333333333 US dollars per 1,000,000 is no whole number of picodollars",
        ),
        (Decimal(-1), "-1 US dollars per 1,000,000 is no sane price"),
        (Decimal("NaN"), "NaN US dollars per 1,000,000 is no sane price"),
        (Decimal("Infinity"), "Infinity US dollars per 1,000,000 is no sane price"),
        (Decimal(10_001), "10001 US dollars per 1,000,000 is no sane price"),
        ("dear", "'dear' is no price"),
        (True, "True is no price"),
        (None, "None is no price"),
    ],
)
def test_what_is_no_price_is_refused_with_a_sentence(usd: object, sentence: str) -> None:
    with pytest.raises(PriceDataError) as raised:
        picodollars(usd, 10**6)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        ((3, 15, 3, 3, 3), (0, 3, 15)),
        ((3, 15, 1, 3, 3), (0, 3, 15, 1)),
        ((3, 15, 3, 4, 4), (0, 3, 15, 3, 4)),
        ((3, 15, 1, 4, 6), (0, 3, 15, 1, 4, 6)),
        ((3, 15, 3, 4, 3), (0, 3, 15, 3, 4, 3)),
    ],
)
def test_a_band_leaves_out_what_goes_without_saying(
    rates: tuple[int, int, int, int, int], kept: tuple[int, ...]
) -> None:
    assert band(0, rates) == kept
    assert Rates.of(kept[1:]) == Rates(*rates)


def test_missing_rates_are_completed_and_input_and_output_are_needed() -> None:
    assert completed("m", [3, 15, None, None, None]) == Rates(3, 15, 3, 3, 3)
    assert completed("m", [3, 15, None, 4, None]) == Rates(3, 15, 3, 4, 4)
    assert completed("m", [3, 15, 0, 0, 0]) == Rates(3, 15, 0, 0, 0)
    assert completed("a/Claude-x", [3, 15, None, 4, None]) == Rates(3, 15, 3, 4, 6)
    assert completed("claude-x", [3, 15, None, 4, 5]) == Rates(3, 15, 3, 4, 5)
    assert completed("claude-x", [3, 15, None, None, None]) == Rates(3, 15, 3, 3, 3)
    with pytest.raises(PriceDataError, match="without input or output"):
        completed("m", [3, None, None, None, None])
