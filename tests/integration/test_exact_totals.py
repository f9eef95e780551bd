"""A real daemon in homes full of every trap says what was billed, by every dimension and by the days of any zone."""

from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.corpus.generate import Corpus, Options, ProfileHome, write_corpus
from tests.support.corpus.traps import Trap
from tests.support.corpus.truth import Dimension, Totals
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

RESPONSES = 2_000
PROFILES = {
    "work": ("claude", "anthropic"),
    "play": ("codex", "openai"),
    "night": ("opencode", "anthropic"),
    "moon": ("gemini", "google"),
}
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
DIMENSIONS: dict[str, Dimension] = {"model": "model", "agent_id": "agent", "profile": "profile", "provider": "provider"}
EQUAL_USD = Decimal("1e-9")

Sum = dict[str, Decimal]
COUNTS = {
    "responses": "responses",
    "unpriced_responses": "unpriced",
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation_5m_input_tokens": "cache_write_5m",
    "cache_creation_1h_input_tokens": "cache_write_1h",
    "reasoning_output_tokens": "reasoning",
    "web_searches": "web_searches",
}


def billed(totals: Totals) -> Sum:
    """The truth as a row of the export has it."""
    counts = {name: Decimal(getattr(totals, field)) for name, field in COUNTS.items()}
    return counts | {"usd": Decimal(totals.cost_pico) / 10**12}


def told(rows: Iterable[dict[str, Any]]) -> Sum:
    """Rows of the export in one."""
    rows = list(rows)
    counts = {name: Decimal(sum(row[name] for row in rows)) for name in COUNTS}
    usd = sum(
        (Decimal(str(row["cost"]["total_cost"])) for row in rows if row["cost"]["total_cost"] is not None), Decimal(0)
    )
    return counts | {"usd": usd}


def by(rows: Iterable[dict[str, Any]], column: str) -> dict[str, Sum]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return {key: told(group) for key, group in groups.items()}


def same(found: dict[str, Sum], expected: dict[Any, Totals]) -> None:
    """Integers to the last token, costs to a billionth of a dollar."""
    wanted = {str(key): billed(totals) for key, totals in expected.items()}
    assert found.keys() == wanted.keys()
    for key, sums in wanted.items():
        off = {column: found[key][column] - count for column, count in sums.items()}
        assert abs(off.pop("usd")) < EQUAL_USD, key
        assert not any(off.values()), (key, off)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    daemon = RealDaemon(tmp_path)
    await daemon.start()
    for alias, (agent, provider) in PROFILES.items():
        await daemon.ask("POST", "/api/profiles", {"alias": alias, "agent_id": agent, "provider_id": provider})
    await daemon.stop()
    yield daemon
    assert await daemon.stop() == 0


async def read_everything(daemon: RealDaemon, responses: int) -> None:
    """Start it, and wait until so many responses are in its ledger and no import runs."""
    await daemon.start()

    async def is_read() -> bool:
        imports = (await daemon.ask("GET", "/api/snapshot"))["imports"]
        records = sum(one["records_imported"] for one in imports)
        return records >= responses and all(one["state"] == "done" for one in imports)

    await until(is_read)


def write(daemon: RealDaemon) -> Corpus:
    homes = daemon.root / "clown" / "data" / "profiles"
    profiles = {alias: ProfileHome(agent, homes / alias) for alias, (agent, _) in PROFILES.items()}
    # Whose the copied responses are where both sessions went on is decided by which log was read first.
    without = frozenset({Trap.PARENT_RESUMED_AFTER_FORK})
    return write_corpus(Path(daemon.environ["HOME"]), Options(responses=RESPONSES, profiles=profiles, without=without))


async def sessions(daemon: RealDaemon) -> dict[str, tuple[int, Decimal, tuple[int, ...]]]:
    """Responses, cost and tokens of each."""
    found: dict[str, tuple[int, Decimal, tuple[int, ...]]] = {}
    after = ""
    while True:
        page = await daemon.ask("GET", f"/api/usage/sessions?period=all&limit=100{after}")
        for one in page["sessions"]:
            usd = Decimal(str(one["cost"]["total_cost"] or 0))
            found[one["session"]] = (one["responses"], usd, tuple(one["tokens"].values()))
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def test_every_sum_is_what_was_billed(daemon: RealDaemon) -> None:
    truth = write(daemon).truth
    await read_everything(daemon, len(truth.rows))
    for zone in ZONES:
        rows = (await daemon.ask("GET", f"/api/usage/export?format=json&period=all&tz={zone}"))["rows"]
        same(by(rows, "date"), truth.by_day(ZoneInfo(zone)))
        for column, dimension in DIMENSIONS.items():
            same(by(rows, column), truth.by(dimension))
    report = await daemon.ask("GET", "/api/usage?period=all&by=project")
    whole = truth.total()
    assert tuple(report["total_tokens"].values()) == whole.tokens
    assert (report["total_sessions"], report["unpriced_responses"]) == (whole.sessions, whole.unpriced)
    assert abs(Decimal(str(report["total_cost"]["total_cost"])) - Decimal(whole.cost_pico) / 10**12) < EQUAL_USD
    by_project = {name: tuple(part["tokens"].values()) for name, part in report["aggregates"]["by_project"].items()}
    assert by_project == {name or "": totals.tokens for name, totals in truth.by("project").items()}
    by_session = await sessions(daemon)
    expected = truth.by("session")
    assert by_session.keys() == expected.keys()
    for session, totals in expected.items():
        responses, usd, tokens = by_session[session]
        assert (responses, tokens) == (totals.responses, totals.tokens)
        assert abs(usd - Decimal(totals.cost_pico) / 10**12) < EQUAL_USD
