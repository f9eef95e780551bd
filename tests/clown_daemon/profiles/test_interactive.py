"""Runs that own the user's terminal, as the daemon's books see them: whoever starts them here is the test."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.manifests.recipe import Through
from clown_daemon.profiles import last_words
from clown_daemon.profiles.unheard_ends import UnheardEnd, leave_note, read_note
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import EventData, ProfileStarted, ProfileStopped
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import SECRET_MARK, PreparedRun
from clown_daemon.protocol.requests import CreateProfile, PrepareRun, RunBegan, RunEnded, RunProfile
from clown_daemon.protocol.resources import Profile, Run
from clown_daemon.store.database import Transaction
from tests.support.fake_agents import HASTY, Bench, NoProxies, open_bench
from tests.support.waiting import until

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await open_bench(tmp_path)
    bench.script("exec sleep 60")
    await bench.service.create(
        CreateProfile(alias="work", agent_id="fake", provider_id="acme", model="m1", api_key=KEY)
    )
    yield bench
    await bench.close()


@contextlib.contextmanager
def process(prepared: PreparedRun) -> Iterator["subprocess.Popen[bytes]"]:
    """An agent as `clown run` starts it."""
    environ = {"PATH": os.environ["PATH"], **prepared.env}
    with subprocess.Popen(["sleep", "60"], env=environ, process_group=0) as started:
        try:
            yield started
        finally:
            with contextlib.suppress(ProcessLookupError):
                started.kill()


async def prepare(bench: Bench) -> PreparedRun:
    return await bench.runs.prepare(PrepareRun(alias="work", args=("-c", "hi")))


async def begin(bench: Bench, prepared: PreparedRun, pid: int) -> None:
    await bench.runs.began(prepared.run_id, RunBegan(pid=pid))


async def end(bench: Bench, prepared: PreparedRun, exit_code: int) -> None:
    await bench.runs.ended(prepared.run_id, RunEnded(exit_code=exit_code))


def last(bench: Bench) -> EventData:
    return bench.events[-1].data


def last_run(bench: Bench) -> Run:
    profile = bench.events[-1].resource
    assert isinstance(profile, Profile)
    assert profile.run is not None
    return profile.run


async def stopped(bench: Bench) -> ProfileStopped:
    await until(lambda: bench.types()[-1:] == ["ProfileStopped"] and bench.runs.count == 0)
    data = bench.events[-1].data
    assert isinstance(data, ProfileStopped)
    return data


async def restarted(bench: Bench, folder: Path, **options: object) -> Bench:
    """The next daemon, after one that was stopped."""
    await bench.close()
    again = await open_bench(folder, **options)  # type: ignore[arg-type]  # as given
    await again.service.reconcile()
    return again


# -- from begin to end


async def test_a_run_is_published_from_begin_to_end(bench: Bench) -> None:
    prepared = await prepare(bench)
    assert bench.types() == ["ProfileCreated"]
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
        assert last(bench) == ProfileStarted(alias="work", pid=agent.pid, run_id=prepared.run_id)
        assert (last_run(bench).state, last_run(bench).interactive) == ("running", True)
        bench.clock.advance(61.9)
    await end(bench, prepared, 3)
    assert last(bench) == ProfileStopped(alias="work", exit_code=3, runtime_secs=61, run_id=prepared.run_id)
    assert (last_run(bench).state, last_run(bench).exit_code) == ("exited", 3)
    assert bench.runs.count == 0


async def test_what_is_prepared_is_all_that_a_start_needs_but_the_secret(bench: Bench) -> None:
    prepared = await prepare(bench)
    home = bench.paths.profiles_dir / "work"
    assert prepared.argv == (str(bench.folder / "fake-agent"), "-p", "--model", "m1", "-c", "hi")
    assert prepared.env == {
        "FAKE_HOME": f"{home}/.fake",
        "FAKE_KEY": SECRET_MARK,
        "FAKE_URL": "https://acme.example/main",
        "CLOWN_RUN_ID": prepared.run_id,
    }
    assert prepared.unset == ("FAKE_HOME", "FAKE_KEY", "FAKE_TOKEN", "FAKE_URL")
    assert (prepared.secret, prepared.working_dir) == ("work", str(home))
    assert (home / ".fake" / "settings.json").read_text() == "{}"
    assert KEY not in repr(codec.encode(prepared))


async def test_behind_a_proxy_its_token_is_the_secret(tmp_path: Path) -> None:
    class OneProxy(NoProxies):
        async def find(self, alias: str) -> Through | None:
            return Through("http://127.0.0.1:8081", "clown-token", f"{alias} proxy")

    bench = await open_bench(tmp_path, proxies=OneProxy())
    await bench.service.create(CreateProfile(alias="work", agent_id="fake", provider_id="acme", api_key=KEY))
    prepared = await bench.runs.describe("work")
    assert prepared.secret == "work proxy"
    assert prepared.env["FAKE_KEY"] == SECRET_MARK
    assert prepared.env["FAKE_URL"] == "http://127.0.0.1:8081"
    assert bench.runs.count == 0
    await bench.close()


async def test_any_number_run_at_once_and_the_profile_shows_the_newest_that_goes_on(bench: Bench) -> None:
    runs = [await prepare(bench) for _ in range(3)]
    with contextlib.ExitStack() as agents:
        for run in runs:
            await begin(bench, run, agents.enter_context(process(run)).pid)
        await bench.service.run("work", RunProfile())
        await end(bench, runs[2], 0)
        assert last_run(bench).state == "running"
        await end(bench, runs[0], 1)
        assert last_run(bench).run_id != runs[0].run_id
    assert bench.types().count("ProfileStarted") == 4


async def test_an_agent_that_has_ended_before_its_begin_was_told_is_told_from_begin_to_end(bench: Bench) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        pass
    await begin(bench, prepared, agent.pid)
    await end(bench, prepared, 7)
    assert bench.types()[1:] == ["ProfileStarted", "ProfileStopped"]
    assert last_run(bench).exit_code == 7


async def test_a_begin_that_is_told_again_is_one_begin_and_another_process_is_refused(bench: Bench) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent, process(prepared) as other:
        await asyncio.gather(*(begin(bench, prepared, agent.pid) for _ in range(3)))
        with pytest.raises(DomainError) as caught:
            await begin(bench, prepared, other.pid)
    assert caught.value.code is ProblemCode.RUN_BEGUN
    assert bench.types().count("ProfileStarted") == 1


async def test_a_run_that_nobody_knows_is_refused(bench: Bench) -> None:
    prepared = await prepare(bench)
    await end(bench, prepared, 0)
    for telling in (begin(bench, prepared, 1), end(bench, prepared, 0)):
        with pytest.raises(DomainError) as caught:
            await telling
        assert caught.value.code is ProblemCode.UNKNOWN_RUN


async def test_why_an_agent_did_not_start_is_kept(bench: Bench) -> None:
    prepared = await prepare(bench)
    await bench.runs.ended(prepared.run_id, RunEnded(error="it is no program"))
    assert (last_run(bench).state, last_run(bench).error) == ("failed", "it is no program")
    assert bench.types()[1:] == ["ProfileStopped"]


async def test_what_does_not_begin_is_given_up(tmp_path: Path) -> None:
    bench = await open_bench(tmp_path, patience=HASTY)
    await bench.service.create(CreateProfile(alias="work", agent_id="fake", provider_id="acme"))
    await prepare(bench)
    assert (await stopped(bench)).error == "it was prepared and did not begin"
    await bench.close()


async def test_an_end_that_nobody_tells_is_seen(tmp_path: Path) -> None:
    bench = await open_bench(tmp_path, patience=HASTY._replace(begin_seconds=60))
    await bench.service.create(CreateProfile(alias="work", agent_id="fake", provider_id="acme"))
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
    assert await stopped(bench) == ProfileStopped(alias="work", exit_code=None, runtime_secs=0, run_id=prepared.run_id)
    await bench.close()


async def test_stopping_ends_every_run_and_tells_the_code_that_was_told(bench: Bench) -> None:
    runs = [await prepare(bench) for _ in range(2)]
    with process(runs[0]) as first, process(runs[1]) as second:
        await begin(bench, runs[0], first.pid)
        await begin(bench, runs[1], second.pid)
        stopping = asyncio.ensure_future(bench.service.stop("work"))
        for run, agent in zip(runs, (first, second), strict=True):
            assert await asyncio.to_thread(agent.wait) == -signal.SIGTERM
            await end(bench, run, -signal.SIGTERM)
        reply = await stopping
    assert (reply.run_id, reply.exit_code) == (runs[1].run_id, -signal.SIGTERM)
    assert reply.message == "work stopped, exit code -15, and 1 more"


async def test_a_profile_that_is_about_to_run_is_not_deleted_but_not_stopped_either(bench: Bench) -> None:
    await prepare(bench)
    with pytest.raises(DomainError) as caught:
        await bench.service.delete("work")
    assert caught.value.code is ProblemCode.PROFILE_RUNNING
    with pytest.raises(DomainError) as caught:
        await bench.service.stop("work")
    assert caught.value.code is ProblemCode.PROFILE_NOT_RUNNING


async def test_an_end_that_the_books_refuse_is_kept_until_they_take_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
    write = bench.database.write
    refusing = True

    async def refuse(change: Callable[[Transaction], object]) -> object:
        if refusing:
            raise StoreUnavailableError("the disk is full")
        return await write(change)

    monkeypatch.setattr(bench.database, "write", refuse)
    monkeypatch.setattr(last_words, "STORE_RETRY_SECONDS", (0.01,))
    with pytest.raises(StoreUnavailableError, match="cannot be written down yet"):
        await end(bench, prepared, 5)
    refusing = False
    assert (await stopped(bench)).exit_code == 5


# -- the end of the daemon is not theirs


async def test_the_next_daemon_takes_up_a_run_and_is_told_its_end(bench: Bench, tmp_path: Path) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
        again = await restarted(bench, tmp_path)
        assert (again.types(), again.service.active_runs) == ([], 1)
    await end(again, prepared, 8)
    assert (await stopped(again)).exit_code == 8
    await again.close()


async def test_a_run_that_ended_between_two_daemons_may_still_be_told(bench: Bench, tmp_path: Path) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
    again = await restarted(bench, tmp_path)
    await end(again, prepared, 9)
    assert (await stopped(again)).exit_code == 9
    await again.close()


async def test_a_run_that_ended_between_two_daemons_untold_is_lost(bench: Bench, tmp_path: Path) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
    again = await restarted(bench, tmp_path, patience=HASTY)
    assert (await stopped(again)).exit_code is None
    assert last_run(again).state == "lost"
    await again.close()


@pytest.mark.parametrize("announced", [True, False])
async def test_what_no_daemon_heard_is_read_from_the_note(bench: Bench, tmp_path: Path, *, announced: bool) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        if announced:
            await begin(bench, prepared, agent.pid)
    note = UnheardEnd(run_id=prepared.run_id, pid=agent.pid, exit_code=-9, ended_ms=bench.database.now_ms() + 42_000)
    leave_note(bench.paths.unheard_ends_dir, note)
    again = await restarted(bench, tmp_path)
    assert await stopped(again) == ProfileStopped(alias="work", exit_code=-9, runtime_secs=42, run_id=prepared.run_id)
    assert again.types() == ([] if announced else ["ProfileStarted"]) + ["ProfileStopped"]
    assert read_note(again.paths.unheard_ends_dir, prepared.run_id) is None
    await again.close()


async def test_a_note_counts_also_while_the_daemon_that_did_not_hear_goes_on(tmp_path: Path) -> None:
    bench = await open_bench(tmp_path, patience=HASTY._replace(begin_seconds=60))
    await bench.service.create(CreateProfile(alias="work", agent_id="fake", provider_id="acme"))
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
        leave_note(
            bench.paths.unheard_ends_dir,
            UnheardEnd(run_id=prepared.run_id, pid=agent.pid, exit_code=4, ended_ms=bench.database.now_ms()),
        )
    assert (await stopped(bench)).exit_code == 4
    await bench.close()


async def test_notes_that_concern_nobody_are_thrown_away(bench: Bench) -> None:
    leave_note(bench.paths.unheard_ends_dir, UnheardEnd(run_id="old", pid=1, exit_code=0, ended_ms=0))
    (bench.paths.unheard_ends_dir / "odd.json").write_text("no note")
    await bench.service.reconcile()
    assert list(bench.paths.unheard_ends_dir.iterdir()) == []


async def test_a_run_that_was_only_prepared_may_begin_under_the_next_daemon(bench: Bench, tmp_path: Path) -> None:
    prepared = await prepare(bench)
    again = await restarted(bench, tmp_path)
    assert again.types() == []
    with process(prepared) as agent:
        await begin(again, prepared, agent.pid)
    await end(again, prepared, 0)
    assert again.types() == ["ProfileStarted", "ProfileStopped"]
    await again.close()


async def test_an_agent_whose_begin_was_never_told_is_found_by_its_mark(bench: Bench, tmp_path: Path) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        again = await restarted(bench, tmp_path)
        assert again.events[-1].data == ProfileStarted(alias="work", pid=agent.pid, run_id=prepared.run_id)
        await begin(again, prepared, agent.pid)
    await end(again, prepared, 0)
    assert again.types() == ["ProfileStarted", "ProfileStopped"]
    await again.close()


async def test_a_daemon_that_stops_leaves_runs_alone_and_hears_nothing_more(bench: Bench) -> None:
    prepared = await prepare(bench)
    with process(prepared) as agent:
        await begin(bench, prepared, agent.pid)
        await bench.service.close()
        assert agent.poll() is None
        assert bench.types()[-1] == "ProfileStarted"
        for telling in (end(bench, prepared, 0), prepare(bench)):
            with pytest.raises(DomainError) as caught:
                await telling
            assert caught.value.code is ProblemCode.SHUTTING_DOWN
