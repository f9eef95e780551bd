"""Three counts of the same logs: what was billed, what Clown says, what ccusage says."""

from typing import NamedTuple

EQUAL_USD = 1e-9

Tokens = tuple[int, int, int, int]
"""Input without cache, output, cache writes, cache reads."""


class Reckoning(NamedTuple):
    """Tokens, and what they cost."""

    tokens: Tokens
    usd: float

    def told_against(self, billed: "Reckoning") -> str:
        """`equal`, or how far off."""
        named = zip(("input", "output", "cache writes", "cache reads"), self.tokens, billed.tokens, strict=True)
        off = [f"{name} {count - right:+,}" for name, count, right in named if count != right]
        if abs(self.usd - billed.usd) > EQUAL_USD:
            off.append(f"${self.usd - billed.usd:+.6f}")
        return ", ".join(off) or "equal"


class Row(NamedTuple):
    """One home.

    Attributes:
        clown: None where this daemon has no reader for the agent.
        faults: names of the minimal logs that explain the peer's difference.
    """

    agent: str
    name: str
    billed: Reckoning
    clown: Reckoning | None
    peer: Reckoning
    faults: tuple[str, ...]

    def same(self, other: Reckoning) -> bool:
        """Whether a count is what was billed."""
        return other.told_against(self.billed) == "equal"

    def clown_told(self) -> str:
        return "not read" if self.clown is None else self.clown.told_against(self.billed)

    def line(self) -> str:
        """For a terminal."""
        told = self.peer.told_against(self.billed)
        why = f"  ({'; '.join(self.faults)})" if told != "equal" else ""
        return f"{self.agent:9} {self.name:72} Clown: {self.clown_told()}   ccusage: {told}{why}"
