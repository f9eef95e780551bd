"""What a real daemon says of real transcripts, in every shape it can be asked for; `call` holds it to the document."""

import csv
import io
import shutil
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.real_daemon import RealDaemon
from tests.support.transcripts import LOGS

RESPONSES = 20
TOKENS = 344_576
USD = Decimal("0.4443444")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    daemon = RealDaemon(tmp_path)
    folder = tmp_path / "home" / ".claude" / "projects" / "-w"
    folder.mkdir(parents=True)
    for path in LOGS.glob("claude_*.jsonl"):
        shutil.copyfile(path, folder / path.name)
    await daemon.start()
    await daemon.ask("POST", "/api/usage/import-claude")
    yield daemon
    assert await daemon.stop() == 0


async def test_every_shape_of_a_report_adds_up_to_the_same(daemon: RealDaemon) -> None:
    report = await daemon.ask("GET", "/api/usage?period=all&by=project")
    assert sum(report["total_tokens"].values()) == TOKENS
    assert report["total_cost"]["total_cost"] == float(USD)
    for parts in report["aggregates"].values():
        assert sum(sum(part["tokens"].values()) for part in parts.values()) == TOKENS
    for path in (
        "bucket=day&by=agent",
        "bucket=hour&by=model",
        "bucket=day&by=project",
        "bucket=day&tz=Asia/Kathmandu",
    ):
        series = await daemon.ask("GET", f"/api/usage/series?period=all&{path}")
        assert sum(tokens for line in series["lines"] for _, tokens, _ in line["buckets"]) == TOKENS

    sessions: list[Any] = []
    after = ""
    while True:
        page = await daemon.ask("GET", f"/api/usage/sessions?period=all&limit=3{after}")
        sessions += page["sessions"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sum(session["responses"] for session in sessions) == RESPONSES
    assert len(sessions) == report["total_sessions"]

    exported = await daemon.ask("GET", "/api/usage/export?period=all&format=json")
    assert sum(row["responses"] for row in exported["rows"]) == RESPONSES
    assert (
        sum(sum(number for name, number in row.items() if name.endswith("input_tokens")) for row in exported["rows"])
        + sum(row["output_tokens"] for row in exported["rows"])
        == TOKENS
    )


async def test_a_spreadsheet_gets_exact_money(daemon: RealDaemon) -> None:
    reply = await daemon.call("GET", "/api/usage/export?period=all")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith('attachment; filename="clown-usage-all-20')
    assert reply.headers["Content-Disposition"].endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert sum(Decimal(row["total_cost_usd"]) for row in rows) == USD
    assert sum(int(row["responses"]) for row in rows) == RESPONSES
    as_json = await daemon.ask("GET", "/api/usage/export?period=all&format=json")
    assert [(row["date"], row["model"]) for row in rows] == [(row["date"], row["model"]) for row in as_json["rows"]]
    assert [float(row["total_cost_usd"]) for row in rows] == [row["cost"]["total_cost"] for row in as_json["rows"]]


async def test_nothing_to_export_is_a_header_or_an_empty_list(daemon: RealDaemon) -> None:
    assert (await daemon.ask("GET", "/api/usage/export?period=all&model=none&format=json"))["rows"] == []
    empty = await daemon.call("GET", "/api/usage/export?period=all&model=none")
    assert empty.text.count("\r\n") == 1


async def test_a_caller_that_leaves_amid_an_export_is_no_trouble(daemon: RealDaemon) -> None:
    async with httpx.AsyncClient(base_url=daemon.url, trust_env=False) as client:
        async with client.stream("GET", "/api/usage/export?period=all") as reply:
            assert reply.status_code == 200
        head = await client.head("/api/usage/export?period=all")
        assert (head.status_code, head.content) == (200, b"")
    assert (await daemon.call("GET", "/api/usage")).status_code == 200
    log = (daemon.root / "clown" / "logs" / "daemon.log").read_text("utf-8")
    assert [line for line in log.splitlines() if " ERROR " in line] == []
