from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import (
    UsageExportQuery,
    UsageFilter,
    UsageQuery,
    UsageSeriesQuery,
    UsageSessionsQuery,
)
from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_timeline import DayRow
from tests.support.ledger import response
from tests.support.usage import Bench, open_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path, "Europe/Berlin") as opened:
        yield opened


def used(key: str, at: str, profile: str = "work", **changes: object) -> Entry:
    return Entry(response(key, at_ms=epoch_ms(at), **changes), Costs(1, 2, 3, 4, 10**10, "t"), profile)


async def fill(bench: Bench, *entries: Entry) -> None:
    await bench.database.write(lambda transaction: add_entries(transaction.connection, entries))


THREE = (
    used("1", "2026-11-23T10:00:00Z", session="s1"),
    used("2", "2026-11-22T23:30:00Z", "play", session="s2", agent_id="codex", provider="openai", project="/b"),
    used("3", "2024-02-29T12:00:00Z", session="s3", model="old"),
)


async def test_a_report_can_be_narrowed_down(bench: Bench) -> None:
    await fill(bench, *THREE)

    async def responses(**only: Any) -> int:
        report = await bench.reports.report(UsageQuery(period="all", **only))
        return sum(part.responses for part in report.aggregates.by_model.values())

    assert await responses() == 3
    assert await responses(profile="play") == 1
    assert await responses(agent="claude") == 2
    assert await responses(provider="openai") == 1
    assert await responses(project="/b") == 1
    assert await responses(model="no such model") == 0, "models are whatever logs name"


async def test_projects_are_told_apart_on_request(bench: Bench) -> None:
    await fill(bench, *THREE)
    assert (await bench.reports.report(UsageQuery(period="all"))).aggregates.by_project is None
    asked = await bench.reports.report(UsageQuery(period="all", by="project"))
    assert asked.aggregates.by_project is not None
    assert list(asked.aggregates.by_project) == ["/b", "/home/dev/project"]


@pytest.mark.parametrize(
    ("query", "code", "hint"),
    [
        (UsageQuery(profile="wrk"), ProblemCode.UNKNOWN_PROFILE, "did you mean 'work'?"),
        (UsageQuery(profile="x"), ProblemCode.UNKNOWN_PROFILE, "GET /api/profiles"),
        (UsageQuery(agent="claud"), ProblemCode.UNKNOWN_AGENT, "did you mean 'claude'?"),
        (UsageQuery(agent="x"), ProblemCode.UNKNOWN_AGENT, "GET /api/agents"),
        (UsageQuery(provider="antropic"), ProblemCode.UNKNOWN_PROVIDER, "did you mean 'anthropic'?"),
        (UsageQuery(provider="x"), ProblemCode.UNKNOWN_PROVIDER, "anthropic, openai"),
        (UsageQuery(tz="Europe/Berlim"), ProblemCode.INVALID_FIELD, "did you mean 'Europe/Berlin'?"),
        (UsageQuery(tz="../x"), ProblemCode.INVALID_FIELD, "IANA"),
    ],
)
async def test_what_is_unknown_is_refused_with_the_nearest_name(
    bench: Bench, query: UsageQuery, code: ProblemCode, hint: str
) -> None:
    await fill(bench, *THREE)
    given = {name: getattr(query, name) for name in UsageFilter.__struct_fields__}
    for ask in (
        lambda: bench.reports.report(query),
        lambda: bench.reports.series(UsageSeriesQuery(**given)),
        lambda: bench.reports.sessions(UsageSessionsQuery(**given)),
        lambda: bench.reports.export(UsageExportQuery(**given)),
    ):
        with pytest.raises(DomainError) as refused:
            await ask()
        assert refused.value.code is code
        assert hint in str(refused.value.hint)


async def test_a_series_is_cut_by_the_days_of_the_user(bench: Bench) -> None:
    await fill(bench, *THREE)
    series = await bench.reports.series(UsageSeriesQuery(period="7d"))
    assert (series.period, series.bucket, series.by, series.time_zone) == (
        "Last 7 days",
        "day",
        "profile",
        "Europe/Berlin",
    )
    assert (series.start_ms, series.end_ms) == (epoch_ms("2026-11-16T23:00:00Z"), epoch_ms("2026-11-23T23:00:00Z"))
    today = epoch_ms("2026-11-22T23:00:00Z")
    assert [(line.name, [step.start_ms for step in line.buckets]) for line in series.lines] == [
        ("play", [today]),
        ("work", [today]),
    ]
    elsewhere = await bench.reports.series(UsageSeriesQuery(period="7d", tz="UTC", profile="play"))
    assert elsewhere.time_zone == "UTC"
    assert elsewhere.lines[0].buckets[0].start_ms == epoch_ms("2026-11-22T00:00:00Z")


@pytest.mark.parametrize("bucket", ["hour", "day"])
async def test_a_series_of_all_time_begins_with_the_first_response(bench: Bench, bucket: str) -> None:
    query = UsageSeriesQuery(period="all", by="model", bucket=bucket)  # type: ignore[arg-type]  # one of the two
    empty = await bench.reports.series(query)
    assert (empty.start_ms, empty.lines) == (epoch_ms("2026-11-22T23:00:00Z"), ())
    await fill(bench, *THREE)
    series = await bench.reports.series(query)
    assert series.start_ms == epoch_ms("2024-02-28T23:00:00Z")
    assert {line.name: sum(step.tokens for step in line.buckets) for line in series.lines} == {
        "claude-sonnet-4-5": 200,
        "old": 100,
    }
    assert [line.name for line in series.lines] == sorted(line.name for line in series.lines)


async def test_sessions_come_a_page_at_a_time(bench: Bench) -> None:
    await fill(bench, *THREE)
    names: list[str] = []
    after = None
    for _ in range(3):
        page = await bench.reports.sessions(UsageSessionsQuery(period="all", limit=1, after=after))
        names += [session.session for session in page.sessions]
        after = page.next
    assert (names, after) == (["s1", "s2", "s3"], None)
    [session] = (await bench.reports.sessions(UsageSessionsQuery(agent="codex"))).sessions
    assert (session.session, session.projects, session.cost.total_cost) == ("s2", ("/b",), 0.01)
    assert (session.first_used, session.last_used) == ("2026-11-22T23:30:00Z",) * 2


@pytest.mark.parametrize("after", ["", "x", "1", ".", "1.", ".1", "1.x", "-1.1", "1.1.1", "1.²", "9" * 37 + ".1"])
async def test_a_place_that_is_none_is_refused(bench: Bench, after: str) -> None:
    with pytest.raises(DomainError, match="no place") as refused:
        await bench.reports.sessions(UsageSessionsQuery(after=after))
    assert refused.value.code is ProblemCode.INVALID_FIELD


async def test_an_export_is_read_month_by_month(bench: Bench) -> None:
    await fill(bench, *THREE)
    export = await bench.reports.export(UsageExportQuery(period="all"))
    rows: list[DayRow] = []
    months = 0
    async for month in export.rows:
        rows += month
        months += 1
    assert months == 34
    assert [(row.day, row.profile, row.model) for row in rows] == [
        ("2024-02-29", "work", "old"),
        ("2026-11-23", "play", "claude-sonnet-4-5"),
        ("2026-11-23", "work", "claude-sonnet-4-5"),
    ]
