"""Data as genai-prices publishes it, small: three makers, a router, and a price that is no whole number."""

import json
from typing import Any


def published(*, without: str = "", gpt_usd: float = 3) -> bytes:
    """The data, without one of its sellers, or with another price of `gpt-x`."""
    providers = [
        _seller("anthropic", _model("claude-x", input_mtok=3, output_mtok=15, cache_write_1h_mtok=6)),
        _seller("openai", _model("gpt-x", input_mtok=gpt_usd, output_mtok=15)),
        _seller("google", _model("gemini-x", input_mtok=1, output_mtok=2)),
        _seller(
            "openrouter",
            _model("anthropic/claude-x", input_mtok=3, output_mtok=15),
            _model("google/gemini-x", input_mtok=1, output_mtok=2, cache_write_mtok=0.0833333),
        ),
    ]
    return json.dumps([one for one in providers if one["id"] != without]).encode()


def _seller(name: str, *models: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "name": name, "api_pattern": name, "models": models}


def _model(name: str, **prices: float) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": prices}


PUBLISHED = published()
