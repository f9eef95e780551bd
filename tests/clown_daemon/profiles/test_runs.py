"""Runs of profiles with real children: starts, ends, races, and what a dead daemon left behind."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from clown_daemon.errors import DomainError
from clown_daemon.processes import groups
from clown_daemon.profiles import books
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, ProfileStarted, ProfileStopped
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import CreateProfile, OutputQuery, RunProfile
from clown_daemon.protocol.resources import Profile
from clown_daemon.store.profiles import read_profiles
from tests.support.fake_agents import Bench, open_bench
from tests.support.waiting import until

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await open_bench(tmp_path, environ={"FAKE_TOKEN": "x", "FAKE_URL": "y", "NO_PROXY": "corp.example"})
    await bench.service.create(
        CreateProfile(alias="work", agent_id="fake", provider_id="acme", model="m1", api_key=KEY)
    )
    yield bench
    await bench.close()


async def ended(bench: Bench) -> Event:
    await until(lambda: bench.types()[-1:] == ["ProfileStopped"] and bench.service.active_runs == 0)
    return bench.events[-1]


async def printed(bench: Bench) -> list[str]:
    return [line.text for line in (await bench.service.output("work", OutputQuery())).lines]


async def test_a_run_is_published_from_start_to_end(bench: Bench) -> None:
    bench.script("exit 3")
    started = await bench.service.run("work", RunProfile())
    event = await ended(bench)
    assert bench.types() == ["ProfileCreated", "ProfileStarted", "ProfileStopped"]
    assert bench.events[1].data == ProfileStarted(alias="work", pid=started.pid, run_id=started.run_id)
    assert event.data == ProfileStopped(alias="work", exit_code=3, runtime_secs=0, run_id=started.run_id)
    (profile,) = await bench.database.read(read_profiles)
    assert event.resource == profile
    assert profile.run is not None
    assert (profile.run.state, profile.run.exit_code) == ("exited", 3)
    assert profile.last_used is not None


async def test_runtime_is_counted(bench: Bench) -> None:
    bench.script("exec sleep 60")
    await bench.service.run("work", RunProfile())
    bench.clock.advance(61.9)
    await bench.service.stop("work")
    assert isinstance(bench.events[-1].data, ProfileStopped)
    assert bench.events[-1].data.runtime_secs == 61


async def test_the_agent_gets_its_words_and_its_own_environment(bench: Bench) -> None:
    bench.script('echo "$@"; env; pwd')
    await bench.service.run("work", RunProfile(args=("say hi", "--now")))
    await ended(bench)
    lines = await printed(bench)
    home = bench.paths.profiles_dir / "work"
    assert lines[0] == "-p --model m1 say hi --now"
    assert {f"FAKE_HOME={home}/.fake", "FAKE_URL=https://acme.example/main", "FAKE_KEY=[secret]"} <= set(lines)
    assert "NO_PROXY=corp.example,127.0.0.1,localhost,::1" in lines
    assert not [line for line in lines if line.startswith("FAKE_TOKEN=")]
    assert lines[-1] == str(home)
    assert (home / ".fake" / "settings.json").read_text() == "{}"


async def test_the_key_reaches_the_agent_and_is_found_nowhere(bench: Bench) -> None:
    bench.script(
        f'test "$FAKE_KEY" = {KEY} && echo "$FAKE_KEY"; tr "\\0" " " < /proc/$$/cmdline || true; exec sleep 60'
    )
    await bench.service.run("work", RunProfile())
    await until(lambda: bench.service.active_runs == 1)
    argv = psutil.Process(bench.events[-1].data.pid).cmdline()  # type: ignore[union-attr]  # ProfileStarted has it
    assert not [word for word in argv if KEY in word]
    await bench.service.stop("work")
    assert (await printed(bench))[0] == "[secret]"
    agent = bench.folder / "fake-agent"
    holders = [file for file in bench.folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert sorted(holders) == sorted([agent, bench.paths.secrets_file])
    assert not [event for event in bench.events if KEY.encode() in codec.encode(event)]


async def test_a_second_run_is_refused(bench: Bench) -> None:
    bench.script("exec sleep 60")
    results = await asyncio.gather(*(bench.service.run("work", RunProfile()) for _ in range(5)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, DomainError)]
    assert [error.code for error in refused] == [ProblemCode.PROFILE_RUNNING] * 4
    assert bench.types().count("ProfileStarted") == 1
    assert bench.service.active_runs == 1


async def test_a_running_profile_is_not_deleted(bench: Bench) -> None:
    bench.script("exec sleep 60")
    await bench.service.run("work", RunProfile())
    with pytest.raises(DomainError) as caught:
        await bench.service.delete("work")
    assert (caught.value.code, caught.value.hint) == (ProblemCode.PROFILE_RUNNING, "stop it first")
    await bench.service.stop("work")
    await bench.service.delete("work")
    assert not bench.paths.runs_dir.joinpath("work.json").exists()


async def test_stopping_tells_the_signal(bench: Bench) -> None:
    bench.script("exec sleep 60")
    started = await bench.service.run("work", RunProfile())
    first, second = await asyncio.gather(bench.service.stop("work"), bench.service.stop("work"))
    assert first == second
    assert (first.run_id, first.exit_code) == (started.run_id, -signal.SIGTERM)
    with pytest.raises(DomainError) as caught:
        await bench.service.stop("work")
    assert caught.value.code is ProblemCode.PROFILE_NOT_RUNNING


async def test_a_kill_from_outside_is_seen(bench: Bench) -> None:
    bench.script("exec sleep 60")
    started = await bench.service.run("work", RunProfile())
    os.kill(started.pid, signal.SIGKILL)
    event = await ended(bench)
    assert isinstance(event.data, ProfileStopped)
    assert event.data.exit_code == -signal.SIGKILL


async def test_a_caller_that_goes_away_leaves_no_unknown_child(bench: Bench) -> None:
    bench.script("exec sleep 60")
    for _ in range(5):
        call = asyncio.ensure_future(bench.service.run("work", RunProfile()))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: bench.service.active_runs == 1)
        await bench.service.stop("work")
    assert bench.types()[1:] == ["ProfileStarted", "ProfileStopped"] * 5


async def test_a_program_that_does_not_start_is_a_failed_run(bench: Bench) -> None:
    (bench.folder / "fake-agent").write_bytes(b"\0")
    (bench.folder / "fake-agent").chmod(0o700)
    with pytest.raises(DomainError) as caught:
        await bench.service.run("work", RunProfile())
    assert caught.value.code is ProblemCode.SPAWN_FAILED
    assert bench.types()[1:] == ["ProfileStopped"]
    profile = bench.events[-1].resource
    assert isinstance(profile, Profile)
    assert profile.run is not None
    assert (profile.run.state, profile.run.error) == ("failed", str(caught.value))


async def test_an_agent_that_is_gone_is_told(bench: Bench) -> None:
    with pytest.raises(DomainError) as caught:
        await bench.service.run("work", RunProfile())
    assert caught.value.code is ProblemCode.AGENT_NOT_INSTALLED
    assert "ProfileStarted" not in bench.types()


async def test_an_agent_that_was_never_there_is_told_without_a_run(tmp_path: Path) -> None:
    bench = await open_bench(tmp_path, installed=False)
    await bench.service.create(CreateProfile(alias="work", agent_id="fake", provider_id="self"))
    with pytest.raises(DomainError) as caught:
        await bench.service.run("work", RunProfile())
    assert caught.value.code is ProblemCode.AGENT_NOT_INSTALLED
    assert bench.types() == ["ProfileCreated"]
    await bench.close()


@pytest.mark.parametrize("folder", ["relative", "/nowhere/at/all"])
async def test_a_folder_that_cannot_be_is_refused(bench: Bench, folder: str) -> None:
    bench.script("exit 0")
    with pytest.raises(DomainError, match="working_dir") as caught:
        await bench.service.run("work", RunProfile(working_dir=folder))
    assert caught.value.code is ProblemCode.INVALID_FIELD


async def test_output_is_paged_and_outlives_the_run_and_the_daemon(bench: Bench, tmp_path: Path) -> None:
    bench.script("printf 'one\\ntwo\\nthree'")
    started = await bench.service.run("work", RunProfile())
    await ended(bench)
    first = await bench.service.output("work", OutputQuery(limit=2))
    assert ([line.text for line in first.lines], first.next, first.running) == (["one", "two"], 2, False)
    again = await open_bench(tmp_path)
    rest = await again.service.output("work", OutputQuery(after=first.next))
    assert ([line.text for line in rest.lines], rest.next, rest.run_id) == (["three"], 3, started.run_id)
    await again.close()


async def test_a_profile_that_never_ran_has_no_output(bench: Bench) -> None:
    page = await bench.service.output("work", OutputQuery())
    assert (page.run_id, page.lines, page.running) == (None, (), False)


async def test_closing_ends_all_runs_and_writes_it_down(bench: Bench) -> None:
    bench.script("exec sleep 60")
    for alias in ("b", "c"):
        await bench.service.create(CreateProfile(alias=alias, agent_id="fake", provider_id="self"))
        await bench.service.run(alias, RunProfile())
    await bench.service.close()
    assert bench.service.active_runs == 0
    assert bench.types().count("ProfileStopped") == 2
    with pytest.raises(DomainError) as caught:
        await bench.service.run("work", RunProfile())
    assert caught.value.code is ProblemCode.SHUTTING_DOWN


async def left_behind(bench: Bench, run_id: str, pid: int, process_start: float | None) -> None:
    """Books as a daemon leaves them that was killed under a run."""
    await bench.database.write(partial(books.open_run, alias="work", run_id=run_id))
    await bench.database.write(
        partial(books.record_start, alias="work", run_id=run_id, pid=pid, process_start=process_start)
    )


async def test_a_run_that_outlived_the_daemon_is_adopted(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:  # noqa: ASYNC220  # an earlier daemon's
        await left_behind(bench, "r1", child.pid, groups.start_time(child.pid))
        await bench.service.reconcile()
        assert bench.service.active_runs == 1
        assert (await bench.service.output("work", OutputQuery())).running
        child.kill()
        event = await ended(bench)
    assert event.data == ProfileStopped(alias="work", exit_code=None, runtime_secs=0, run_id="r1")


async def test_an_adopted_run_can_be_stopped(bench: Bench) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:  # noqa: ASYNC220  # an earlier daemon's
        await left_behind(bench, "r1", child.pid, groups.start_time(child.pid))
        await bench.service.reconcile()
        assert (await bench.service.stop("work")).exit_code is None
        assert child.wait() == -signal.SIGTERM


async def test_a_run_that_ended_unseen_is_lost(bench: Bench) -> None:
    with subprocess.Popen(["true"], start_new_session=True) as child:  # noqa: ASYNC220  # an earlier daemon's
        start = groups.start_time(child.pid)
    await left_behind(bench, "r1", child.pid, start or 0.0)
    bench.clock.advance(86_400)
    await bench.service.reconcile()
    event = bench.events[-1]
    assert event.data == ProfileStopped(alias="work", exit_code=None, runtime_secs=0, run_id="r1")
    assert isinstance(event.resource, Profile)
    assert event.resource.run is not None
    assert event.resource.run.state == "lost"
    assert (await bench.database.read(read_profiles))[0] == event.resource


async def test_a_child_whose_pid_was_never_written_is_found_by_its_mark(bench: Bench) -> None:
    await bench.database.write(partial(books.open_run, alias="work", run_id="r1"))
    environ = {**os.environ, "CLOWN_RUN_ID": "r1"}
    with subprocess.Popen(["sleep", "60"], start_new_session=True, env=environ) as child:  # noqa: ASYNC220  # the same
        await bench.service.reconcile()
        assert bench.events[-1].data == ProfileStarted(alias="work", pid=child.pid, run_id="r1")
        await bench.service.stop("work")


async def test_a_start_that_is_not_published_yet_is_not_in_the_snapshot(bench: Bench) -> None:
    await bench.database.write(partial(books.open_run, alias="work", run_id="r1"))
    (profile,) = await bench.database.read(read_profiles)
    assert profile == bench.events[-1].resource
