import csv
import io

import pytest

from clown_daemon.store.usage_sums import Sums
from clown_daemon.store.usage_timeline import DayRow
from clown_daemon.usage import csv_table
from clown_daemon.usage.csv_table import exact_usd

SUMS = Sums(3, 1, 10, 20, 30, 40, 50, 5, 2, 1_500_000_000_000, 37_500, 0, 1, 1_500_000_037_501)


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def table(*rows: DayRow) -> list[dict[str, str]]:
    return read(csv_table.header() + csv_table.lines(rows))


def test_a_row_says_everything_under_its_name() -> None:
    [row] = table(DayRow("2026-11-23", "work", "claude", "anthropic", "m", SUMS))
    assert row == {
        "date": "2026-11-23",
        "profile": "work",
        "agent_id": "claude",
        "provider": "anthropic",
        "model": "m",
        "responses": "3",
        "unpriced_responses": "1",
        "input_tokens": "10",
        "output_tokens": "20",
        "cache_creation_5m_input_tokens": "30",
        "cache_creation_1h_input_tokens": "40",
        "cache_read_input_tokens": "50",
        "reasoning_output_tokens": "5",
        "web_searches": "2",
        "input_cost_usd": "1.5",
        "output_cost_usd": "0.0000000375",
        "cache_creation_cost_usd": "0",
        "cache_read_cost_usd": "0.000000000001",
        "total_cost_usd": "1.500000037501",
    }


def test_an_unknown_cost_is_an_empty_cell() -> None:
    [row] = table(DayRow("2026-11-23", "work", "claude", "anthropic", "m", SUMS._replace(unpriced_responses=3)))
    assert (row["input_cost_usd"], row["total_cost_usd"], row["responses"]) == ("", "", "3")


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@cf/meta/llama", "'@cf/meta/llama"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        ('a "quoted", name\n', 'a "quoted", name\n'),
        ("qwen3-größer", "qwen3-größer"),
    ],
)
def test_no_text_is_a_formula(name: str, cell: str) -> None:
    [row] = table(DayRow("2026-11-23", name, name, name, name, SUMS))
    assert {row[column] for column in ("profile", "agent_id", "provider", "model")} == {cell}


def test_lines_end_as_the_format_wants() -> None:
    assert csv_table.header().endswith(b",total_cost_usd\r\n")
    assert csv_table.lines([]) == b""


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (10**12, "1"),
        (10**13, "10"),
        (1_100_000_000_000, "1.1"),
        (10**30, "1" + "0" * 18),
    ],
)
def test_money_is_exact(pico: int, text: str) -> None:
    assert exact_usd(pico) == text
