"""The clients of `clients.txt`: how each is installed and run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.tables import read_table

HERE = Path(__file__).parent
FOLLOWERS = HERE / "followers"
ROOT = HERE.parents[1]
INSTALLED = ROOT / ".interop"
"""Not part of the repository; `make clean` removes it."""

AUTOBAHN = INSTALLED / "autobahn"


@dataclass(frozen=True)
class Client:
    """A library in one version, and the program that follows with it."""

    name: str
    package: str
    program: str
    flavour: str

    @property
    def folder(self) -> Path:
        """Where the library lies."""
        return INSTALLED / self.package.partition(" ")[2].replace("==", "-").replace("@", "-")

    @property
    def needs_node(self) -> bool:
        return self.program.endswith(".mjs")

    def command(self) -> list[str]:
        """The program that runs the follower."""
        if not self.needs_node:
            return [sys.executable, str(FOLLOWERS / self.program)]
        node = shutil.which("node") or "node"
        flags = ["--experimental-websocket"] if self.program == "node_builtin.mjs" and not has_websocket(node) else []
        return [node, *flags, str(FOLLOWERS / self.program)]

    def environ(self) -> dict[str, str]:
        """What the follower finds its library by."""
        return {
            "PATH": os.environ["PATH"],
            "FLAVOUR": self.flavour,
            "NODE_PATH": str(self.folder),
            "PYTHONPATH": os.pathsep.join([*([] if self.package == "-" else [str(self.folder)]), str(ROOT)]),
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        }

    def install(self) -> None:
        """Fetch the library, once."""
        if self.package == "-" or self.folder.exists():
            return
        tool, requirement = self.package.split()
        partial = self.folder.with_name(self.folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if tool == "pip":
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-warn-conflicts",
            ]
            command += ["--target", str(partial), requirement]
        else:
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(partial), requirement]
        subprocess.run(command, check=True)
        partial.rename(self.folder)


def clients() -> list[Client]:
    """All of them, as in the table."""
    return [Client(*row) for row in read_table(HERE / "clients.txt", 4)]


def has_websocket(node: str) -> bool:
    """Whether this Node has a WebSocket without being asked for it."""
    answer = subprocess.run([node, "-p", "typeof WebSocket"], capture_output=True, text=True, check=True)
    return answer.stdout.strip() == "function"
