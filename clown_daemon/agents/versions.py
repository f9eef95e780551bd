"""Versions out of what programs print and packages say. Pure."""

import json
import re

LONGEST_LINE = 1000
"""Characters of a line that a pattern is tried on: a user's own pattern must not take for ever."""


def first_line(text: str) -> str:
    """The first line that is not blank, without control characters and at most `LONGEST_LINE` long; or empty."""
    for line in text.splitlines():
        plain = _CONTROL.sub("", line).strip()
        if plain:
            return plain[:LONGEST_LINE]
    return ""


def parse_version(text: str, pattern: str) -> str | None:
    """Find the version in what a program printed.

    Args:
        text: its standard output.
        pattern: a regular expression; its first group is the version, or its whole match if it has none.

    Returns:
        The version on the first line that is not blank, or None.
    """
    found = re.search(pattern, first_line(text))
    if found is None:
        return None
    return (found[1] if found.re.groups else found[0]) or None


def package_version(text: str, package: str) -> str | None:
    """The version in the text of a `package.json`, or None when it is another package's, or none at all."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("name") != package:
        return None
    version = said.get("version")
    return version[:LONGEST_LINE] if isinstance(version, str) and version else None


def is_placeholder(head: bytes) -> bool:
    """Whether a file that begins like this cannot be started: text without `#!`.

    Packages ship such a text where their install script should have put the real program.
    """
    return not head.startswith(b"#!") and b"\0" not in head


_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
