"""`clown-daemon service`, with real files, a real daemon, and a systemctl that writes down what it is asked."""

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

from clown_daemon.cli.daemon import main
from tests.support.command_line import clown_daemon
from tests.support.fake_systemctl import FakeSystemctl
from tests.support.real_daemon import clean_environment

STOP = "stop clown-daemon.socket clown-daemon.service"
START = ["daemon-reload", "enable --now clown-daemon.socket"]
COMMANDS = ("install", "uninstall", "status")


@pytest.fixture(autouse=True)
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A port of the test's own, set in the configuration; the user's variables are out of sight."""
    for name in ("XDG_CONFIG_HOME", "CLOWN_PORT", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in clean_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", "linux")
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = int(free.getsockname()[1])
    config = tmp_path / "clown" / "config.toml"
    config.parent.mkdir()
    config.write_text(f"port = {number}\n")
    return number


@pytest.fixture
def systemctl(tmp_path: Path) -> FakeSystemctl:
    return FakeSystemctl(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "systemd" / "user"


def test_it_is_installed_told_and_removed(
    systemctl: FakeSystemctl, folder: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["installed"] is False
    assert main(["service", "install", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["started"] is True
    assert systemctl.calls() == START
    assert sorted(told["files"]) == sorted(map(str, folder.iterdir()))
    assert f"ListenStream=127.0.0.1:{port}\n" in (folder / "clown-daemon.socket").read_text()
    assert main(["service", "status"]) == 0
    out = capsys.readouterr().out
    assert "service  installed (systemd)\nenabled  enabled\nactive   active\n" in out
    assert f"{folder}/clown-daemon.socket: same" in out
    assert main(["service", "uninstall"]) == 0
    assert systemctl.calls() == ["disable --now clown-daemon.socket clown-daemon.service", "daemon-reload"]
    assert list(folder.iterdir()) == []
    capsys.readouterr()
    assert main(["service", "uninstall"]) == 0
    assert capsys.readouterr().out == "the service is not installed\n"
    assert systemctl.calls() == []


def test_installing_again_disturbs_nothing_that_fits(systemctl: FakeSystemctl) -> None:
    main(["service", "install"])
    systemctl.calls()
    assert main(["service", "install"]) == 0
    assert STOP not in systemctl.calls()


def test_another_configuration_is_seen_and_brought_into_the_files(
    systemctl: FakeSystemctl, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["service", "install"])
    systemctl.calls()
    config = tmp_path / "clown" / "config.toml"
    config.write_text(config.read_text() + "stop_grace_secs = 60\n")
    capsys.readouterr()
    assert main(["service", "status"]) == 0
    out = capsys.readouterr().out
    assert "clown-daemon.service: differs\n  -TimeoutStopSec=30\n  +TimeoutStopSec=85\n" in out
    assert main(["service", "install"]) == 0
    assert systemctl.calls() == [STOP, *START]
    assert "TimeoutStopSec=85\n" in (folder / "clown-daemon.service").read_text()


def test_a_file_of_somebody_else_stays_unless_forced(
    systemctl: FakeSystemctl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    own = folder / "clown-daemon.service"
    own.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall"):
        assert main(["service", command]) == 1
        assert "was not written by clown-daemon service install" in capsys.readouterr().err
        assert own.read_text() == "[Service]\nExecStart=/bin/true\n"
    assert main(["service", "status"]) == 1
    assert "clown-daemon.service: foreign" in capsys.readouterr().out
    assert systemctl.calls() == []
    assert main(["service", "install", "--force"]) == 0
    assert "-m clown_daemon" in own.read_text()


def test_print_shows_the_files_and_writes_nothing(
    systemctl: FakeSystemctl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install", "--print"]) == 0
    out = capsys.readouterr().out
    assert f"# {folder}/clown-daemon.service\n" in out
    assert "ListenStream=127.0.0.1:" in out
    assert not folder.exists()
    assert systemctl.calls() == []


def test_no_start_writes_the_files_and_says_what_to_run(
    systemctl: FakeSystemctl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install", "--no-start"]) == 0
    assert "systemctl --user enable --now clown-daemon.socket" in capsys.readouterr().out
    assert len(list(folder.iterdir())) == 2
    assert systemctl.calls() == []


def test_where_no_systemd_manages_the_session_the_files_are_all_that_is_done(
    systemctl: FakeSystemctl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl.be_gone()
    assert main(["service", "install"]) == 0
    out = capsys.readouterr().out
    assert "systemd cannot be asked here (Failed to connect to bus: No medium found); to start it, run:" in out
    assert main(["service", "status"]) == 0
    assert "active   unknown" in capsys.readouterr().out
    assert main(["service", "uninstall"]) == 0
    assert list(folder.iterdir()) == []


def test_a_refusal_of_systemd_is_told_in_its_words(
    systemctl: FakeSystemctl, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl.be_stubborn()
    assert main(["service", "install"]) == 1
    assert "systemctl --user enable --now clown-daemon.socket failed: Job failed." in capsys.readouterr().err


def test_a_port_of_another_program_is_named_before_anything_is_written(
    systemctl: FakeSystemctl, folder: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert main(["service", "install"]) == 1
    assert f"port {port} is in use by " in capsys.readouterr().err
    assert not folder.exists()


async def test_a_running_daemon_makes_room_when_nobody_needs_it(
    systemctl: FakeSystemctl, tmp_path: Path, port: int
) -> None:
    environ = clean_environment(tmp_path)
    started = await clown_daemon(environ, "start", "--json", cwd=tmp_path)
    assert json.loads(started.out)["url"].endswith(f":{port}"), started.err
    follower = await follow(port)
    refused = await clown_daemon(environ, "service", "install", cwd=tmp_path)
    assert refused.code == 1
    assert "stays: the daemon is needed: 1 client follows" in refused.err
    assert "--stop-running" in refused.err
    assert systemctl.calls() == []
    installed = await clown_daemon(environ, "service", "install", "--stop-running", cwd=tmp_path)
    assert installed.code == 0, installed.err
    assert systemctl.calls() == START
    assert (await clown_daemon(environ, "status", cwd=tmp_path)).code == 3
    follower.close()


async def follow(port: int) -> socket.socket:
    """Follow the stream, as little as one can."""
    client = socket.create_connection(("127.0.0.1", port))
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    client.sendall(request.encode())
    assert b"101 Switching Protocols" in await asyncio.to_thread(client.recv, 1000)
    return client


def test_a_port_of_any_number_is_refused(
    systemctl: FakeSystemctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clown" / "config.toml").write_text("port = 0\n")
    assert main(["service", "install"]) == 2
    assert "a service needs a port of its own" in capsys.readouterr().err
    assert main(["service", "uninstall"]) == 0, "a wrong configuration keeps nobody from being rid of it"


def test_an_unknown_platform_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    assert main(["service", "status"]) == 1
    assert "Clown knows no service manager of plan9" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_tells_its_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["service", command, "--help"])
    assert caught.value.code == 0
    assert "exit codes:" in capsys.readouterr().out


def test_the_group_alone_is_wrong_use_and_starts_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["service"])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
