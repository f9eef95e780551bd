import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.protocol.events import UsageImported, UsageImportProgressed, UsageUpdated
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import ImportClaudeQuery, UsageQuery
from clown_daemon.protocol.resources import UNATTRIBUTED, UsageImport
from clown_daemon.store.usage import put_import
from clown_daemon.usage import following, importing, reader
from tests.support.transcripts import LOGS, line, sample
from tests.support.usage import Bench, open_bench
from tests.support.waiting import until


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as opened:
        yield opened


async def test_an_import_says_what_it_found_and_the_second_finds_nothing(bench: Bench) -> None:
    for path in LOGS.glob("claude_*.jsonl"):
        bench.write(path.stem, path.read_bytes())
    first = await bench.import_claude()
    assert first.startswith("Imported 20 records (344,576 tokens, ")
    assert first.endswith(f" sessions) from {bench.logs}")
    assert len(bench.updates()) == 1
    assert bench.updates()[0].imported

    before = len(bench.events)
    second = await bench.import_claude(bench.home / ".claude")
    assert second == f"Imported 0 records (0 tokens, 0 sessions) from {bench.logs}"
    assert [event.data for event in bench.events[before:]] == [UsageImported(source="claude", records_imported=0)]
    assert await bench.replayed() == await bench.totals()


async def test_an_import_tells_its_progress_and_its_end(bench: Bench) -> None:
    bench.write("a", sample("main_then_resumed").read_bytes())
    async with bench.following():
        await until(lambda: any(isinstance(event.data, UsageImported) for event in bench.events))
    kinds = [event.type for event in bench.events]
    assert kinds == ["UsageUpdated", "UsageImportProgressed", "UsageImported"]
    assert UsageImportProgressed(source="claude", files_done=1, files_total=1) in [event.data for event in bench.events]
    [state] = await bench.imports()
    assert (state.state, state.records_imported, state.files_done, state.bytes_done) == (
        "done",
        4,
        1,
        state.bytes_total,
    )
    assert bench.events[-1].resource == state


async def test_a_restart_replays_nothing(bench: Bench) -> None:
    bench.write("a", sample("main_then_resumed").read_bytes() + b'{"type":"assistant","half')
    async with bench.following():
        await until(lambda: len(bench.events) == 3)
    bench.restart()
    async with bench.following():
        bench.write("b", line("fresh", "fresh"))
        await until(lambda: len(bench.events) > 3)
    assert sum(update.responses for update in bench.updates()) == 5
    [total] = await bench.totals()
    assert total.today.responses == 5


async def test_an_idle_restart_records_no_event(bench: Bench) -> None:
    bench.write("a", line() + line("unfinished", "unfinished").rstrip(b"\n"))
    await bench.catch_up()
    count = len(bench.events)
    bench.restart()
    await bench.catch_up()
    await bench.look()
    assert len(bench.events) == count
    [total] = await bench.totals()
    assert total.today.responses == 2


async def test_half_a_line_and_then_the_rest_counts_once(bench: Bench) -> None:
    path = bench.write("a", line())
    async with bench.following():
        await until(lambda: len(bench.updates()) == 1)
        whole = line("msg_2", "req_2", tokens=(1, 2, 3, 4))
        with path.open("ab") as stream:
            stream.write(whole[:70])
        bench.write("other", line("msg_3", "req_3"))
        await until(lambda: sum(update.responses for update in bench.updates()) == 2)
        with path.open("ab") as stream:
            stream.write(whole[70:])
        await until(lambda: sum(update.responses for update in bench.updates()) == 3)
    assert bench.updates()[-1].tokens.total == 10
    assert not bench.updates()[-1].imported
    assert await bench.replayed() == await bench.totals()


async def test_a_folder_that_appears_later_is_followed(bench: Bench) -> None:
    async with bench.following():
        bench.write("a", line())
        await until(lambda: len(bench.updates()) == 1)
        bench.write("b", line("msg_2", "req_2"), bench.logs / "deeper" / "subagents")
        await until(lambda: len(bench.updates()) == 2)


