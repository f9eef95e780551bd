from collections.abc import AsyncIterator, Callable
from itertools import count as count_up
from pathlib import Path

import pytest

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.protocol.events import UsageImported, UsageImportProgressed
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import CancelImports, ImportUsage
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.usage import importing, imports, jobs, pace, progress, reader, reading
from tests.support.transcripts import line
from tests.support.usage import Bench, open_bench
from tests.support.waiting import until


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as opened:
        yield opened


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "APART_SECONDS", 0.01)
    monkeypatch.setattr(reader, "PART_ENTRIES", 5)
    monkeypatch.setattr(reader, "READ_BYTES", 4096)
    monkeypatch.setattr(reader, "ANSWER_ENTRIES", 5)
    monkeypatch.setattr(importing, "BATCH_ENTRIES", 5)


def write_logs(bench: Bench, logs: int, responses: int) -> None:
    for log in range(logs):
        lines = (line(f"{log}.{n}", f"{log}.{n}", session=f"s{log}", tokens=(1, 0, 0, 0)) for n in range(responses))
        bench.write(f"{log:03}", b"".join(lines))


def states(bench: Bench) -> list[UsageImport]:
    return [event.resource for event in bench.events if isinstance(event.resource, UsageImport)]


async def count(bench: Bench) -> int:
    return sum(total.month.responses for total in await bench.totals())


# -- large ------------------------------------------------------------------------------------------------------------


async def test_much_is_read_by_workers_and_is_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_LOGS", 20)
    monkeypatch.setattr(jobs, "JOB_TASKS", 3)
    write_logs(bench, logs=40, responses=10)
    await bench.catch_up()
    assert await count(bench) == 400
    assert await bench.replayed() == await bench.totals()
    [state] = await bench.imports()
    assert (state.state, state.files_done, state.files_total, state.records_imported) == ("done", 40, 40, 400)
    assert state.bytes_done == state.bytes_total
    await bench.catch_up()
    assert await count(bench) == 400


async def test_without_workers_it_is_read_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_LOGS", 1)
    monkeypatch.setattr("clown_daemon.usage.workers.PROGRAM", ("/nothing/there",))
    write_logs(bench, logs=5, responses=10)
    await bench.catch_up()
    assert await count(bench) == 50
    assert bench.service.problems == ()


async def test_years_of_logs_that_appear_at_once_are_an_import(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_LOGS", 20)
    async with bench.following():
        write_logs(bench, logs=40, responses=3)
        await until(lambda: sum(update.responses for update in bench.updates()) == 120)
        await until(lambda: any(isinstance(event.data, UsageImported) for event in bench.events))
    assert any(update.imported for update in bench.updates())


async def test_progress_is_told_with_rate_and_time_left(
    bench: Bench, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(progress, "TRUSTED_SECONDS", 0.0)
    monkeypatch.setattr(bench.clock, "monotonic", _ticking())
    write_logs(bench, logs=3, responses=20)
    await bench.catch_up()
    running = [state for state in states(bench) if state.state == "running"]
    assert len(running) > 3
    assert [state.bytes_done for state in running] == sorted(state.bytes_done for state in running)
    assert all(state.records_imported <= 60 and state.files_total == 3 for state in running)
    assert running[-1].bytes_per_second
    assert running[-1].seconds_left == 0
    assert states(bench)[-1].state == "done"
    assert [state.started_at for state in states(bench)] == [running[0].started_at] * len(states(bench))


def _ticking() -> Callable[[], float]:
    seconds = count_up()
    return lambda: float(next(seconds))


# -- on request -------------------------------------------------------------------------------------------------------


async def test_an_import_on_request_is_told_as_it_begins_and_as_it_ends(bench: Bench) -> None:
    write_logs(bench, logs=2, responses=3)
    begun = await bench.service.import_usage(ImportUsage(source="claude"))
    assert (begun.state, begun.files_done, begun.files_total, begun.records_imported) == ("running", 0, 2, 0)
    assert await bench.imports() == (begun,)
    await bench.service._importer.do_all()
    assert states(bench)[0] == begun
    assert (states(bench)[-1].state, states(bench)[-1].records_imported) == ("done", 6)
    assert bench.events[-1].data == UsageImported(source="claude", records_imported=6)


async def test_nothing_new_is_told_too(bench: Bench) -> None:
    write_logs(bench, logs=1, responses=1)
    await bench.catch_up()
    before = len(bench.events)
    await bench.service.import_usage(ImportUsage(source="claude"))
    await bench.service._importer.do_all()
    assert [event.data for event in bench.events[before:]] == [
        UsageImportProgressed(source="claude", files_done=0, files_total=0),
        UsageImported(source="claude", records_imported=0),
    ]


async def test_one_that_runs_is_answered_and_another_of_the_same_source_refused(bench: Bench, tmp_path: Path) -> None:
    write_logs(bench, logs=1, responses=1)
    first = await bench.service.import_usage(ImportUsage(source="claude"))
    assert await bench.service.import_usage(ImportUsage(source="claude")) == first
    other = bench.write("b", line("b", "b"), tmp_path / "else" / "projects")
    with pytest.raises(DomainError, match="logs of Claude Code are being imported already") as raised:
        await bench.service.import_usage(ImportUsage(source="claude", path=str(tmp_path / "else")))
    assert raised.value.code is ProblemCode.BUSY
    await bench.service._importer.do_all()
    await bench.service.import_usage(ImportUsage(source="claude", path=str(other)))
    await bench.service._importer.do_all()
    assert await count(bench) == 2


async def test_the_import_that_the_daemon_began_itself_is_answered_too(bench: Bench) -> None:
    write_logs(bench, logs=1, responses=1)
    await bench.service._follower.catch_up()
    state = await bench.service.import_usage(ImportUsage(source="claude"))
    assert (state.state, state.files_total) == ("running", 1)
    await bench.service._importer.do_all()
    assert await count(bench) == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("cluade", "source: there is no source 'cluade'; did you mean claude?"),
        ("zzz", "source: there is no source 'zzz'"),
        ("grok", "source: what Grok CLI writes is not known, so it is not read"),
    ],
)
async def test_an_unknown_source_is_refused_with_the_nearest(bench: Bench, source: str, sentence: str) -> None:
    with pytest.raises(DomainError) as raised:
        await bench.service.import_usage(ImportUsage(source=source))
    assert (raised.value.code, str(raised.value)) == (ProblemCode.INVALID_FIELD, sentence)
    assert "claude" in (raised.value.hint or "")
    with pytest.raises(DomainError):
        await bench.service.cancel_imports(CancelImports(source=source))


