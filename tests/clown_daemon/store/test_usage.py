import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.resources import UNATTRIBUTED, Tokens
from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.ledger import Costs, Entry, Response
from clown_daemon.store.periods import span_of
from clown_daemon.store.usage import (
    Added,
    add_entries,
    price_unpriced,
    read_one_profile_usage,
    read_profile_usage,
    read_unpriced,
)
from clown_daemon.store.usage_keys import key_hash
from clown_daemon.store.usage_report import read_report
from clown_daemon.store.usage_spans import Only
from clown_daemon.store.usage_sums import add_up
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import PriceList
from tests.support.ledger import check_sums, empty_ledger
from tests.support.transcripts import line, sample

PRICES = PriceList((shipped_table(),))
NOON = epoch_ms("2026-11-23T12:00:00Z")
UTC = ZoneInfo("UTC")

SAMPLE_TOTALS = {
    # responses, input without cache, output, cache read, cache write, picodollars; by hand from the files.
    "main_then_resumed": (4, 50, 810, 60_010, 8_010, 123_105_000_000),
    "fork_of_previous": (6, 81, 1_221, 90_021, 12_021, 184_900_500_000),
    "with_subagent_parent": (2, 37, 417, 30_017, 4_017, 37_223_100_000),
    "subagent": (2, 37, 417, 30_017, 4_017, 37_223_100_000),
    "gateway_no_requestId": (2, 23, 403, 30_003, 4_003, 36_882_900_000),
    "interactive": (2, 31, 411, 30_011, 4_011, 37_077_300_000),
    "relay_constant_id_0": (4, 50, 810, 60_010, 8_010, 73_863_000_000),
    "relay_constant_id_1": (2, 33, 413, 30_013, 4_013, 37_125_900_000),
    "relay_constant_id_2": (2, 33, 413, 30_013, 4_013, 37_125_900_000),
}


def entries(data: bytes, profile: str = UNATTRIBUTED) -> list[Entry]:
    return [Entry(found, PRICES.cost(found), profile) for found in ClaudeParser().feed(data)]


def sample_entries(name: str) -> list[Entry]:
    return entries(sample(name).read_bytes())


def total(added: dict[str, Added]) -> tuple[int, ...]:
    """Responses, input, output, cache read, cache write, picodollars over all profiles."""
    sums = add_up(found.sums for found in added.values())
    tokens = sums.tokens
    return (
        sums.responses,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_input_tokens,
        tokens.cache_creation_input_tokens,
        sums.total_pico,
    )


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "clown.db", ManualClock(NOON))
    yield opened
    await opened.close()


def stored(connection: sqlite3.Connection) -> tuple[int, ...]:
    row = connection.execute(
        "SELECT count(*), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),"
        " sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(total_pico) FROM usage_records WHERE NOT replay"
    ).fetchone()
    return tuple(value or 0 for value in row)


def rolled_up(connection: sqlite3.Connection) -> tuple[int, ...]:
    row = connection.execute(
        "SELECT sum(responses), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),"
        " sum(cache_write_5m_tokens + cache_write_1h_tokens), sum(total_pico) FROM usage_quarters"
    ).fetchone()
    return tuple(value or 0 for value in row)


@pytest.mark.parametrize("name", SAMPLE_TOTALS)
def test_each_real_transcript_adds_up_to_what_was_counted_by_hand(name: str, ledger: sqlite3.Connection) -> None:
    added = add_entries(ledger, sample_entries(name))
    assert total(added) == stored(ledger) == rolled_up(ledger) == SAMPLE_TOTALS[name]
    assert add_entries(ledger, sample_entries(name)) == {}
    assert stored(ledger) == SAMPLE_TOTALS[name]


def test_a_fork_adds_only_what_is_new_in_it(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, sample_entries("main_then_resumed"))
    added = add_entries(ledger, sample_entries("fork_of_previous"))
    assert total(added)[:5] == (2, 31, 411, 30_011, 4_011)
    sessions = ledger.execute("SELECT name, responses FROM usage_sessions ORDER BY responses").fetchall()
    assert [(row["name"][:8], row["responses"]) for row in sessions] == [("6b20406f", 2), ("5b1d4adc", 4)]


