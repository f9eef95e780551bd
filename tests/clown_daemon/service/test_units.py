"""The texts of the units and of the launchd agent, judged by the programs that read them, where they are here."""

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from clown_daemon.config import NAMES
from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.paths import Paths
from clown_daemon.service.launchd import FILE, agents
from clown_daemon.service.plan import MARKER, Plan, check_program, make_plan
from clown_daemon.service.systemd import SERVICE, SOCKET, unit_folder, units

SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
STRANGE = "a b%h\"q\\n$HOME's;#é"
"""A name with everything that means something to systemd."""


def plan_of(environ: Mapping[str, str], *, python: str = sys.executable, port: int = 8765) -> Plan:
    return make_plan(
        python=python,
        environ=environ,
        paths=Paths.from_environment(environ),
        settings=NAMES,
        port=port,
        stop_grace_seconds=5,
    )


def verify(folder: Path, texts: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Let systemd read the units."""
    if SYSTEMD_ANALYZE is None:
        pytest.skip("this machine has no systemd-analyze")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return subprocess.run(
        [SYSTEMD_ANALYZE, "--user", "verify", *(str(folder / name) for name in texts)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    told = verify(tmp_path, units(plan_of({"PATH": os.environ["PATH"], "CLOWN_HOME": str(tmp_path / STRANGE)})))
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("name", ["a b%h$HOME;#é", STRANGE])
def test_a_program_with_any_name_is_found(tmp_path: Path, name: str) -> None:
    python = tmp_path / name / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    told = verify(tmp_path, units(plan_of({}, python=str(python))))
    assert (told.returncode, told.stderr) == (0, "")


def test_a_program_with_a_quote_in_its_name_is_an_argument() -> None:
    """The line that a real systemd was seen to run: it refuses such a name as the program itself."""
    service = units(plan_of({}, python=f"/{STRANGE}"))[SERVICE]
    line = 'ExecStart=:/bin/sh -c "exec \\"$0\\" \\"$@\\"" "/a b%%h\\"q\\\\n$HOME\'s;#é" -m clown_daemon\n'
    assert line in service


def test_a_program_that_is_not_there_is_complained_about(tmp_path: Path) -> None:
    told = verify(tmp_path, units(plan_of({}, python=str(tmp_path / "no python"))))
    assert "no python is not executable" in told.stderr, "the check above would find nothing"


def test_whatever_is_in_a_value_is_quoted() -> None:
    service = units(plan_of({"CLOWN_HOME": f"/{STRANGE}"}))[SERVICE]
    assert 'Environment="CLOWN_HOME=/a b%%h\\"q\\\\n$HOME\'s;#é"\n' in service


def test_the_socket_has_the_port_on_both_loopback_addresses_alone() -> None:
    texts = units(plan_of({"CLOWN_PORT": "9000"}, port=9000))
    listens = [line for line in texts[SOCKET].splitlines() if line.startswith("Listen")]
    assert listens[0] == "ListenStream=127.0.0.1:9000"
    assert listens[1:] in ([], ["ListenStream=[::1]:9000"])
    assert "CLOWN_PORT" not in texts[SERVICE], "it could contradict the socket"


def test_a_machine_without_ipv6_gets_no_socket_that_cannot_be_bound() -> None:
    without = Plan(python="/p", environ={}, port=9000, ipv6=False, stop_seconds=30)
    assert "::1" not in units(without)[SOCKET]


def test_variables_that_may_hold_keys_are_not_written_down() -> None:
    environ = {
        "PATH": "/bin",
        "CLOWN_AUTH": "token",
        "CLOWN_URL": "http://127.0.0.1:1",
        "CLAUDE_CONFIG_DIR": "/c",
        "ANTHROPIC_API_KEY": "sk-secret",
        "HTTPS_PROXY": "http://user:secret@proxy",
        "XDG_STATE_HOME": "",
    }
    assert plan_of(environ).environ == {"PATH": "/bin", "CLOWN_AUTH": "token", "CLAUDE_CONFIG_DIR": "/c"}


def test_a_relative_home_is_written_as_found_from_here() -> None:
    assert plan_of({"CLOWN_HOME": "here"}).environ["CLOWN_HOME"] == str(Path.cwd() / "here")


def test_a_daemon_has_more_time_to_end_than_its_runs() -> None:
    assert "TimeoutStopSec=30\n" in units(plan_of({}))[SERVICE]


def test_any_free_port_is_no_port_of_a_service() -> None:
    with pytest.raises(ConfigError, match="a port of its own"):
        plan_of({}, port=0)


def test_a_variable_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigError, match="PATH holds characters"):
        plan_of({"PATH": "/bin\nExecStartPre=/bin/rm"})


def test_a_program_that_a_service_could_not_load_is_told(tmp_path: Path) -> None:
    check_program(plan_of({}))
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ClownError, match="could not load Clown") as caught:
        check_program(plan_of({}, python=str(python)))
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("config_home", "folder"), [("", "/h/.config"), ("relative", "/h/.config"), ("/x", "/x")], ids=str
)
def test_units_are_where_the_user_keeps_configuration(config_home: str, folder: str) -> None:
    assert unit_folder({"XDG_CONFIG_HOME": config_home}, Path("/h")) == Path(folder) / "systemd" / "user"


def test_the_launchd_agent_starts_the_daemon_and_comes_back_after_a_failure_alone() -> None:
    environ = {"PATH": "/bin", "CLOWN_HOME": f"/<&>{STRANGE}"}
    text = agents(plan_of(environ, python="/p y/python", port=9000))[FILE]
    assert MARKER in text
    agent = plistlib.loads(text.encode())
    assert agent["ProgramArguments"] == ["/p y/python", "-m", "clown_daemon"]
    assert agent["EnvironmentVariables"] == {**environ, "CLOWN_PORT": "9000"}
    assert agent["RunAtLoad"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
