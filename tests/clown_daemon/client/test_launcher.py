"""Finding and starting the real daemon."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.discovery import StartedDaemon, find_daemon, read_token, resolve_url
from clown_daemon.client.launcher import start_daemon
from clown_daemon.client.states import Phase
from clown_daemon.client.sync import Follower
from clown_daemon.errors import StartError
from clown_daemon.paths import Paths
from tests.support.activation import socket_unit
from tests.support.following import Told
from tests.support.real_daemon import clean_environment
from tests.support.waiting import until


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**clean_environment(tmp_path), "CLOWN_PORT": "0"}


@pytest.fixture
def paths(environ: dict[str, str]) -> Paths:
    return Paths.from_environment(environ)


@pytest.fixture
async def started(environ: dict[str, str]) -> AsyncIterator[StartedDaemon]:
    daemon = await start_daemon(environ)
    yield daemon
    await end(daemon.pid)


async def end(pid: int) -> None:
    """Stop a daemon that was started, and wait until it is gone."""
    os.kill(pid, signal.SIGTERM)
    await until(lambda: not psutil.pid_exists(pid))


async def test_a_started_daemon_answers_and_is_found(started: StartedDaemon, paths: Paths) -> None:
    assert await find_daemon(paths) == started
    assert started.state_dir == paths.state_dir
    assert resolve_url({}, paths) == started.url
    assert read_token(paths)
    async with DaemonApi(started.url) as api:
        assert (await api.daemon_status()).pid == started.pid


async def test_it_is_detached_and_keeps_nothing_of_ours(started: StartedDaemon) -> None:
    process = psutil.Process(started.pid)
    assert os.getsid(started.pid) == started.pid
    assert process.cwd() == "/"
    assert process.terminal() is None


async def test_starting_again_answers_the_one_that_runs(started: StartedDaemon, environ: dict[str, str]) -> None:
    assert await start_daemon(environ) == started


async def test_twenty_racing_callers_start_one_daemon(environ: dict[str, str], paths: Paths) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(beat(), name="beat")
        racing = [tasks.create_task(start_daemon(environ), name="start") for _ in range(20)]
        found = await asyncio.gather(*racing)
        beating.cancel()
    try:
        assert len({daemon.pid for daemon in found}) == 1
        assert len(set(found)) == 1
        assert beats > 3, "the loop was blocked"
        log = paths.log_file.read_text()
        assert log.count("listening on") == 1
        assert "already runs" not in log
    finally:
        await end(found[0].pid)


async def race(environ: dict[str, str], port: int | None = None) -> list[StartedDaemon | StartError]:
    """Start twenty times at once."""
    answers = await asyncio.gather(*(start_daemon(environ, port) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(answer, StartedDaemon | StartError) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, StartedDaemon | StartError)]


async def test_a_port_that_is_taken_is_one_clear_error_for_all_who_wait(environ: dict[str, str], paths: Paths) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        errors = await race(environ, port)
        sentence = f"port {port} is already in use by "
        assert all(isinstance(error, StartError) and str(error).startswith(sentence) for error in errors), errors
        assert all(isinstance(error, StartError) and error.hint for error in errors)
        assert paths.log_file.read_text().count(sentence) == 1, "each of them tried what could not work"
    started = await start_daemon(environ, port)  # what failed before is no reason not to try
    await end(started.pid)
    assert started.url == f"http://127.0.0.1:{port}"


async def test_what_a_killed_daemon_left_is_in_nobodys_way(environ: dict[str, str], paths: Paths) -> None:
    killed = await start_daemon(environ)
    os.kill(killed.pid, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(killed.pid))
    assert paths.daemon_file.exists()
    assert paths.lock_file.exists()
    found = await race(environ)
    assert len(set(found)) == 1
    assert isinstance(found[0], StartedDaemon)
    await end(found[0].pid)
    assert found[0].pid != killed.pid


async def test_a_service_managers_socket_is_woken_instead_of_fought_for(tmp_path: Path) -> None:
    async with socket_unit(tmp_path) as unit:
        environ = {**unit.environ, "CLOWN_PORT": str(unit.port)}
        found = await race(environ)
        assert unit.process is not None
        assert {answer.pid for answer in found if isinstance(answer, StartedDaemon)} == {unit.process.pid}
        assert len(set(found)) == 1


def program(file: Path, *lines: str) -> str:
    """A program that is started instead of Python."""
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return str(file)


async def test_a_daemon_that_dies_before_it_is_ready_is_told(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", program(tmp_path / "dies", "exit 3"))
    with pytest.raises(StartError, match="ended before it was ready") as caught:
        await start_daemon(environ)
    assert caught.value.hint is not None


async def test_one_that_dies_while_it_starts_is_nobody_elses_failure(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = f'mkdir "{tmp_path}/died" 2>/dev/null && exit 3'
    monkeypatch.setattr("sys.executable", program(tmp_path / "dies once", first, f'exec "{sys.executable}" "$@"'))
    answers = await race(environ)
    failed = [answer for answer in answers if isinstance(answer, StartError)]
    assert ["ended before it was ready" in str(error) for error in failed] == [True]
    found = [answer for answer in answers if isinstance(answer, StartedDaemon)]
    assert len(found) == 19
    assert len(set(found)) == 1
    await end(found[0].pid)


async def test_a_daemon_that_is_never_ready_is_given_up(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.client.launcher.START_SECONDS", 0.5)
    monkeypatch.setattr("sys.executable", program(tmp_path / "hangs", f"echo $$ >{tmp_path}/pid", "exec sleep 60"))
    with pytest.raises(StartError, match=r"not ready within 0\.5 s"):
        await start_daemon(environ)
    await end(int((tmp_path / "pid").read_text()))


async def test_a_folder_that_cannot_be_used_is_one_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StartError, match="cannot be used"):
        await start_daemon({**environ, "CLOWN_HOME": str(blocked / "below")})


async def test_a_follower_starts_the_daemon_it_needs(environ: dict[str, str], paths: Paths) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with Follower(url, start=lambda: start_daemon(environ)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert Phase.STARTING in told.phases
        found = await find_daemon(paths)
        assert found is not None
        assert follower.url == found.url
    await end(found.pid)
