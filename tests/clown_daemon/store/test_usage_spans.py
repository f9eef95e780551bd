"""Sums of spans are those of the rows in them, whatever rollups they are read from."""

import sqlite3
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.periods import DAY_MS, QUARTER_MS, Span, span_of
from clown_daemon.store.usage import add_entries
from clown_daemon.store.usage_report import read_report
from clown_daemon.store.usage_spans import (
    EVERYTHING,
    Only,
    read_projects,
    read_series,
    session_count,
    sessions_by_profile,
)
from clown_daemon.store.usage_sums import Sums, add_up
from clown_daemon.store.usage_totals import read_sums
from tests.support.ledger import empty_ledger, response

MONDAY = 1_795_392_000_000
"""2026-11-23T00:00:00Z"""


def entry(number: int, quarter: int, profile: str, model: str, session: str, project: str | None, agent: str) -> Entry:
    found = response(
        f"k{number}",
        agent_id=agent,
        provider={"claude": "anthropic", "codex": "openai"}[agent],
        model=model,
        session=session,
        project=project,
        at_ms=MONDAY + quarter * QUARTER_MS + number,
        output_tokens=2**number,
        web_searches=number % 2,
        reasoning_tokens=number % 3,
    )
    return Entry(found, None if model == "own" else Costs(1, 2, 3, 4, 10 + number, "t"), profile)


entries = st.lists(
    st.builds(
        entry,
        st.just(0),
        st.integers(-3 * 96, 3 * 96),
        st.sampled_from(["work", "play"]),
        st.sampled_from(["sonnet", "sonnet-20250929", "own"]),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["/a", "/b", None]),
        st.sampled_from(["claude", "codex"]),
    ),
    max_size=12,
).map(lambda found: [one._replace(response=one.response._replace(key=f"k{n}")) for n, one in enumerate(found)])
spans = st.one_of(
    st.tuples(st.integers(-3 * 96, 3 * 96), st.integers(1, 3 * 96)).map(
        lambda pair: Span(MONDAY + pair[0] * QUARTER_MS, MONDAY + (pair[0] + pair[1]) * QUARTER_MS)
    ),
    st.sampled_from([Span(0, MONDAY), Span(0, MONDAY + 4 * DAY_MS), Span(MONDAY, MONDAY + DAY_MS)]),
)
filters = st.builds(
    Only,
    profile=st.sampled_from([None, "work", "nobody"]),
    agent_id=st.sampled_from([None, None, "codex"]),
    provider=st.sampled_from([None, None, "openai"]),
    model=st.sampled_from([None, None, "sonnet"]),
    project=st.sampled_from([None, None, "/a", ""]),
)


def within(found: Entry, span: Span, only: Only) -> bool:
    told = found.response
    return (
        span.start_ms <= told.at_ms < span.end_ms
        and only.profile in {None, found.profile}
        and only.agent_id in {None, told.agent_id}
        and only.provider in {None, told.provider}
        and (only.model is None or told.model.startswith(only.model))
        and only.project in {None, told.project or ""}
    )


def sums_of(found: Entry) -> Sums:
    told, costs = found.response, found.costs
    return Sums(
        1,
        int(costs is None),
        told.input_tokens,
        told.output_tokens,
        told.cache_write_5m_tokens,
        told.cache_write_1h_tokens,
        told.cache_read_tokens,
        told.reasoning_tokens,
        told.web_searches,
        *((0, 0, 0, 0, 0) if costs is None else costs[:5]),
    )


