"""A disk that fails when told to: `faulty_io.c`, compiled for a test and loaded before everything else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("faulty_io.c")

COUNT, FAIL, KILL_BEFORE, KILL_HALFWAY = range(4)
"""What happens at the armed call."""


def compiled(folder: Path) -> Path:
    """Compile the library into a folder; the test is skipped where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("a failing disk needs a C compiler and LD_PRELOAD")
    library = folder / "faulty_io.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def environment(library: Path, folder: Path, flag: Path) -> dict[str, str]:
    """What a process needs to have such a disk below a folder; it is full while the flag exists."""
    return {"LD_PRELOAD": str(library), "FAULTY_FOLDER": str(folder), "FAULTY_FLAG": str(flag)}
