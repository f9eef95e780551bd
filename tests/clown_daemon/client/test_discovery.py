"""Finding the daemon that runs, and seeing that none does."""

import asyncio
import fcntl
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clown_daemon.client.discovery import find_daemon, is_held, read_token, resolve_url, wanted_port
from clown_daemon.paths import Paths
from tests.support.real_daemon import clean_environment
from tests.support.scripted_daemon import scripted_daemon


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment(clean_environment(tmp_path))


@pytest.fixture
def held(paths: Paths) -> Iterator[None]:
    """Hold the state folder as a daemon does."""
    paths.state_dir.mkdir(parents=True)
    with paths.lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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


def test_there_is_no_token_before_the_first_start(paths: Paths) -> None:
    assert read_token(paths) is None


@pytest.mark.parametrize(
    ("variable", "text", "port"),
    [
        ("", "", 8765),
        ("9000", "port = 9001", 9000),
        ("", "port = 9001", 9001),
        ("0", "", None),
        ("http", "", None),
        ("", "port = 0", None),
        ("", "port = [", 8765),
    ],
)
def test_the_port_that_a_daemon_would_take(paths: Paths, variable: str, text: str, port: int | None) -> None:
    paths.config_dir.mkdir(parents=True)
    paths.config_file.write_text(text)
    assert wanted_port({"CLOWN_PORT": variable}, paths) == port


# -- is there one --


def test_a_folder_is_held_while_a_daemon_has_its_lock(paths: Paths) -> None:
    assert not is_held(paths), "there is no folder yet"
    paths.state_dir.mkdir(parents=True)
    with paths.lock_file.open("w") as lock:
        assert not is_held(paths), "a killed daemon leaves the file"
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_held(paths)
        assert is_held(paths), "looking changes nothing"
    assert not is_held(paths)


async def test_whoever_has_a_killed_daemons_port_is_not_even_asked(paths: Paths) -> None:
    paths.state_dir.mkdir(parents=True)
    paths.token_file.write_text("secret\n")
    met: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(await reader.read(1000))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        paths.daemon_file.write_text(json.dumps({"pid": 1, "port": port, "version": "0"}))
        assert await find_daemon(paths) is None
        assert met == [], "it was shown the token"


async def test_a_daemon_of_another_folder_is_not_taken_for_ours(paths: Paths, held: None) -> None:
    async with scripted_daemon() as other:
        paths.daemon_file.write_text(json.dumps({"pid": 1, "port": other.port, "version": "0"}))
        assert await find_daemon(paths) is None