@settings(deadline=None, max_examples=150)
@given(added=entries, span=spans, only=filters)
def test_sums_by_every_dimension_are_those_of_the_rows(added: list[Entry], span: Span, only: Only) -> None:
    with empty_ledger() as ledger:
        add_entries(ledger, added)
        inside = [found for found in added if within(found, span, only)]
        total = add_up(map(sums_of, inside))
        series = read_series(ledger, span, only)
        assert add_up(found.sums for found in series) == total
        assert series == sorted(series)
        for found in series:
            of_it = [
                one
                for one in inside
                if (one.profile, one.response.agent_id, one.response.provider, one.response.model) == found[:4]
            ]
            assert found.sums == add_up(map(sums_of, of_it))
        projects = read_projects(ledger, span, only)
        assert projects == {
            path: add_up(sums_of(one) for one in inside if (one.response.project or "") == path)
            for path in sorted({one.response.project or "" for one in inside})
        }
        sessions = {(one.response.agent_id, one.response.session) for one in inside}
        assert session_count(ledger, span, only) == len(sessions)
        by_profile: dict[str, set[tuple[str, str]]] = {}
        for one in inside:
            by_profile.setdefault(one.profile, set()).add((one.response.agent_id, one.response.session))
        assert sessions_by_profile(ledger, span, only) == {name: len(found) for name, found in by_profile.items()}


@settings(deadline=None, max_examples=50)
@given(added=entries, period=st.sampled_from(["today", "yesterday", "week", "all"]), only=filters)
def test_a_report_says_the_same_by_every_dimension(added: list[Entry], period: str, only: Only) -> None:
    with empty_ledger() as ledger:
        add_entries(ledger, added)
        zone = ZoneInfo("America/New_York")
        span = span_of(period, MONDAY + DAY_MS, zone)  # type: ignore[arg-type]  # one of the periods
        report = read_report(ledger, "today", span, only, now_ms=MONDAY + DAY_MS, by_project=True)
        parts = report.aggregates
        assert parts.by_project is not None
        for dimension in (parts.by_agent, parts.by_provider, parts.by_model, parts.by_project):
            assert sum(part.tokens.total for part in dimension.values()) == report.total_tokens.total
            assert sum(part.unpriced_responses for part in dimension.values()) == report.unpriced_responses
        inside = [found for found in added if within(found, span, only)]
        for profile, part in parts.by_profile.items():
            of_it = [one.response for one in inside if one.profile == profile]
            assert part.tokens.output_tokens == sum(told.output_tokens for told in of_it)
            assert part.last_used == rfc3339(max(told.at_ms for told in of_it))
        assert report.total_tokens.output_tokens == sum(one.response.output_tokens for one in inside)


@pytest.fixture
def ledger() -> sqlite3.Connection:
    with empty_ledger() as connection:
        add_entries(
            connection,
            [
                entry(1, 0, "work", "sonnet", "s", None, "claude"),
                entry(2, 95, "work", "sonnet", "s", None, "codex"),
                entry(3, 96, "play", "own", "s", None, "claude"),
            ],
        )
        copy = sqlite3.connect(":memory:")
        connection.backup(copy)
        copy.row_factory = sqlite3.Row
        return copy


def test_sums_between_two_instants_can_be_of_a_profile_or_an_agent(ledger: sqlite3.Connection) -> None:
    day = (MONDAY, MONDAY + DAY_MS)
    assert read_sums(ledger, *day).output_tokens == 2 + 4
    assert read_sums(ledger, MONDAY, MONDAY + 95 * QUARTER_MS).output_tokens == 2
    assert read_sums(ledger, *day, profile="work").total_pico == 11 + 12
    assert read_sums(ledger, *day, agent_id="codex").output_tokens == 4
    assert read_sums(ledger, *day, profile="nobody") == Sums()
    assert read_sums(ledger, MONDAY + DAY_MS, MONDAY + 2 * DAY_MS).unpriced_responses == 1


def test_sessions_of_two_agents_are_two_also_with_one_name(ledger: sqlite3.Connection) -> None:
    assert session_count(ledger, Span(0, MONDAY + 2 * DAY_MS), EVERYTHING) == 2
    assert sessions_by_profile(ledger, Span(0, MONDAY + 2 * DAY_MS)) == {"work": 2, "play": 1}
