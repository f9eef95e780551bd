"""The peer in counting usage: `ccusage` from npm, its native program, with the user's home at the corpus.

It is fetched once into `.interop/`, as the clients of `make interop` are. Newer versions exist; some lack their Linux
program, and this one is named in every figure.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "20.0.24"
FOLDER = Path(__file__).parents[2] / ".interop" / f"ccusage-{VERSION}"


class Run(NamedTuple):
    """One run of it."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    report: dict[str, Any]


class Counted(NamedTuple):
    """What it counted for an agent, in the classes of Clown's API, and what it says that costs."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0
    usd: float = 0.0

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        return self[:4]

    def plus(self, other: "Counted") -> "Counted":
        """Both together."""
        return Counted(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_read + other.cache_read,
            self.usd + other.usd,
        )


def program() -> Path | None:
    """Answer the native program, fetched the first time; None without npm."""
    if not FOLDER.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        partial = FOLDER.with_name(FOLDER.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        options = ("--silent", "--no-audit", "--no-fund", "--prefix", str(partial))
        subprocess.run((npm, "install", *options, f"ccusage@{VERSION}"), check=True)
        partial.rename(FOLDER)
    native = next(FOLDER.glob("node_modules/@ccusage/*/bin/ccusage"), None)
    if native is not None:
        native.chmod(0o755)  # the package's own starter does so, too
    return native


def required() -> Path:
    """The same where nothing can be done without it.

    Raises:
        RuntimeError: there is no npm.
    """
    found = program()
    if found is None:
        raise RuntimeError("there is no npm on this machine to fetch ccusage with")
    return found


def daily(ccusage: Path, home: Path, zone: str = "UTC") -> Run:
    """Let it count everything below a home by days of a zone."""
    arguments = ("daily", "--json", "--offline", "--by-agent", "--timezone", zone)
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        child = subprocess.Popen(
            (ccusage, *arguments), env={"HOME": str(home), "PATH": os.defpath}, stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if child.returncode != 0:
        raise RuntimeError(f"ccusage ended with {child.returncode}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, json.loads(text or "{}"))


def by_agent(report: dict[str, Any]) -> dict[str, Counted]:
    """Add its days up."""
    sums: dict[str, Counted] = {}
    for day in report.get("daily", []):
        for told in day["agents"]:
            sums[told["agent"]] = sums.get(told["agent"], Counted()).plus(_counted(told))
    return sums


def by_day(report: dict[str, Any], agent: str) -> dict[str, Counted]:
    """What it counted for an agent on each day."""
    return {
        day["period"]: _counted(told)
        for day in report.get("daily", [])
        for told in day["agents"]
        if told["agent"] == agent
    }


def _counted(told: dict[str, Any]) -> Counted:
    return Counted(
        told["inputTokens"],
        told["outputTokens"],
        told["cacheCreationTokens"],
        told["cacheReadTokens"],
        told["totalCost"],
    )
