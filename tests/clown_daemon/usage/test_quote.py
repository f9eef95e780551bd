from clown_daemon.usage.pricing import ModelPrices, Price, PriceList, Rates, Source, Table
from clown_daemon.usage.quote import clock, quote, usd_per_million, usd_per_thousand


def test_a_quote_has_a_line_for_each_tier_hour_and_size_that_holds_on_the_day() -> None:
    standard = (
        Price(bands=((0, 9, 9),)),
        Price(bands=((0, 1, 2), (200, 3, 4), (500, 5, 6)), valid_from="2026-03-13", web_search=7),
        Price(bands=((0, 8, 8),), hours=(60, 240)),
        Price(bands=((0, 9, 9),), valid_from="2027-01-01"),
    )
    model = ModelPrices(("m",), {"standard": standard, "fast": (Price(bands=((0, 2, 2),), valid_from="2026-06-01"),)})
    prices = PriceList((Table(date="", sources=(Source("test", "1"),), models={"openai": (model,)}),))
    lines = quote(prices, "m", None, "2026-03-13")
    assert [(line.tier, line.above, line.hours, line.rates.input, line.since) for line in lines] == [
        ("standard", 0, (60, 240), 8, None),
        ("standard", 0, None, 1, "2026-03-13"),
        ("standard", 200, None, 3, "2026-03-13"),
        ("standard", 500, None, 5, "2026-03-13"),
    ]
    assert (lines[1].rates, lines[1].web_search, lines[1].price_table) == (Rates(1, 2, 1, 1, 1), 7, "test 1")
    assert [line.tier for line in quote(prices, "m", None, "2026-06-01")][-1] == "fast"
    assert [line.rates.input for line in quote(prices, "m", None, "2026-03-12")] == [8, 9]
    assert [line.rates.input for line in quote(prices, "m", None, "2027-01-01")] == [9, 2]
    assert quote(prices, "n", None, "2027-01-01") == ()


def test_amounts_and_hours_are_written_for_people() -> None:
    assert [usd_per_million(pico) for pico in (0, 1, 300_000, 22_500_000, 10_000_000)] == [
        *("0", "0.000001", "0.3", "22.5", "10"),
    ]
    assert usd_per_thousand(10_000_000_000) == "10"
    assert clock((60, 1439)) == "01:00-23:59"
