"""What `clown env` prints, read by real shells: whatever a value holds, it arrives as it was and runs nothing."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.cli.shells import WRITERS, fish_lines, json_line, sh_lines

SHELLS = [name for name in ("sh", "bash", "dash", "zsh", "ksh") if shutil.which(name)]
NASTY = ("", "a b", "it's", '"$HOME"', "`id`", "$(id)", "\\", "\\'", "a\nb", "# no comment", "*", "é⟨", "-n", "!!", ";")
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


def read_back(shell: Sequence[str], lines: str, *, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a program has after a shell has read the lines."""
    ran = subprocess.run(
        [*shell, lines + "env -0\n"],
        env={"PATH": os.environ["PATH"], **(environ or {})},
        capture_output=True,
        check=True,
    )
    assert ran.stderr == b""
    return dict(entry.decode().partition("=")[::2] for entry in ran.stdout.split(b"\0") if entry)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(ANY, max_size=5))
def test_posix_shells_get_every_value_as_it_is(shell: str, values: list[str]) -> None:
    env = {f"V{number}": value for number, value in enumerate((*NASTY, *values))}
    assert env.items() <= read_back([shell, "-c"], sh_lines(env, (), ("agent",))).items()


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@settings(max_examples=25, deadline=None)
@given(values=st.lists(ANY, max_size=5))
def test_fish_gets_every_value_as_it_is(values: list[str]) -> None:
    env = {f"V{number}": value for number, value in enumerate((*NASTY, *values))}
    assert env.items() <= read_back(["fish", "--no-config", "-c"], fish_lines(env, (), ("agent",))).items()


def test_fish_is_quoted_by_its_own_rules() -> None:
    assert fish_lines({"A": "it's a \\"}, ["B"], ("/opt/my agent", "-x")) == "set -e B\nset -gx A 'it\\'s a \\\\'\n"
    assert fish_lines({}, [], ("/opt/agent", "a b")) == "function agent; '/opt/agent' 'a b' $argv; end\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_what_would_compete_is_unset(shell: str) -> None:
    found = read_back([shell, "-c"], sh_lines({"A": "1"}, ["B", "NOT_SET"], ("agent",)), environ={"A": "0", "B": "2"})
    assert found["A"] == "1"
    assert "B" not in found


@pytest.mark.parametrize("shell", SHELLS)
def test_the_agents_name_starts_it_with_its_arguments(shell: str, tmp_path: Path) -> None:
    program = tmp_path / "agent"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o700)
    lines = sh_lines({}, (), (str(program), "--settings", '{"a": "it\'s"}'))
    ran = subprocess.run([shell, "-c", lines + "agent -p 'say hi'"], capture_output=True, text=True, check=True)
    assert ran.stdout == '--settings|{"a": "it\'s"}|-p|say hi|'


@pytest.mark.parametrize("write", [sh_lines, fish_lines])
def test_a_name_that_no_shell_takes_is_left_out(write: Callable[..., str]) -> None:
    assert write({"A B": "x", "1A": "x", "A;id": "x"}, ["$(id)"], ("/bin/my-agent",)) == ""


def test_programs_get_json() -> None:
    assert json.loads(json_line({"A": "⟨"}, ("B",), ("agent", "-p"))) == {
        "env": {"A": "⟨"},
        "unset": ["B"],
        "argv": ["agent", "-p"],
    }
    assert set(WRITERS) == {"sh", "fish", "json"}
