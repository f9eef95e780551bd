"""Cold start: from starting the program to its first full frame in a real pseudo-terminal, against a bare Textual app.

Both are started in turn, several times; the median is taken. The frame is full when its last line is on the terminal.
The target is 1.6 times the bare app at most.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

from tests.support.terminals import Terminal

RUNS = 9
MOST_RATIO = 1.6
_BARE = (
    "from textual.app import App\n"
    "from textual.widgets import Static\n"
    "class Bare(App):\n"
    "    def compose(self):\n"
    "        yield Static('bare frame')\n"
    "Bare().run()\n"
)
BARE = ([sys.executable, "-c", _BARE], b"bare frame")
DASHBOARD = ([sys.executable, "-m", "clown_tui", "--no-start", "--url", "http://127.0.0.1:9"], b"5 Events")


def first_frame_seconds(command: Sequence[str], mark: bytes) -> float:
    """Start a program and answer the seconds until the mark is on its terminal."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "CLOWN_HOME": home, "HOME": home, "TERM": "xterm-256color"}
        began = time.perf_counter()
        with Terminal(command, environ) as terminal:
            if not terminal.read_for(30, lambda output: mark in output):
                raise RuntimeError(f"{' '.join(command)} drew no frame: {terminal.output[-500:]!r}")
            return time.perf_counter() - began


def measure(runs: int = RUNS) -> dict[str, float]:
    """Answer the medians in milliseconds and their ratio."""
    first_frame_seconds(*BARE)
    first_frame_seconds(*DASHBOARD)
    pairs = [(first_frame_seconds(*BARE), first_frame_seconds(*DASHBOARD)) for _ in range(runs)]
    bare = statistics.median(pair[0] for pair in pairs)
    dashboard = statistics.median(pair[1] for pair in pairs)
    return {
        "bare_textual_ms": round(bare * 1000, 1),
        "dashboard_ms": round(dashboard * 1000, 1),
        "ratio": round(statistics.median(pair[1] / pair[0] for pair in pairs), 3),
        "target_ratio": MOST_RATIO,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    figures = measure(options.runs)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"cold start to the first full frame, median of {options.runs} runs in a pty of 120x40")
    for name, value in figures.items():
        print(f"  {name:18} {value}")


if __name__ == "__main__":
    main()
