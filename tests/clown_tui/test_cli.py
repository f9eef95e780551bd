"""The command line: what it says, its exit codes, and what it does not load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import without_reader

HERE = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "clown_tui")
HEAVY = ("textual", "aiohttp", "clown_tui.app")


def _run(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    program = (*PROGRAM, *arguments)
    variables = _environ(tmp_path) | environ
    return subprocess.run(program, env=variables, capture_output=True, text=True, timeout=60, check=False)


def _environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CLOWN_HOME": str(tmp_path / "clown"),
        "PYTHONPATH": str(HERE),
        "LANG": "C.UTF-8",
    }


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["--print-keys"], ["--print-config"], ["--events", "Nope"], ["--once", "--no-start"]],
)
def test_words_and_snapshots_load_no_screen(tmp_path: Path, arguments: list[str]) -> None:
    script = (
        "import sys\nfrom clown_tui.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write('LOADED:' + ','.join(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    environ = {"PYTHONPATH": str(HERE), "CLOWN_HOME": str(tmp_path), "PATH": os.environ["PATH"], "CLOWN_PORT": "1"}
    done = subprocess.run(
        (sys.executable, "-c", script), env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.endswith("LOADED:")


def test_help_tells_events_examples_and_exit_codes(tmp_path: Path) -> None:
    done = _run(tmp_path, "--help")
    assert done.returncode == 0
    for part in ("ProfileStarted", "examples:", "exit codes:", "CLOWN_HOME", "--no-start"):
        assert part in done.stdout


def test_an_unknown_event_is_one_sentence_and_the_nearest_name(tmp_path: Path) -> None:
    done = _run(tmp_path, "--events", "ProfileCreate,Usage*")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "clown-tui: unknown event ProfileCreate\nhint: did you mean ProfileCreated?\n"


@pytest.mark.parametrize(
    "arguments",
    [["--bogus"], ["--count", "0"], ["--timeout", "nan"], ["--port", "x"], ["--url", "nowhere"], ["--no-sta"]],
)
def test_wrong_use_is_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    done = _run(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--once"], ["--once", "--json"], ["--plain"], ["--json", "--count", "1"], []])
def test_no_daemon_is_exit_code_3_with_the_cure(tmp_path: Path, arguments: list[str]) -> None:
    done = _run(tmp_path, "--no-start", "--port", "1", *arguments)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "127.0.0.1:1" in done.stderr
    assert "hint: " in done.stderr


def test_a_broken_settings_file_is_exit_code_2(tmp_path: Path) -> None:
    folder = tmp_path / "clown"
    folder.mkdir()
    (folder / "tui.toml").write_text("colour = 1\n")
    done = _run(tmp_path, "--once")
    assert done.returncode == 2
    assert "did you mean color?" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--print-keys"], ["--print-config"]])
def test_a_reader_that_went_away_ends_the_program_without_a_complaint(arguments: list[str], tmp_path: Path) -> None:
    ended = without_reader((*PROGRAM, *arguments), _environ(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
