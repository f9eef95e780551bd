"""Write `table.json` from the data of genai-prices, and LiteLLM's for what that lacks. For maintainers, at a release.

    pip install genai-prices && pip download --no-deps litellm
    python -m clown_daemon.usage.prices.generate litellm-*.whl

Neither is needed at run time: importing the first costs 0.3 seconds and 27 MB, one of its price calculations 0.16 ms;
importing the second costs 3 seconds and 150 MB, so that of it only the JSON file in the wheel is read.
"""

import datetime as dt
import importlib
import importlib.metadata
import json
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from clown_daemon.usage.model_names import CLOUD, ROUTER, forms
from clown_daemon.usage.prices import genai, litellm
from clown_daemon.usage.prices.genai_data import ProviderData, decode_providers
from clown_daemon.usage.prices.resellers import shadowed, split_by_price
from clown_daemon.usage.prices.tables import encode_table, table_of
from clown_daemon.usage.pricing import ModelPrices, Source

LICENSE = "MIT, see NOTICE.md"
FIRST_SUFFICES = frozenset({"fireworks", "deepinfra"})
"""Whose models the second source is not asked for: hundreds that no agent uses."""
ELSEWHERE = frozenset({CLOUD, ROUTER})
"""Without this a name may be another model's: the first source lacks a name if it has it only so."""
IN_WHEEL = "litellm/model_prices_and_context_window_backup.json"


def main(wheel: Path, target: Path) -> None:
    """Write the table to a file, and print what is in it and what was left out."""
    library: Any = importlib.import_module("genai_prices.data")
    with zipfile.ZipFile(wheel) as files:
        second = json.loads(files.read(IN_WHEEL), parse_float=Decimal)
    left_out: list[str] = []
    models = merged(_published(library), second, left_out)
    sources = (
        Source("genai-prices", importlib.metadata.version("genai-prices"), LICENSE),
        Source(litellm.ORIGIN, wheel.name.split("-")[1], LICENSE),
    )
    target.write_bytes(encode_table(table_of(dt.datetime.now(dt.UTC).date().isoformat(), sources, models)))
    of_second = sum(model.origin == litellm.ORIGIN for _, model in models)
    sys.stdout.write("".join(f"left out: {line}\n" for line in left_out))
    sys.stdout.write(f"{len(models) - of_second} models of genai-prices and {of_second} of LiteLLM in {target}\n")


def merged(
    first: Iterable[ProviderData], second: Mapping[str, Mapping[str, Any]], left_out: list[str]
) -> list[tuple[str, ModelPrices]]:
    """Put the models of both sources together, but for what resellers sell at the maker's price.

    Args:
        first: the data of genai-prices.
        second: LiteLLM's table.
        left_out: gets a line for each model whose price cannot be told exactly.
    """
    models = list(genai.entries(first, left_out))
    known = {(seller, name) for seller, model in models for name in model.names}
    lacking = [
        (seller, model)
        for seller, model in litellm.entries(second, left_out)
        if seller not in FIRST_SUFFICES
        and not any((seller, form.name) in known for form in forms(model.id) if not ELSEWHERE & {*form.dropped})
    ]
    own, at_makers_price = split_by_price((*models, *lacking))
    return [*own, *shadowed(own, at_makers_price)]


def _published(library: Any) -> Sequence[ProviderData]:
    """Read the library's objects as what its published JSON has in their place."""
    providers = [{"id": provider.id, "models": _plain(provider.models)} for provider in library.providers]
    return decode_providers(msgspec.json.encode(providers))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict) or hasattr(value, "__dict__"):
        fields = value if isinstance(value, dict) else vars(value)
        return {name.rstrip("_"): _plain(one) for name, one in fields.items() if one is not None}
    return value


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).with_name("table.json"))
