"""The cases of the Autobahn suite, made fit for Python 3.

The suite (`autobahntestsuite` on PyPI) is written in Python 2. Its source is fetched and translated by lib2to3, which
Python had until 3.12; what the cases do is left as it is. Python 2's strings are bytes: here they are text with one
character a byte, and `fuzzing_client` turns them into bytes on the wire.
"""

import re
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

SUITE = "autobahntestsuite==25.10.1"
LIBRARIES = ("autobahn==23.6.2", "twisted==24.11.0", "setuptools==75.8.2")
"""The WebSocket client that the cases were written for, and what it needs."""

NO_COMPRESSION = "Case12_X_X = Case13_X_X = []\nCase12_X_X_CaseSubCategories = Case13_X_X_CaseSubCategories = {}\n"
"""In place of the two families of cases for compression, which the daemon declines."""

REPLACED = (
    # A mark on a class, which Python 3 cannot make like this; nobody looks for it.
    ("from zope.interface import implements", "def implements(*_): pass"),
    ("object, Case", "Case"),  # an order of bases that Python 3 refuses
    ('.encode("utf-8")', '.encode("utf-8").decode("latin-1")'),
    (
        "binascii.b2a_hex(",
        "(lambda text: binascii.b2a_hex(text.encode('latin-1') if isinstance(text, str) else text).decode())(",
    ),
    ("len(self.payload) / ", "len(self.payload) // "),
    ("pickle.dumps(obj1) == pickle.dumps(obj2)", "obj1 == obj2"),  # it compared values, by way of bytes
)


def install(folder: Path) -> None:
    """Fetch the suite and its libraries into a folder, and translate the cases."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-warn-conflicts", "--target", str(folder), *LIBRARIES], check=True)
    source = folder / "source"
    subprocess.run([*pip, "download", "--no-binary", ":all:", "--no-deps", "--dest", str(source), SUITE], check=True)
    with tarfile.open(next(source.glob("*.tar.gz"))) as archive:
        archive.extractall(source, filter="data")
    translate_all(next(source.glob("*/autobahntestsuite")), folder / "autobahntestsuite")


def translate_all(original: Path, translated: Path) -> None:
    """Translate the cases and leave out the rest of the suite, which is its user interface."""
    (translated / "case").mkdir(parents=True)
    (translated / "__init__.py").touch()
    for file in (original / "case").glob("*.py"):
        text = NO_COMPRESSION if file.name == "case12_x_x.py" else translate(file)
        (translated / file.relative_to(original)).write_text(text, encoding="utf-8")


def translate(file: Path) -> str:
    """Answer a file of the suite in Python 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from lib2to3.refactor import RefactoringTool, get_fixers_from_package
    text = re.sub(r"coding[:=] *utf-?8", "", file.read_bytes().decode("latin-1")).expandtabs(8).rstrip() + "\n"
    text = str(RefactoringTool(get_fixers_from_package("lib2to3.fixes")).refactor_string(text, str(file)))
    for old, new in REPLACED:
        text = text.replace(old, new)
    return text
