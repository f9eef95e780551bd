"""The real agents of `programs.txt`: how each is installed, and how it is started."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.interop.clients import INSTALLED
from tests.support.tables import read_table

TABLE = Path(__file__).parent / "programs.txt"


class Program(NamedTuple):
    """One agent in one version."""

    agent: str
    package: str
    path: str

    @property
    def folder(self) -> Path:
        return INSTALLED / "agents" / f"{self.agent}-{self.package.rpartition('@')[2]}"

    @property
    def file(self) -> Path:
        """The program itself: what npm links to may be a placeholder until an install script has run."""
        return self.folder / "node_modules" / self.path.format(system=f"{sys.platform}-{_architecture()}")

    def command(self) -> list[str]:
        """What starts it."""
        return [shutil.which("node") or "node", str(self.file)] if self.file.suffix == ".js" else [str(self.file)]

    def install(self) -> None:
        """Fetch it, once."""
        if self.folder.exists():
            return
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(partial), self.package]
        subprocess.run(command, check=True)
        partial.rename(self.folder)


def programs() -> dict[str, Program]:
    """All of them, by agent."""
    return {row[0]: Program(*row) for row in read_table(TABLE, 3)}


def _architecture() -> str:
    return {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