# -- cancelled --------------------------------------------------------------------------------------------------------


async def test_what_was_read_before_it_was_cancelled_stays_and_the_rest_is_left_alone(
    bench: Bench, small_batches: None
) -> None:
    write_logs(bench, logs=20, responses=20)
    await bench.service.import_usage(ImportUsage(source="claude"))
    async with bench.importing():
        await until(lambda: len(bench.updates()) >= 2)
        [state] = await bench.service.cancel_imports(CancelImports())
    kept = await count(bench)
    assert (state.state, state.records_imported) == ("cancelled", kept)
    assert 0 < kept < 400
    assert await bench.imports() == (state,)
    await bench.look()
    assert await count(bench) == kept, "what was left alone is not followed"
    [described] = [found for found in await bench.service.sources() if found.source == "claude"]
    assert described.state == "cancelled"

    last = max(bench.logs.rglob("*.jsonl"))
    with last.open("ab") as stream:
        stream.write(line("new", "new", tokens=(1, 0, 0, 0)))
    await bench.look(last)
    assert await count(bench) == kept + 21, "a log that changes is read wholly"

    await bench.service.import_usage(ImportUsage(source="claude"))
    await bench.service._importer.do_all()
    assert await count(bench) == 401
    [described] = [found for found in await bench.service.sources() if found.source == "claude"]
    assert described.state == "following"


async def test_a_restart_reads_what_was_left_alone(bench: Bench) -> None:
    write_logs(bench, logs=2, responses=2)
    await bench.service.import_usage(ImportUsage(source="claude"))
    entry = bench.service._importer.of("claude")
    assert entry is not None
    entry.cancelled = True
    await bench.service._importer.do_all()
    assert await count(bench) == 0
    bench.restart()
    await bench.catch_up()
    assert await count(bench) == 4


async def test_one_that_waits_for_its_turn_is_cancelled_at_once(bench: Bench, tmp_path: Path) -> None:
    write_logs(bench, logs=1, responses=1)
    codex = tmp_path / "home" / ".codex" / "sessions"
    codex.mkdir(parents=True)
    (codex / "rollout.jsonl").write_text("{}\n")
    await bench.service.import_usage(ImportUsage(source="claude"))
    await bench.service.import_usage(ImportUsage(source="codex"))
    [state] = await bench.service.cancel_imports(CancelImports(source="codex"))
    assert (state.source, state.state, state.files_done, state.files_total) == ("codex", "cancelled", 0, 1)
    assert await bench.service.cancel_imports(CancelImports(source="codex")) == ()
    await bench.service._importer.do_all()
    assert await count(bench) == 1


async def test_workers_of_an_import_that_is_cancelled_end_and_the_next_one_has_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_LOGS", 5)
    monkeypatch.setattr(jobs, "JOB_TASKS", 1)
    monkeypatch.setattr(importing, "BATCH_ENTRIES", 10)
    monkeypatch.setattr(pace, "APART_SECONDS", 0.01)
    write_logs(bench, logs=60, responses=10)
    await bench.service.import_usage(ImportUsage(source="claude"))
    async with bench.importing():
        await until(lambda: len(bench.updates()) >= 1)
        [state] = await bench.service.cancel_imports(CancelImports())
        assert state.state == "cancelled"
        await bench.service.import_usage(ImportUsage(source="claude"))
        await until(lambda: states(bench)[-1].state == "done")
    assert await count(bench) == 600


# -- the disk ---------------------------------------------------------------------------------------------------------


async def test_an_import_waits_for_the_disk_and_loses_nothing(
    bench: Bench, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "RETRY_SECONDS", 0.01)
    write_logs(bench, logs=4, responses=10)
    write, calls = bench.database.write, 0

    async def sometimes(change: object) -> object:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise StoreUnavailableError("the database cannot be written: database or disk is full")
        return await write(change)  # type: ignore[arg-type]  # whatever the service passed

    monkeypatch.setattr(bench.database, "write", sometimes)
    with pytest.raises(StoreUnavailableError):
        await bench.import_claude()
    await bench.catch_up()
    assert await count(bench) == 40
    assert bench.service.problems == ()
    assert states(bench)[-1].state == "done"
