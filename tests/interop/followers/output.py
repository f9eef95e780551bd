"""What every follower does with what it gets: parses each message, and writes it anew, one a line.

A follower is called with URL, COUNT, OUTPUT and PING_SECONDS. It connects as a user of its library would, says so on
standard output with the extensions it negotiated, reads COUNT messages, and ends.
"""

import json
import sys
from pathlib import Path


def arguments() -> tuple[str, int, Path, float]:
    url, count, output, ping_seconds = sys.argv[1:]
    return url, int(count), Path(output), float(ping_seconds)


def say_connected(extensions: object) -> None:
    print("connected", extensions or "none", flush=True)  # noqa: T201  # the test waits for it


class Output:
    def __init__(self, file: Path, count: int) -> None:
        self._lines: list[str] = []
        self._file = file
        self._count = count

    def take(self, message: object) -> bool:
        """Take a message; True when it was the last."""
        assert isinstance(message, str), "an event is a text message"
        self._lines.append(json.dumps(json.loads(message)))
        if len(self._lines) < self._count:
            return False
        self._file.write_text("\n".join(self._lines), encoding="utf-8")
        return True
