"""Writes the generated part of `docs/protocol.md`: `python -m clown_daemon.protocol.reference DOCS GOLDEN_FOLDER`.

The table of events comes from the catalogue, the examples from the golden files, so neither can drift from the code; a
test compares the page with what this writes.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from clown_daemon.protocol.events import CATALOGUE, EventKind
from clown_daemon.protocol.problems import STATUS
from clown_daemon.protocol.stream import CONTROL_TYPES

BEGIN = "<!-- generated: python -m clown_daemon.protocol.reference -->"
END = "<!-- end of the generated part -->"


def write_reference(examples: Mapping[str, str]) -> str:
    """The generated part.

    Args:
        examples: by name of event or control frame, the JSON of one.
    """
    parts = [BEGIN, "## Events\n", _event_table(), *(_event(kind, examples[kind.name]) for kind in CATALOGUE)]
    parts += ["## Control frames\n", *(_control(name, examples[name]) for name in CONTROL_TYPES)]
    parts += ["## Problem codes\n", _problem_table(), END]
    return "\n".join(parts) + "\n"


def replace_generated(page: str, generated: str) -> str:
    """The page with its generated part replaced.

    Raises:
        ValueError: the page has no marked part.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise ValueError("the page has no generated part")
    return before + generated + after


def _event_table() -> str:
    rows = [
        f"| [`{kind.name}`](#{kind.name.lower()}) | {', '.join(f'`{name}`' for name in kind.data.__struct_fields__)} "
        f"| `{kind.resource.__name__}` | {'yes' if kind.documented else 'addition'} |"
        for kind in CATALOGUE
    ]
    return "\n".join(["| event | `data` | `resource` | documented |", "|---|---|---|---|", *rows, ""])


def _event(kind: EventKind, example: str) -> str:
    return f"### {kind.name}\n\n{kind.summary}\n\n{_json(example)}"


def _control(name: str, example: str) -> str:
    summary = (CONTROL_TYPES[name].__doc__ or "").splitlines()[0]
    return f"### {name}\n\n{summary}\n\n{_json(example)}"


def _problem_table() -> str:
    rows = [f"| `{code}` | {status} |" for code, status in STATUS.items()]
    return "\n".join(["| code | status |", "|---|---|", *rows, ""])


def _json(text: str) -> str:
    pretty = msgspec.json.format(text, indent=2)
    return f"```json\n{pretty}\n```\n"


def main(arguments: list[str]) -> int:
    """Rewrite the page at the first path from the golden files in the folder at the second."""
    page, goldens = Path(arguments[0]), Path(arguments[1])
    fresh = replace_generated(page.read_text("utf-8"), write_reference(read_examples(goldens)))
    page.write_text(fresh, "utf-8")
    return 0


def read_examples(folder: Path) -> dict[str, str]:
    """The frames among the golden files, by name."""
    return {
        file.stem: json.dumps(json.loads(file.read_text("utf-8")), ensure_ascii=False)
        for file in sorted(folder.glob("*.json"))
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
