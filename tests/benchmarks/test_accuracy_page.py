"""Three counts of the same logs side by side, and the smallest logs on which they differ."""

import json
from pathlib import Path

import pytest

from benchmarks.support.accuracy_page import page
from benchmarks.support.days import DaysRow
from benchmarks.support.minimal_logs import CASES, Case, contents, write
from benchmarks.support.reckoning import Reckoning, Row

BILLED = Reckoning((40, 10, 0, 60), 0.5)


def test_counts_are_told_as_differences() -> None:
    assert BILLED.told_against(BILLED) == "equal"
    off = Reckoning((40, 1_010, 0, 50), 0.25)
    assert off.told_against(BILLED) == "output +1,000, cache reads -10, $-0.250000"


def test_costs_are_equal_within_a_billionth_of_a_dollar() -> None:
    assert BILLED._replace(usd=0.5 + 1e-10).told_against(BILLED) == "equal"
    assert BILLED._replace(usd=0.5 + 1e-8).told_against(BILLED) != "equal"


def test_the_page_links_each_difference_to_its_smallest_file() -> None:
    case = CASES[0]
    row = Row(case.agent, "a trap", BILLED, None, BILLED._replace(usd=0.0), (case.name,))
    text = page([row], [row._replace(name=case.name)], [DaysRow("claude", "UTC", 50, 1)])
    assert "| claude | UTC | 50 | 1 | dates a response by its last line, not by its first |" in text
    assert "| claude | a trap | not read | $-0.500000 | [1](#1-no-request-id) |" in text
    assert "### 1 no request id" in text
    assert "caf\\xe9" in text
    assert "\\0\\0\\0" in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_smallest_files_are_small_and_whole(tmp_path: Path, case: Case) -> None:
    write(case, tmp_path)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path)) for path in written} == set(case.files)
    for parts in case.files.values():
        lines = contents(tuple(part for part in parts if not isinstance(part, bytes))).splitlines()
        assert all(json.loads(line.decode("utf-8", "replace")) for line in lines)
        assert len(lines) <= 3