def test_a_relay_with_one_message_id_keeps_its_subagents_responses(ledger: sqlite3.Connection) -> None:
    for number in range(3):
        add_entries(ledger, sample_entries(f"relay_constant_id_{number}"))
    assert stored(ledger) == (8, 116, 1_636, 120_036, 16_036, 148_114_800_000)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(sorted(SAMPLE_TOTALS)))
def test_all_transcripts_together_are_the_same_in_any_order(order: Sequence[str]) -> None:
    with empty_ledger() as connection:
        for name in order:
            add_entries(connection, sample_entries(name))
        # The invented ids of two samples meet (message 5 and 6 of the fork and of the interactive one): 20, not 22.
        assert stored(connection) == rolled_up(connection) == (20, 294, 4_094, 300_094, 40_094, 444_344_400_000)


def test_the_larger_output_wins_and_adds_only_the_difference(ledger: sqlite3.Connection) -> None:
    begun = line(tokens=(18, 3, 15_008, 2_008), stop_reason=None, at="2026-11-23T09:59:59Z")
    ended = line(tokens=(18, 208, 15_008, 2_008), at="2026-11-23T10:00:01Z")
    add_entries(ledger, entries(begun))
    added = add_entries(ledger, entries(ended))
    assert total(added) == (0, 0, 205, 0, 0, 205 * 15_000_000)
    assert add_entries(ledger, entries(begun)) == {}
    row = ledger.execute("SELECT * FROM usage_records").fetchone()
    assert row["at_ms"] == epoch_ms("2026-11-23T09:59:59Z")
    assert row["complete"] == 1


def test_a_replayed_side_line_counts_once_whichever_comes_first() -> None:
    parent = line("msg_1", "req_1", tokens=(10, 50, 100, 7))
    replay = line("msg_1", "req_other", tokens=(10, 50, 100, 7), sidechain=True)
    for order in ((parent, replay), (replay, parent), (replay, replay, parent, replay)):
        with empty_ledger() as connection:
            for data in order:
                add_entries(connection, entries(data))
            keys = [row["key"] for row in connection.execute("SELECT key FROM usage_records WHERE NOT replay")]
            assert keys == [key_hash("anthropic|msg_1|req_1")]
            assert rolled_up(connection)[:5] == (1, 10, 50, 100, 7)
            assert not connection.execute("SELECT 1 FROM usage_quarters WHERE responses < 1").fetchall()


def test_a_response_of_a_subagent_with_other_counts_is_kept(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, entries(line("same", "req_1", tokens=(10, 50, 100, 7))))
    add_entries(ledger, entries(line("same", "req_2", tokens=(11, 50, 100, 7), sidechain=True)))
    assert stored(ledger)[0] == 2


def test_the_first_importer_owns_a_response(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, entries(line(session="first"), "work"))
    assert add_entries(ledger, entries(line(session="second", tokens=(10, 90, 30, 40)), "play"))["work"].responses == 0
    [row] = ledger.execute(
        "SELECT profile, name, usage_records.output_tokens FROM usage_records"
        " JOIN usage_series USING (series) JOIN usage_sessions USING (session)"
    ).fetchall()
    assert tuple(row) == ("work", "first", 90)


def test_an_unknown_model_costs_null_until_a_price_appears(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, entries(line(model="my-own-model")))
    [usage] = read_profile_usage(ledger, NOON, UTC)
    assert usage.today.cost.total_cost is None
    assert usage.today.unpriced_responses == 1
    assert usage.days[0].cost_usd is None
    report = read_report(ledger, "today", span_of("today", NOON, UTC), now_ms=NOON)
    assert report.total_cost.total_cost is None
    assert report.total_tokens.total == 100
    assert (report.unpriced_responses, report.unpriced_models) == (1, ("my-own-model",))

    [unpriced] = read_unpriced(ledger)
    assert unpriced[1:] == (UNATTRIBUTED, "anthropic", "my-own-model")
    assert price_unpriced(ledger, PRICES.cost, unpriced.series) == ({}, None)
    added, last = price_unpriced(ledger, as_sonnet, unpriced.series)
    assert last is None
    assert added[UNATTRIBUTED].responses == 0
    assert added[UNATTRIBUTED].tokens == Tokens()
    [usage] = read_profile_usage(ledger, NOON, UTC)
    assert usage.today.cost.total_cost == pytest.approx(0.000489)
    assert read_unpriced(ledger) == ()
    check_sums(ledger)


