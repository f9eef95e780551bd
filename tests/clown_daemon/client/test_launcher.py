"""Finding and starting the real daemon."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.launcher import StartedDaemon, find_daemon, read_token, resolve_url, start_daemon
from clown_daemon.client.states import Phase
from clown_daemon.client.sync import Follower
from clown_daemon.errors import StartError
from clown_daemon.paths import Paths
from tests.support.following import Told
from tests.support.real_daemon import clean_environment
from tests.support.scripted_daemon import scripted_daemon
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


# -- where it is --


def test_flags_beat_the_running_daemon_which_beats_the_configuration(paths: Paths) -> None:
    assert resolve_url({}, paths) == "http://127.0.0.1:8765"
    paths.config_dir.mkdir(parents=True)
    paths.config_file.write_text("port = 9001\n")
    assert resolve_url({}, paths) == "http://127.0.0.1:9001"
    assert resolve_url({"CLOWN_PORT": "9002"}, paths) == "http://127.0.0.1:9002"
    paths.state_dir.mkdir(parents=True)
    paths.daemon_file.write_text(json.dumps({"pid": 1, "port": 9003, "version": "0", "instance": "i"}))
    assert resolve_url({"CLOWN_PORT": "9002"}, paths) == "http://127.0.0.1:9003"
    assert resolve_url({}, paths, port=9004) == "http://127.0.0.1:9004"
    assert resolve_url({}, paths, port=9004, url="http://h:1/") == "http://h:1"


@pytest.mark.parametrize("port", ["0", "", "http", "99999", "-1"])
def test_a_port_that_is_none_leaves_the_default(paths: Paths, port: str) -> None:
    assert resolve_url({"CLOWN_PORT": port}, paths) == "http://127.0.0.1:8765"


@pytest.mark.parametrize("text", ["", "{", '{"pid":1}', '{"pid":1,"port":"x","version":"0"}'])
async def test_a_broken_daemon_file_is_no_daemon(paths: Paths, text: str) -> None:
    paths.state_dir.mkdir(parents=True)
    paths.daemon_file.write_text(text)
    assert await find_daemon(paths) is None


async def test_a_file_that_a_killed_daemon_left_is_no_daemon(paths: Paths) -> None:
    paths.state_dir.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths.daemon_file.write_text(json.dumps({"pid": 1, "port": port, "version": "0"}))
    assert await find_daemon(paths) is None
    async with scripted_daemon() as other:  # another program has the port now
        paths.daemon_file.write_text(json.dumps({"pid": 1, "port": other.port, "version": "0"}))
        assert await find_daemon(paths) is None


def test_there_is_no_token_before_the_first_start(paths: Paths) -> None:
    assert read_token(paths) is None


# -- starting it --


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


async def test_a_start_that_fails_says_the_daemons_own_words(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} is already in use") as caught:
            await start_daemon(environ, port=port)
    assert caught.value.hint is not None


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
