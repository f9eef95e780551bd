"""`docs/accuracy.md`: the comparison as a page, with the smallest file for each difference."""

from benchmarks.support.ccusage import VERSION
from benchmarks.support.days import DaysRow
from benchmarks.support.minimal_logs import CASES, Case, shown
from benchmarks.support.reckoning import Row

HEAD = f"""\
# Accuracy: Clown and ccusage on the same logs

`python -m benchmarks accuracy --page docs/accuracy.md` writes this page. It compares three counts of the same logs:
what was billed (`tests/support/corpus` tells it while it writes the logs), what a fresh daemon says (`GET /api/usage`),
and what `ccusage daily --offline` {VERSION} says. Tokens are compared as integers in four classes (input without cache,
output with reasoning, cache writes, cache reads), costs to 10⁻⁹ dollars.

Where ccusage differs, the fault has a name, and [the smallest file](#the-smallest-files) that shows it. Prices that it
does not know count as $0 there; here they have no cost, and are listed.

## Every trap of the corpus

One home each, with the logs of one agent.

| agent | what the logs hold | Clown | ccusage | why |
|---|---|---|---|---|
"""
DAYS = """
## Days

Sessions around the midnights of three zones and the days whose clocks change, without the traps that ccusage has wrong
above; tokens of a day but for the output. That Clown has each day right is a test (`make test`).

| agent | days of | days | wrong in ccusage | why |
|---|---|---|---|---|
"""
SMALL = """
## The smallest files

| | agent | what ccusage does | billed (input, output, writes, reads; $) | Clown | ccusage |
|---|---|---|---|---|---|
"""


def page(scenes: list[Row], cases: list[Row], days: list[DaysRow]) -> str:
    """Answer the whole page."""
    numbers = {case.name: number for number, case in enumerate(CASES, start=1)}
    faults = {case.name: case.fault for case in CASES}
    rows = [
        _cells(row.agent, row.name, row.clown_told(), row.peer.told_against(row.billed), _why(row, numbers))
        for row in scenes
    ]
    small = [
        _cells(
            str(numbers[row.name]),
            row.agent,
            faults[row.name],
            _billed(row),
            row.clown_told(),
            row.peer.told_against(row.billed),
        )
        for row in cases
    ]
    cut = [_cells(row.agent, row.zone, str(row.days), str(row.off), row.why) for row in days]
    files = [_files(numbers[case.name], case) for case in CASES]
    return "\n".join((HEAD + "\n".join(rows), DAYS + "\n".join(cut), SMALL + "\n".join(small), "", *files))


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _why(row: Row, numbers: dict[str, int]) -> str:
    if row.same(row.peer):
        return ""
    return ", ".join(f"[{numbers[name]}](#{numbers[name]}-{_anchor(name)})" for name in row.faults)


def _anchor(name: str) -> str:
    return "".join(letter for letter in name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def _billed(row: Row) -> str:
    counts = ", ".join(f"{count:,}" for count in row.billed.tokens)
    return f"{counts}; {row.billed.usd:.7f}".rstrip("0")


def _files(number: int, case: Case) -> str:
    parts = [f"### {number} {case.name}\n"]
    for path, content in case.files.items():
        kind = "the rows of its messages" if path.endswith(".db") else "whole"
        parts.append(f"`~/{path}`, {kind}:\n\n```\n{shown(content)}```\n")
    return "\n".join(parts)