async def test_usage_belongs_to_the_profile_whose_home_it_is_in(bench: Bench, tmp_path: Path) -> None:
    bench.write("a", line("mine", "mine"))
    async with bench.following():
        await until(lambda: len(bench.updates()) == 1)
        bench.profiles["work"] = tmp_path / "work"
        bench.write("b", line("theirs", "theirs"), tmp_path / "work" / ".claude" / "projects")
        await until(lambda: len(bench.updates()) == 2)
    assert [update.profile for update in bench.updates()] == [UNATTRIBUTED, "work"]
    assert [total.profile for total in await bench.totals()] == [UNATTRIBUTED, "work"]
    assert [total.agent_id for total in await bench.totals()] == ["claude", "claude"]
    report = await bench.reports.report(UsageQuery(profile="work"))
    assert list(report.aggregates.by_profile) == ["work"]


async def test_a_correction_adds_the_difference(bench: Bench) -> None:
    path = bench.write("a", line(tokens=(10, 3, 0, 0), stop_reason=None))
    await bench.catch_up()
    with path.open("ab") as stream:
        stream.write(line(tokens=(10, 203, 0, 0)))
    await bench.look(path)
    last = bench.updates()[-1]
    assert (last.responses, last.tokens.output_tokens, last.tokens.input_tokens) == (0, 200, 0)
    assert last.cost.total_cost == pytest.approx(200 * 15 / 1e6)
    assert await bench.replayed() == await bench.totals()


async def test_a_file_that_was_cut_or_replaced_is_read_again_and_counts_once(bench: Bench) -> None:
    path = bench.write("a", line("1", "1") + line("2", "2"))
    await bench.catch_up()
    path.write_bytes(line("1", "1"))
    await bench.look(path)
    path.write_bytes(line("1", "1") + line("3", "3"))
    await bench.look(path)
    other = path.with_suffix(".new")
    other.write_bytes(line("4", "4") + line("1", "1") + line("5", "5"))
    other.replace(path)
    await bench.look()
    path.write_bytes(line("6", "6") + line("1", "1") + line("7", "7"))
    await bench.look(path)
    path.unlink()
    await bench.look(path)
    [total] = await bench.totals()
    assert total.today.responses == 7
    assert bench.service.problems == ()


async def test_many_responses_come_as_few_events_with_the_same_sum(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "READ_BYTES", 4096)
    monkeypatch.setattr(reader, "PART_ENTRIES", 10)
    monkeypatch.setattr(reader, "ANSWER_ENTRIES", 10)
    monkeypatch.setattr(importing, "BATCH_ENTRIES", 50)
    bench.write("a", b"".join(line(str(number), str(number), tokens=(1, 1, 1, 1)) for number in range(200)))
    sentence = await bench.import_claude()
    assert sentence.startswith("Imported 200 records (800 tokens, 1 session)")
    assert 3 <= len(bench.updates()) <= 5
    assert sum(update.tokens.total for update in bench.updates()) == 800
    assert await bench.replayed() == await bench.totals()


