"""Accuracy: what Clown and ccusage make of every trap, and of the smallest logs on which they disagree.

Method: each scene of `tests/support/corpus` and each file of `support/minimal_logs` in a home of its own; what was
billed is known, `ccusage daily` counts that home, and so does a fresh daemon (`GET /api/usage?period=all`). A
difference of ccusage without a name fails the run, and so does any of Clown. `--page` writes `docs/accuracy.md`.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.support import ccusage
from benchmarks.support.accuracy_page import page
from benchmarks.support.daemon import ChildDaemon
from benchmarks.support.days import compare
from benchmarks.support.importing import ask, readable, totals
from benchmarks.support.minimal_logs import CASES, write
from benchmarks.support.reckoning import Reckoning, Row
from tests.support.corpus.generate import AGENTS, traps_of, write_scene
from tests.support.corpus.traps import Trap

SEED = 5
QUIET_SECONDS = 0.5
MOST_SECONDS = 60.0


def scenes(folder: Path, agents: tuple[str, ...]) -> Iterator[Row]:
    """Every scene of the corpus."""
    for agent in agents:
        for trap in (None, *traps_of(agent)):
            home = folder / f"{agent}-{trap.name if trap else 'plain'}"
            billed = write_scene(home, agent, trap, SEED).truth.total()
            reckoned = Reckoning(billed.tokens, billed.cost_pico / 10**12)
            name = str(trap) if trap else "a plain session"
            faults = FAULTS.get((agent, trap), ())
            yield Row(agent, name, reckoned, clown(home, agent), peer(home, agent), faults)


def minimal(folder: Path) -> Iterator[Row]:
    """Every smallest file."""
    for number, case in enumerate(CASES):
        home = folder / f"minimal-{number}"
        write(case, home)
        reckoned = Reckoning(case.billed, case.usd)
        yield Row(case.agent, case.name, reckoned, clown(home, case.agent), peer(home, case.agent), (case.name,))


def peer(home: Path, agent: str) -> Reckoning:
    """What ccusage makes of a home."""
    counted = ccusage.by_agent(ccusage.daily(ccusage.required(), home).report).get(agent, ccusage.Counted())
    return Reckoning(counted.tokens, counted.usd)


def clown(home: Path, agent: str) -> Reckoning | None:
    """What a fresh daemon makes of a home; None where it has no reader for that agent."""
    with tempfile.TemporaryDirectory(prefix="clown-bench-") as folder:
        daemon = ChildDaemon(Path(folder), HOME=str(home))
        daemon.start()
        try:
            if not readable(daemon, agent):
                return None
            _wait(daemon, agent)
            report = totals(daemon)
        finally:
            daemon.kill(signal.SIGTERM)
    told = report["total_tokens"]
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    first, second, third, fourth = (int(told[name]) for name in names)
    return Reckoning((first, second, third, fourth), report["total_cost"]["total_cost"])


def _wait(daemon: ChildDaemon, source: str) -> None:
    """Until the import of a source is done and nothing moves any more."""
    last: object = None
    changed_at = time.monotonic()
    until = changed_at + MOST_SECONDS
    while time.monotonic() < until:
        found = next((one for one in ask(daemon, "/api/snapshot")["imports"] if one["source"] == source), None)
        if found != last:
            last, changed_at = found, time.monotonic()
        done = found is not None and found["state"] == "done"
        if done and time.monotonic() - changed_at > QUIET_SECONDS:
            return
        time.sleep(0.05)
    raise TimeoutError(f"the import of {source} did not end: {last}")


FAULTS: dict[tuple[str, Trap | None], tuple[str, ...]] = {
    ("claude", Trap.NO_REQUEST_ID): ("no request id",),
    ("claude", Trap.CONSTANT_MESSAGE_ID): ("constant message id", "no request id"),
    ("claude", Trap.NULS): ("NULs",),
    ("claude", Trap.INVALID_UTF8): ("invalid UTF-8",),
    ("claude", Trap.ARGUMENTS_LIKE_USAGE): ("null ids in arguments",),
    ("claude", Trap.UNKNOWN_FIELDS): ("a count that is null",),
    ("claude", Trap.LONG_CONTEXT): ("long context", "long context, after its price ended", "web searches"),
    ("codex", Trap.REEMITTED): ("a total from zero again",),
    ("codex", Trap.MODEL_IN_TURN): ("a model in the settings",),
    ("codex", Trap.LONG_CONTEXT): ("a model without a price",),
    ("opencode", Trap.COPIED_MESSAGES): ("a fork", "reasoning beside the output"),
    **dict.fromkeys(
        (("opencode", trap) for trap in (None, *traps_of("opencode")) if trap != Trap.COPIED_MESSAGES),
        ("reasoning beside the output",),
    ),
    **dict.fromkeys((("gemini", trap) for trap in (None, *traps_of("gemini"))), ("thoughts",)),
    ("gemini", Trap.WHOLE_JSON): ("one session in both formats", "thoughts"),
    ("qwen", None): ("cached input",),
    ("qwen", Trap.BACKGROUND_CALL): ("background calls", "cached input"),
    ("copilot", Trap.COPIED_RECORD): ("a session that runs",),
}
"""Which faults of ccusage show in which scene."""


def faulty(agent: str) -> frozenset[Trap]:
    """The scenes of an agent in which ccusage does not count right anyway."""
    return frozenset(trap for whose, trap in FAULTS if whose == agent and trap is not None)


class Verdict(NamedTuple):
    """What is wrong with a run."""

    unexplained: list[str]
    clown_off: list[str]


def judge(rows: list[Row]) -> Verdict:
    """Name the differences that nobody explained, and those of Clown."""
    unexplained = [f"{row.agent}: {row.name}" for row in rows if not row.same(row.peer) and not row.faults]
    off = [f"{row.agent}: {row.name}" for row in rows if row.clown is not None and not row.same(row.clown)]
    return Verdict(unexplained, off)


def main() -> int:
    """Compare, print, and answer 1 if a difference has no name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one object of figures")
    parser.add_argument("--page", type=Path, help="write the page of the documentation")
    parser.add_argument("--agents", nargs="*", default=AGENTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clown-bench-homes-") as folder:
        in_scenes = list(scenes(Path(folder), tuple(options.agents)))
        in_cases = [row for row in minimal(Path(folder)) if row.agent in options.agents]
        in_days = [row for agent in options.agents for row in compare(Path(folder), agent, faulty(agent))]
    verdict = judge([*in_scenes, *in_cases])
    if options.page is not None:
        options.page.write_text(page(in_scenes, in_cases, in_days), "utf-8")
    if options.json:
        print(json.dumps({"compared": len(in_scenes) + len(in_cases), **verdict._asdict()}))
    else:
        print(__doc__)
        for row in (*in_scenes, *in_cases):
            print(row.line())
        for days in in_days:
            print(f"{days.agent:9} {days.days} days of {days.zone}: ccusage has {days.off} wrong {days.why}")
        print(f"without a name: {verdict.unexplained or 'none'}; Clown off: {verdict.clown_off or 'nowhere'}")
    return 1 if verdict.unexplained or verdict.clown_off else 0


if __name__ == "__main__":
    sys.exit(main())
