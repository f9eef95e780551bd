"""The daemon of another version: this program, copied, with another number in it."""

import shutil
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "clown_daemon"


def copied_program(folder: Path, version: str) -> str:
    """Copy the program and change its version; answers the `PYTHONPATH` under which it is found."""
    copy = folder / f"clown-{version}" / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    init = copy / "__init__.py"
    head, found, _ = init.read_text().partition("__version__ = ")
    assert found, "the version is written elsewhere now"
    init.write_text(f'{head}__version__ = "{version}"\n')
    return str(copy.parent)