async def test_whatever_happens_a_profile_has_at_most_four_updates_a_second_and_every_sum_is_kept(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The spacing is that of the events' own times.
    monkeypatch.setattr(bench.clock, "now_ms", lambda: time.time_ns() // 1_000_000)
    # Many small batches: without folding, an import tells of each.
    monkeypatch.setattr(reader, "READ_BYTES", 1024)
    monkeypatch.setattr(reader, "PART_ENTRIES", 3)
    monkeypatch.setattr(reader, "ANSWER_ENTRIES", 3)
    monkeypatch.setattr(importing, "BATCH_ENTRIES", 3)
    path = bench.write("a", b"".join(line(f"old{n}", f"old{n}", tokens=(1, 0, 0, 0)) for n in range(100)))
    elsewhere = tmp_path / "elsewhere"
    bench.write("b", b"".join(line(f"b{n}", f"b{n}", tokens=(1, 0, 0, 0)) for n in range(100)), elsewhere / "projects")
    async with bench.following():
        await until(lambda: sum(update.responses for update in bench.updates()) == 100)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_spend(path, 60), name="spending")
            tasks.create_task(bench.service.import_claude(ImportClaudeQuery(claude_dir=str(elsewhere))), name="import")
        await until(lambda: sum(update.responses for update in bench.updates()) == 260)
    times = [event.at_ms for event in bench.events if isinstance(event.data, UsageUpdated)]
    assert len(times) >= 4
    for first, fifth in zip(times, times[4:], strict=False):
        assert fifth - first >= 1000
    assert sum(update.tokens.total for update in bench.updates()) == 260
    assert await bench.replayed() == await bench.totals()


async def _spend(path: Path, count: int) -> None:
    for number in range(count):
        _append(path, f"live{number}")
        await asyncio.sleep(0.01)


def _has_responses(bench: Bench, count: int) -> bool:
    return sum(update.responses for update in bench.updates()) == count


def _append(path: Path, name: str) -> None:
    with path.open("ab") as stream:
        stream.write(line(name, name, tokens=(1, 0, 0, 0)))


async def test_what_was_spent_last_is_told_though_nothing_follows(bench: Bench) -> None:
    path = bench.write("a", line())
    async with bench.following():
        await until(lambda: len(bench.updates()) == 1)
        for number in range(3):
            before = sum(update.responses for update in bench.updates())
            _append(path, f"last{number}")
            await until(partial(_has_responses, bench, before + 1))


async def test_a_full_disk_ends_nothing_and_is_made_up_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(importing, "RETRY_SECONDS", 0.01)
    bench.write("a", line())
    write = bench.database.write
    failures: list[str] = []

    async def full(change: object) -> object:
        if len(failures) < 3:
            failures.append("full")
            raise StoreUnavailableError("the database cannot be written: database or disk is full")
        return await write(change)  # type: ignore[arg-type]  # whatever the service passed

    monkeypatch.setattr(bench.database, "write", full)
    async with bench.following():
        await until(lambda: bool(bench.service.problems))
        assert bench.service.problems == (
            "usage is not being recorded: the database cannot be written: database or disk is full",
        )
        await until(lambda: len(bench.updates()) == 1)
        await until(lambda: not bench.service.problems)


async def test_an_unreadable_folder_is_one_sentence_and_the_rest_goes_on(bench: Bench, tmp_path: Path) -> None:
    bench.environ["CLAUDE_CONFIG_DIR"] = f"{tmp_path / 'broken'}, {bench.home / '.claude'}"
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "projects").write_text("no folder")
    bench.write("a", line())
    await bench.catch_up()
    assert bench.service.problems == (
        f"the log folder {tmp_path / 'broken' / 'projects'} cannot be read: Not a directory",
    )
    assert len(bench.updates()) == 1


async def test_broken_lines_are_counted_and_end_nothing(bench: Bench) -> None:
    bench.write("a", line("1", "1") + b'{"type":"assistant","message":{"usage":\n' + line("2", "2"))
    await bench.catch_up()
    [state] = await bench.imports()
    assert (state.lines_broken, state.records_imported) == (1, 2)


async def test_an_import_that_a_crash_cut_short_is_finished_by_the_next_daemon(bench: Bench) -> None:
    bench.write("a", line())
    await bench.catch_up()
    running = UsageImport(source="claude", state="running", files_done=1, files_total=2)
    await bench.database.write(lambda transaction: put_import(transaction.connection, running))
    bench.restart()
    await bench.catch_up()
    assert [state.state for state in await bench.imports()] == ["done"]
    assert sum(update.responses for update in bench.updates()) == 1


