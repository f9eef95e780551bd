"""An environment as text that a shell reads: set, unset, and a function for the program. Pure.

Everything is quoted: a value may hold anything but NUL, and a name that is no word of the shell's is left out.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

Writer = Callable[[Mapping[str, str], Sequence[str], Sequence[str]], str]
"""Takes variables to set, names to unset, and the command: program and arguments. Answers whole lines."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def sh_lines(env: Mapping[str, str], unset: Sequence[str], argv: Sequence[str]) -> str:
    """For POSIX shells: bash, zsh, dash, ksh."""
    name = PurePath(argv[0]).name
    return _lines(
        *(f"unset {each}" for each in unset if _NAME.fullmatch(each)),
        *(f"export {each}={shlex.quote(value)}" for each, value in env.items() if _NAME.fullmatch(each)),
        *([f'{name}() {{ {shlex.join(argv)} "$@"; }}'] if _NAME.fullmatch(name) else []),
    )


def fish_lines(env: Mapping[str, str], unset: Sequence[str], argv: Sequence[str]) -> str:
    """For fish."""
    name = PurePath(argv[0]).name
    command = " ".join(map(_fish_quoted, argv))
    return _lines(
        *(f"set -e {each}" for each in unset if _NAME.fullmatch(each)),
        *(f"set -gx {each} {_fish_quoted(value)}" for each, value in env.items() if _NAME.fullmatch(each)),
        *([f"function {name}; {command} $argv; end"] if _NAME.fullmatch(name) else []),
    )


def json_line(env: Mapping[str, str], unset: Sequence[str], argv: Sequence[str]) -> str:
    """For programs: `{"env", "unset", "argv"}`."""
    return _lines(json.dumps({"env": env, "unset": unset, "argv": argv}))


WRITERS: Mapping[str, Writer] = {"sh": sh_lines, "fish": fish_lines, "json": json_line}


def _fish_quoted(text: str) -> str:
    """Between fish's single quotes the backslash and the quote itself alone mean something."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