def as_sonnet(found: Response) -> Costs | None:
    return PRICES.cost(found._replace(model="claude-sonnet-4-5"))


def test_what_had_no_price_is_priced_some_rows_at_a_time(ledger: sqlite3.Connection) -> None:
    for number in range(5):
        add_entries(ledger, entries(line(str(number), str(number), model="own", sidechain=number == 0)))
    # The replay of a response that counts has a price too, once there is one: it may count some day.
    add_entries(ledger, entries(line("4", "again", model="own", sidechain=True)))
    [unpriced] = read_unpriced(ledger)
    priced = []
    last: int | None = 0
    while last is not None:
        added, last = price_unpriced(ledger, as_sonnet, unpriced.series, after=last, limit=2)
        priced.append(sum(-found.sums.unpriced_responses for found in added.values()))
        check_sums(ledger)
    assert priced == [2, 2, 1, 0]
    assert ledger.execute("SELECT count(*) FROM usage_records WHERE total_pico IS NULL").fetchone()[0] == 0


def test_a_price_that_only_some_responses_have_leaves_the_others(ledger: sqlite3.Connection) -> None:
    for number in range(4):
        add_entries(ledger, entries(line(str(number), str(number), model="own", tokens=(number, 1, 1, 1))))
    [unpriced] = read_unpriced(ledger)
    last: int | None = 0
    while last is not None:
        _, last = price_unpriced(
            ledger,
            lambda found: as_sonnet(found) if found.input_tokens % 2 else None,
            unpriced.series,
            after=last,
            limit=1,
        )
    assert [found.series for found in read_unpriced(ledger)] == [unpriced.series]
    assert ledger.execute("SELECT unpriced_responses FROM usage_series").fetchone()[0] == 2


def test_a_partly_priced_period_has_the_cost_of_what_is_known_and_says_what_is_not(ledger: sqlite3.Connection) -> None:
    add_entries(ledger, entries(line("a", "a") + line("b", "b", model="my-own-model")))
    [usage] = read_profile_usage(ledger, NOON, UTC)
    assert usage.today.cost.total_cost is not None
    assert [(found.model, found.cost.total_cost is None) for found in usage.today.by_model] == [
        ("claude-sonnet-4-5", False),
        ("my-own-model", True),
    ]


def test_totals_are_cut_by_the_users_days(ledger: sqlite3.Connection) -> None:
    for number, at in enumerate(("2026-11-22T22:59:59Z", "2026-11-22T23:00:00Z", "2026-11-23T11:59:59.999Z")):
        add_entries(ledger, entries(line(str(number), str(number), at=at)))
    [berlin] = read_profile_usage(ledger, NOON, ZoneInfo("Europe/Berlin"))
    assert (berlin.today.responses, berlin.week.responses, berlin.month.responses) == (2, 2, 3)
    [utc] = read_profile_usage(ledger, NOON, UTC)
    assert (utc.today.responses, utc.week.responses) == (1, 1)
    [auckland] = read_profile_usage(ledger, NOON, ZoneInfo("Pacific/Auckland"))
    assert auckland.today.responses == 1
    assert [bucket.tokens for bucket in berlin.days] == [100, 200]
    assert [bucket.tokens for bucket in berlin.minutes] == [100]
    assert [bucket.start_ms for bucket in berlin.hours] == [
        epoch_ms(at) for at in ("2026-11-22T22:00:00Z", "2026-11-22T23:00:00Z", "2026-11-23T11:00:00Z")
    ]
    assert berlin.last_used == "2026-11-23T11:59:59Z"


