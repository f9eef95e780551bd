"""The bulk of real logs: what tools printed. A few texts are drawn once and repeated, so that gigabytes cost no time.

Texts stand as JSON strings already; some speak of usage, as the output of a tool that shows a log would.
"""

from random import Random

import msgspec

POOL = 48

_WORDS = (
    *("def", "return", "self", "import", "the", "value", "for", "line", "test", "error", "src/app/main.py", "assert"),
    *("0x7f", "None", "ok", "\t", "\n", "\n    ", '"usage":', "input_tokens", "{", "}", "“", "naïve", "→", "日本"),
)


class Filler:
    """Answers texts whose sizes vary as those of tools do: most are small, a few are large."""

    def __init__(self, random: Random, mean_bytes: int) -> None:
        self._random = random
        self._pool = [_text(random, mean_bytes) for _ in range(POOL)] if mean_bytes else [msgspec.Raw(b'"ok"')]

    def draw(self) -> msgspec.Raw:
        return self._random.choice(self._pool)


def _text(random: Random, mean_bytes: int) -> msgspec.Raw:
    wanted = int(min(random.expovariate(1 / mean_bytes), 12 * mean_bytes))
    words: list[str] = []
    size = 0
    while size < wanted:
        words.append(random.choice(_WORDS))
        size += len(words[-1]) + 1
    return msgspec.Raw(msgspec.json.encode(" ".join(words)))