@pytest.mark.parametrize(
    ("claude_dir", "sentence"),
    [
        ("/nowhere/at/all", "there is no folder /nowhere/at/all"),
        ("relative", "claude_dir: 'relative' is no absolute path"),
        ("~/nothing", "there is no folder {home}/nothing"),
        ("~/empty", "there are no Claude Code logs in {home}/empty"),
        (None, "there are no Claude Code logs in {home}/.claude/projects or {home}/.config/claude/projects"),
    ],
)
async def test_a_folder_without_logs_is_refused_in_a_sentence(
    claude_dir: str | None, sentence: str, bench: Bench
) -> None:
    (bench.home / "empty").mkdir()
    with pytest.raises(DomainError) as raised:
        await bench.import_claude(claude_dir)
    assert raised.value.code is ProblemCode.BAD_REQUEST
    assert str(raised.value) == sentence.format(home=bench.home)
    assert bench.events == []


async def test_an_import_from_elsewhere_leaves_a_profiles_logs_to_the_profile(bench: Bench, tmp_path: Path) -> None:
    bench.profiles["work"] = tmp_path / "backup" / "projects" / "work"
    bench.write("a", line("1", "1"), tmp_path / "backup" / "projects")
    bench.write("b", line("2", "2"), bench.profiles["work"] / ".claude" / "projects")
    await bench.import_claude(tmp_path / "backup" / "projects")
    assert sorted(update.profile for update in bench.updates()) == [UNATTRIBUTED, "work"]


async def test_a_report_knows_zones_profiles_and_labels(bench: Bench) -> None:
    bench.write("a", line(at="2026-11-22T23:30:00Z"))
    await bench.catch_up()
    assert (await bench.reports.report(UsageQuery())).total_tokens.total == 0
    berlin = await bench.reports.report(UsageQuery(tz="Europe/Berlin"))
    assert (berlin.period, berlin.total_tokens.total, berlin.total_sessions) == ("Today", 100, 1)
    assert berlin.aggregates.by_profile[UNATTRIBUTED].last_used == "2026-11-22T23:30:00Z"
    with pytest.raises(DomainError, match="there is no time zone 'Mars/Olympus'") as zone:
        await bench.reports.report(UsageQuery(tz="Mars/Olympus"))
    assert zone.value.code is ProblemCode.INVALID_FIELD
    with pytest.raises(DomainError, match="there is no profile 'ghost'") as profile:
        await bench.reports.report(UsageQuery(profile="ghost"))
    assert profile.value.code is ProblemCode.UNKNOWN_PROFILE


async def test_the_users_prices_count_after_a_restart_also_for_what_had_none(bench: Bench) -> None:
    bench.write("a", line(model="my-own", tokens=(1000, 0, 0, 0)))
    await bench.catch_up()
    assert (await bench.reports.report(UsageQuery())).total_cost.total_cost is None
    bench.paths.config_dir.mkdir(parents=True)
    bench.paths.prices_file.write_text('[models."my-own"]\ninput = 7\noutput = 1\n')
    bench.restart()
    await bench.catch_up()
    assert (await bench.reports.report(UsageQuery())).total_cost.total_cost == 0.007
    last = bench.updates()[-1]
    assert (last.responses, last.tokens.total, last.cost.total_cost) == (0, 0, 0.007)
    assert await bench.replayed() == await bench.totals()


async def test_the_real_day_is_followed_file_by_file_as_the_agent_writes_it(bench: Bench) -> None:
    names = sorted(path.name for path in LOGS.glob("claude_*.jsonl"))
    async with bench.following():
        for name in names:
            target = bench.logs / "-w" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(LOGS / name, target)
        await until(lambda: sum(update.responses for update in bench.updates()) == 20)
    report = await bench.reports.report(UsageQuery())
    assert report.total_tokens.total == 344_576
    assert report.total_cost.total_cost == 0.4443444
    assert await bench.replayed() == await bench.totals()
