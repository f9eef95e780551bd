"""A broken promise, in words and with the entries that show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tests.support.chaos.history import AnyEntry

SHOWN = 8
"""The most violations of one property that are told in full."""
SHOWN_ENTRIES = 6
SHOWN_CHARACTERS = 600
"""The most of one entry."""


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    words: str
    entries: Sequence[AnyEntry] = ()

    def __str__(self) -> str:
        lines = [self.words]
        lines += [
            f"      {msgspec.json.encode(entry).decode()[:SHOWN_CHARACTERS]}" for entry in self.entries[:SHOWN_ENTRIES]
        ]
        return "\n".join(lines)


def same_json(one: str, other: str) -> bool:
    """Whether two JSON texts say the same."""
    return one == other or bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def report(found: Mapping[str, Sequence[Violation]]) -> str:
    """Tell all violations, by property."""
    lines: list[str] = []
    for name, violations in found.items():
        lines.append(f"not {name}: {len(violations)} violations")
        lines += [f"  - {violation}" for violation in violations[:SHOWN]]
        if len(violations) > SHOWN:
            lines.append(f"  - ... and {len(violations) - SHOWN} more")
    return "\n".join(lines)
