"""The command line itself: what is parsed, what help says, what is refused."""

import json
import sys
from pathlib import Path

import pytest

from clown_daemon import __version__
from clown_daemon.cli.daemon import main
from tests.support.command_line import ended_by_parser, without_reader
from tests.support.real_daemon import clean_environment

COMMANDS = ("start", "stop", "restart", "status", "prices", "token")


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in clean_environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("arguments", [["status", "--json"], ["--json", "status"], ["--port", "0", "--json", "status"]])
def test_flags_count_before_and_after_the_command(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 3
    assert json.loads(capsys.readouterr().out) == {
        "running": False,
        "client_version": __version__,
        "state_dir": str(tmp_path / "clown" / "state"),
    }


def test_stopping_what_does_not_run_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop"]) == 0
    assert capsys.readouterr().out == "clown-daemon is not running\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_tells_its_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = ended_by_parser(main, [command, "--help"], capsys)
    assert code == 0
    assert text.startswith(f"usage: clown-daemon {command}")
    assert "exit codes:" in text
    assert f"\n    {command} " in ended_by_parser(main, ["--help"], capsys).out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["strat"], "invalid choice: 'strat'"),
        (["--prot=1"], "unrecognized arguments: --prot=1"),
        (["stop", "--port", "1"], "unrecognized arguments: --port 1"),
        (["--port", "x"], "invalid int value: 'x'"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = ended_by_parser(main, arguments, capsys)
    assert code == 2
    assert sentence in said


@pytest.mark.parametrize(
    "arguments", [["--help"], ["stop"], ["prices", "show", "claude-sonnet-4-5"], ["token", "path"]]
)
def test_a_reader_that_went_away_ends_a_command_without_a_complaint(arguments: list[str], tmp_path: Path) -> None:
    program = (sys.executable, "-m", "clown_daemon", *arguments)
    ended = without_reader(program, clean_environment(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
