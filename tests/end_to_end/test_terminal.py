import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.terminals import Terminal

COMMAND = [sys.executable, "-m", "clown_tui", "--no-start", "--url", "http://127.0.0.1:9"]
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|[34]8;[25])[0-9;]*m")
HUNG_UP = {-signal.SIGHUP, 128 + signal.SIGHUP}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE") or name == "PATH"}
    root = str(Path(__file__).parents[2])
    home = str(tmp_path)
    return {**kept, "HOME": home, "CLOWN_HOME": home, "TERM": "xterm-256color", "PYTHONPATH": root, "LANG": "C.UTF-8"}


def painted(output: bytes) -> bool:
    return b"quit" in output


def test_it_paints_quits_and_restores_the_terminal(environ: Mapping[str, str]) -> None:
    with Terminal(COMMAND, environ) as terminal:
        assert terminal.read_for(20, painted)
        assert terminal.settings() != terminal.settings_before
        terminal.press("q")
        terminal.read_for(10, lambda output: b"\x1b[?1049l" in output)
        assert terminal.process.wait(10) == 0
        assert terminal.settings() == terminal.settings_before


def test_it_dies_with_its_terminal(environ: Mapping[str, str]) -> None:
    with Terminal(COMMAND, environ) as terminal:
        assert terminal.read_for(20, painted)
        terminal.hang_up()
        assert terminal.process.wait(2) in HUNG_UP


def test_it_dies_with_its_terminal_even_where_hang_ups_are_ignored(environ: Mapping[str, str]) -> None:
    ignoring = "import os,signal,sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    with Terminal([sys.executable, "-c", ignoring, *COMMAND], environ) as terminal:
        assert terminal.read_for(20, painted)
        terminal.hang_up()
        assert terminal.process.wait(2) in HUNG_UP


def test_no_color_gives_no_colour(environ: Mapping[str, str]) -> None:
    with Terminal(COMMAND, {**environ, "NO_COLOR": "1"}) as terminal:
        assert terminal.read_for(20, painted)
        terminal.press("q")
        terminal.read_for(5, lambda output: b"\x1b[?1049l" in output)
        assert COLOUR.search(terminal.output) is None
