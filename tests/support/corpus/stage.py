"""What every scene of the corpus plays on: one seed, one truth, one home, and the files that it wrote.

A scene writes the logs of one or a few related sessions. It draws everything from the stage's random numbers, tells the
truth what it billed in the moment it decides so, and springs the traps that it holds.
"""

import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

import msgspec

from tests.support.corpus.amounts import Amounts
from tests.support.corpus.filler import Filler
from tests.support.corpus.moments import Moments
from tests.support.corpus.rates import cost_pico
from tests.support.corpus.traps import Trap
from tests.support.corpus.truth import Billed, Truth

PROJECTS = ("/home/dev/src/shop", "/home/dev/src/blog", "/home/dev/work/api.v2", "/home/dev/naïve project")


class Home(NamedTuple):
    """A home folder with the agents' folders in it, and whose it is: the user's own, or that of one profile."""

    profile: str
    path: Path


class Stage:
    """The common ground of a corpus.

    Attributes:
        home: where the next scene plays.
        without: traps that scenes leave out.
        bytes_written: size of all files so far.
    """

    def __init__(self, seed: int, home: Home, *, filler_bytes: int, without: frozenset[Trap]) -> None:
        self.random = Random(seed)  # noqa: S311  # the same numbers for the same seed are the point
        self.home = home
        self.without = without
        self.filler = Filler(self.random, filler_bytes)
        self.moments = Moments(self.random)
        self.truth = Truth()
        self.traps: Counter[Trap] = Counter()
        self.files = 0
        self.bytes_written = 0
        self._serial = 0
        self._mark = f"{self.random.getrandbits(40):010x}"
        self._folders: set[Path] = set()

    def spring(self, trap: Trap) -> None:
        """Count a trap that the scene has just laid."""
        self.traps[trap] += 1

    def allows(self, trap: Trap, likelihood: float = 1.0) -> bool:
        """Whether to lay a trap here; it is counted if so."""
        if trap in self.without or (likelihood < 1.0 and self.random.random() >= likelihood):
            return False
        self.spring(trap)
        return True

    def bill(
        self,
        agent: str,
        *,
        provider: str,
        model: str,
        session: str,
        at_ms: int,
        amounts: Amounts,
        project: str | None = None,
    ) -> None:
        """Tell the truth about one response."""
        cost = cost_pico(model, amounts, at_ms)
        self.truth.rows.append(
            Billed(agent, provider, model, session, project, self.home.profile, at_ms, amounts, cost)
        )
        if cost is None:
            self.spring(Trap.UNKNOWN_MODEL)
        if amounts.fast:
            self.spring(Trap.FAST)
        if amounts.web_searches:
            self.spring(Trap.WEB_SEARCHES)

    def serial(self) -> int:
        """A number that no other thing of this corpus has."""
        self._serial += 1
        return self._serial

    def id(self, kind: str) -> str:
        """An id as providers give them; another seed gives others."""
        return f"{kind}{self._mark}{self.serial():014}"

    def uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def project(self) -> str:
        return self.random.choice(PROJECTS)

    def write(self, path: Path, data: bytes, at_ms: int) -> None:
        """Write a file as it was left at a moment."""
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        path.write_bytes(data)
        os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))
        self.files += 1
        self.bytes_written += len(data)


def line(value: object) -> bytes:
    """One line of a log, in the compact JSON that JavaScript writes."""
    return msgspec.json.encode(value) + b"\n"


def slug(project: str) -> str:
    """A project's name as a folder's."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in project)
