"""Whole frames of a running app as plain text, and their comparison with the goldens.

`UPDATE_GOLDEN=1` writes the goldens instead of comparing; look at the difference before committing it.
"""

import os
from pathlib import Path
from typing import Any

from textual.app import App

GOLDEN = Path(__file__).parent.parent / "golden" / "screens"


def frame_text(app: App[Any]) -> str:
    """Render what the terminal shows now, one line a row, without the blanks at the ends."""
    strips = app.screen._compositor.render_strips()  # what export_screenshot renders
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def assert_golden(name: str, text: str) -> None:
    """Compare a frame with its golden."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 writes it anew"
