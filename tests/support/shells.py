"""A person at an interactive shell in a real terminal: types, looks, presses keys."""

import re
import shutil
from collections.abc import Mapping
from typing import Self

from tests.support.terminals import Terminal

SECONDS = 30.0
"""The bound of every look; it only ends a test that would never pass."""
PROMPT = "ready> "

CTRL_C, CTRL_Z = "\x03", "\x1a"


def bash() -> str | None:
    """Where bash is: the one shell whose words on jobs the tests know."""
    return shutil.which("bash")


class Shell(Terminal):
    """Bash with job control; use it with `with`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(
            [bash() or "bash", "--norc", "--noprofile", "--noediting", "-i"],
            {**environ, "PS1": PROMPT, "TERM": "dumb", "BASH_SILENCE_DEPRECATION_WARNING": "1"},
        )

    def __enter__(self) -> Self:
        self.see(PROMPT)
        return self

    def enter(self, line: str) -> None:
        """Type a line and let its echo pass."""
        self.press(line + "\n")
        self.see(line)
        self.see("\n")

    def see(self, text: str) -> str:
        """Wait until something is printed; answer what stood before it. What was seen is not looked at again."""
        wanted = text.encode()
        assert self.read_for(SECONDS, lambda output: wanted in output), f"{text!r} is not in {self.output!r}"
        before, _, self.output = self.output.partition(wanted)
        return before.decode(errors="replace")

    def code(self) -> int:
        """The exit code of the last command, as the shell saw it."""
        self.enter("echo code:$?:")
        self.see("code:")
        return int(re.sub(r"\D", "", self.see(":")))
