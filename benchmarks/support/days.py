"""The same responses by the days of a time zone: how many days a count has wrong."""

from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.support import ccusage
from tests.support.corpus.generate import Options, write_corpus
from tests.support.corpus.traps import Trap
from tests.support.corpus.truth import Truth

ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
RESPONSES = 1_500

Day = tuple[int, int, int]
"""Input without cache, cache writes, cache reads: what all count alike where they count right."""

WHY = {
    "claude": "dates a response by its last line, not by its first",
    "codex": "dates a response by the counter behind its tools, not by its usage record",
    "copilot": "dates a whole session by its end",
    "qwen": "counts what came from the cache a second time as input",
}
"""What ccusage does wrong with days."""


class DaysRow(NamedTuple):
    """One agent in one zone."""

    agent: str
    zone: str
    days: int
    off: int
    """How many of them ccusage has wrong."""

    @property
    def why(self) -> str:
        return WHY.get(self.agent, "") if self.off else ""


def compare(folder: Path, agent: str, without: frozenset[Trap]) -> tuple[DaysRow, ...]:
    """Write sessions around midnights and changes of clocks, and compare their days in each zone."""
    home = folder / f"days-{agent}"
    truth = write_corpus(home, Options(agents=(agent,), responses=RESPONSES, without=without)).truth
    return tuple(_row(home, agent, zone, truth) for zone in ZONES)


def _row(home: Path, agent: str, zone: str, truth: Truth) -> DaysRow:
    billed = {day.isoformat(): _day(totals.tokens) for day, totals in truth.by_day(ZoneInfo(zone)).items()}
    report = ccusage.daily(ccusage.required(), home, zone).report
    counted = {day: _day(told.tokens) for day, told in ccusage.by_day(report, agent).items()}
    off = sum(billed.get(day) != counted.get(day) for day in billed.keys() | counted.keys())
    return DaysRow(agent, zone, len(billed), off)


def _day(tokens: tuple[int, int, int, int]) -> Day:
    counts, _, written, read = tokens
    return counts, written, read
