import datetime as dt
import importlib.metadata
import json
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from clown_daemon.usage.prices.generate import IN_WHEEL, main
from clown_daemon.usage.prices.tables import decode_table
from clown_daemon.usage.pricing import PriceList

OPENAI = SimpleNamespace(
    id="openai",
    models=[
        SimpleNamespace(
            id="gpt-x",
            match=SimpleNamespace(or_=[SimpleNamespace(equals="gpt-x"), SimpleNamespace(starts_with="gpt-x-turbo")]),
            name=None,
            prices=[
                SimpleNamespace(
                    constraint=None, prices=SimpleNamespace(input_mtok=Decimal(3), output_mtok=Decimal(15))
                ),
                SimpleNamespace(
                    constraint=SimpleNamespace(start_date=dt.date(2026, 3, 13)),
                    prices=SimpleNamespace(
                        input_mtok=SimpleNamespace(
                            base=Decimal("0.1"), tiers=[SimpleNamespace(start=200, price=Decimal("0.2"))]
                        ),
                        output_mtok=Decimal(1),
                    ),
                ),
            ],
            price_variants=[
                SimpleNamespace(when={"speed": "fast"}, prices=SimpleNamespace(input_mtok=Decimal(9)), constraint=None)
            ],
        ),
        SimpleNamespace(
            id="gpt-odd",
            match=SimpleNamespace(equals="gpt-odd"),
            prices=SimpleNamespace(input_mtok=Decimal("0.0833333333"), output_mtok=Decimal(1)),
            price_variants=None,
        ),
    ],
)


def second(seller: str, usd: float) -> dict[str, object]:
    return {
        "litellm_provider": seller,
        "mode": "chat",
        "input_cost_per_token": usd,
        "output_cost_per_token": usd,
    }


SECOND = {
    "gpt-x": second("openai", 1e-3),
    "gpt-x-20260101": second("openai", 1e-3),
    "gpt-y": second("openai", 2e-6),
    "azure/gpt-y": second("azure", 2e-6),
    "fireworks_ai/old": second("fireworks_ai", 2e-6),
}


def test_a_release_has_the_first_source_and_the_second_for_what_that_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data", SimpleNamespace(providers=[OPENAI]))
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "9.8.7")
    wheel = tmp_path / "litellm-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr(IN_WHEEL, json.dumps(SECOND))
    main(wheel, tmp_path / "table.json")
    table = decode_table((tmp_path / "table.json").read_bytes())
    assert [(source.name, source.version) for source in table.sources] == [
        ("genai-prices", "9.8.7"),
        ("litellm", "1.2.3"),
    ]
    assert {seller: [model.id for model in models] for seller, models in table.models.items()} == {
        "openai": ["gpt-x", "gpt-y"]
    }
    first, second = table.models["openai"]
    assert first.names == ("gpt-x", "gpt-x-turbo")
    assert [price.bands for price in first.prices["standard"]] == [
        ((0, 3_000_000, 15_000_000),),
        ((0, 100_000, 1_000_000), (200, 200_000, 1_000_000)),
    ]
    assert [price.bands[0][1] for price in first.prices["fast"]] == [9_000_000, 9_000_000]
    assert (second.origin, second.prices["standard"][0].bands) == ("litellm", ((0, 2_000_000, 2_000_000),))
    assert [match.model.id for match in PriceList((table,)).find("gpt-y", "azure")] == ["gpt-y"]
    said = capsys.readouterr().out
    assert "left out: openai gpt-odd: 0.0833333333 US dollars per 1,000,000 is no whole number of picodollars\n" in said
    assert "1 models of genai-prices and 1 of LiteLLM in " in said


def test_what_the_table_was_made_of_is_said_beside_it_with_the_licenses() -> None:
    notice = Path(sys.modules["clown_daemon.usage.prices"].__path__[0], "NOTICE.md").read_text(encoding="utf-8")
    for holder in ("Pydantic Services Inc. 2025 to present", "(c) 2023 Berri AI"):
        assert holder in notice
    assert notice.count("The above copyright notice and this permission notice shall be included in all") == 2
