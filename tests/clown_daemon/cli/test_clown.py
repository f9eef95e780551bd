"""`clown`'s command line itself: what is parsed, what help says, what is refused."""

import os
import subprocess
import sys

import pytest

from clown_daemon.cli.clown import main
from tests.support.command_line import ended_by_parser

COMMANDS = ("run", "env")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = ended_by_parser(main, [command, "--help"], capsys)
    assert code == 0
    assert text.startswith(f"usage: clown {command} ")
    assert "examples:" in text
    assert "exit codes:" in text
    assert f"\n    {command} " in ended_by_parser(main, ["--help"], capsys).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "work", "-p", "say hi"], "clown run work -- -p 'say hi'"),
        (["run", "work", "hello"], "clown run work -- hello"),
        (["run", "work", "--dir", "/x", "--continue"], "clown run work --dir /x -- --continue"),
        (["run", "work", "--di", "/x"], "clown run work -- --di /x"),
    ],
)
def test_what_is_meant_for_the_agent_goes_after_two_dashes(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, printed = ended_by_parser(main, arguments, capsys)
    assert code == 2
    assert printed.endswith(f"hint: what is for the agent goes after --: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["run"], "the following arguments are required: ALIAS"),
        (["run", "--", "work"], "the following arguments are required: ALIAS"),
        (["env", "work", "--", "-p"], "unrecognized arguments: -- -p"),
        (["env", "work", "--shell", "csh"], "invalid choice: 'csh'"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = ended_by_parser(main, arguments, capsys)
    assert code == 2
    assert sentence in said


def printed_by(program: str) -> str:
    """What a program prints that coverage is not in: that imports what it needs itself."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ
    ).stdout


def test_help_starts_without_what_a_run_needs() -> None:
    program = (
        "import sys; from clown_daemon.cli import clown; clown._parser();"
        "print([name for name in ('asyncio', 'httpx', 'aiohttp', 'keyring') if name in sys.modules])"
    )
    assert printed_by(program) == "[]\n"


def test_a_run_starts_without_the_daemons_own_code() -> None:
    program = (
        "import sys; from clown_daemon.cli import launching, telling; from clown_daemon.processes import terminal;"
        "heavy = ('aiohttp', 'keyring', 'psutil', 'sqlite3', 'rich', 'click', 'clown_daemon.store');"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert printed_by(program) == "[]\n"
