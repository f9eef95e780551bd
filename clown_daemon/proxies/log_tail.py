"""The end of a proxy's log, read without the rest. Blocking, for a thread."""

from pathlib import Path

READ_BYTES = 256 * 1024
"""What is read of the end."""


def last_lines(file: Path, count: int) -> tuple[str, ...]:
    """The last lines of a file, oldest first; none where there is no file."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - READ_BYTES))
            data = stream.read()
    except FileNotFoundError:
        return ()
    found = data.decode("utf-8", "replace").splitlines()
    # The first one may have lost its beginning.
    return tuple(found[1:] if size > READ_BYTES else found)[-count:]
