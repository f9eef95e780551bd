"""Tables in text files: a row a line, ` | ` between the columns, `#` before a comment."""

import re
from collections.abc import Iterator
from pathlib import Path

_REPEAT = re.compile(r"<(\d+)\*(.*?)>")


def read_table(file: Path, columns: int) -> Iterator[tuple[str, ...]]:
    """The rows of a file, top to bottom; each has so many columns."""
    for number, line in enumerate(file.read_text(encoding="ascii").splitlines(), 1):
        if line and not line.startswith("#"):
            row = tuple(line.split(" | "))
            assert len(row) == columns, f"{file.name}:{number} has {len(row)} columns"
            yield row


def expand(text: str) -> str:
    """Write out what stands for repeated text: <3*ab> is ababab."""
    return _REPEAT.sub(lambda found: found[2] * int(found[1]), text)


def to_bytes(text: str) -> bytes:
    r"""Turn a cell into the bytes it stands for: \x00, \r and the other escapes of Python, and repeats."""
    return expand(text).encode("ascii").decode("unicode_escape").encode("latin-1")