responses = st.builds(
    line,
    st.sampled_from(["m1", "m2", "m3"]),
    st.sampled_from([None, "r1", "r2", "r3"]),
    model=st.sampled_from(["claude-sonnet-4-5", "claude-opus-5", "own"]),
    session=st.sampled_from(["s1", "s2"]),
    at=st.integers(0, 45 * 24 * 4).map(
        lambda quarter: (
            f"2026-{10 + quarter // 96 // 31:02}-{quarter // 96 % 31 % 30 + 1:02}"
            f"T{quarter % 96 // 4:02}:{quarter % 4 * 15:02}:30Z"
        )
    ),
    tokens=st.tuples(*[st.sampled_from([0, 5, 70])] * 4),
    sidechain=st.booleans(),
    stop_reason=st.sampled_from([None, "end_turn"]),
)


@settings(deadline=None, max_examples=60)
@given(
    batches=st.lists(st.lists(st.tuples(responses, st.sampled_from(["a", "b", "c"])), max_size=6), max_size=6),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "Asia/Kathmandu"]),
)
def test_rows_sums_and_totals_always_agree(batches: list[list[tuple[bytes, str]]], zone: str) -> None:
    with empty_ledger() as connection:
        grown = (0, 0, 0, 0, 0, 0)
        for batch in batches:
            added = add_entries(connection, [entry for data, profile in batch for entry in entries(data, profile)])
            grown = tuple(map(sum, zip(grown, total(added), strict=True)))  # type: ignore[assignment]  # six again
            assert grown == stored(connection) == rolled_up(connection)
        check_sums(connection)
        everything = read_profile_usage(connection, NOON, ZoneInfo(zone))
        assert [usage.profile for usage in everything] == sorted(usage.profile for usage in everything)
        for usage in everything:
            assert read_one_profile_usage(connection, usage.profile, NOON, ZoneInfo(zone)) == usage
            assert sum(found.tokens.total for found in usage.month.by_model) == usage.month.tokens.total
        report = read_report(connection, "month", span_of("month", NOON, ZoneInfo(zone)), now_ms=NOON)
        assert report.total_tokens.total == sum(usage.month.tokens.total for usage in everything)
        assert not connection.execute("SELECT 1 FROM usage_quarters WHERE responses < 1").fetchall()


def add_run(connection: sqlite3.Connection, run: str, alias: str, started: str, ended: str | None) -> None:
    connection.execute(
        "INSERT INTO runs (run_id, alias, state, started_ms, ended_ms) VALUES (?, ?, 'exited', ?, ?)",
        (run, alias, epoch_ms(started), None if ended is None else epoch_ms(ended)),
    )


def test_runtime_is_cut_at_the_borders_of_the_period(ledger: sqlite3.Connection) -> None:
    add_run(ledger, "1", "work", "2026-11-22T23:59:00Z", "2026-11-23T00:00:10Z")
    add_run(ledger, "2", "work", "2026-11-23T11:59:55Z", None)
    add_run(ledger, "3", "play", "2026-11-20T00:00:00Z", "2026-11-20T00:01:00Z")
    today = read_report(ledger, "today", span_of("today", NOON, UTC), now_ms=NOON)
    assert today.total_runtime_secs == 15
    assert today.aggregates.by_profile["work"].runtime_secs == 15
    assert today.total_cost.total_cost == 0.0
    week = read_report(ledger, "7d", span_of("7d", NOON, UTC), Only(profile="play"), now_ms=NOON)
    assert (week.period, week.total_runtime_secs, list(week.aggregates.by_profile)) == ("Last 7 days", 60, ["play"])


def test_a_report_can_be_of_one_model_with_or_without_its_date(ledger: sqlite3.Connection) -> None:
    models = ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-mini", "x[1m]")
    for model in models:
        add_entries(ledger, entries(line(model, model, model=model, session=model)))
    span = span_of("today", NOON, UTC)

    def sessions(model: str) -> int:
        return read_report(ledger, "today", span, Only(model=model), now_ms=NOON).total_sessions

    assert [sessions(model) for model in ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "x[1m]", "y")] == [
        2,
        1,
        1,
        0,
    ]


async def test_a_batch_that_fails_leaves_nothing_behind(database: Database) -> None:
    def fail(transaction: Transaction) -> None:
        add_entries(transaction.connection, entries(line()))
        raise RuntimeError("power is gone")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    assert await database.read(stored) == (0, 0, 0, 0, 0, 0)
    assert await database.read(rolled_up) == (0, 0, 0, 0, 0, 0)
