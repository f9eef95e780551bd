"""Reads one manifest: TOML to struct, and every mistake to one sentence with the file and the line.

TOML's own parser says the line of a syntax error; for a key that is unknown, missing or of the wrong type the line is
found by looking the key up in its table.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from clown_daemon.errors import ClownError
from clown_daemon.protocol.names import nearest_name

M = TypeVar("M", bound=msgspec.Struct)

ANY = "*"
"""A step of a path whose name msgspec does not tell: a key of a table with free names."""

_SYNTAX = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)
_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*)`")
_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY_NAMED = r"""(?:^|[\s,{."'])%s["']?\s*="""
_KEY = re.compile(r"""^\s*(?P<key>[\w."'-]+)\s*=""")


class ManifestError(ClownError):
    """A manifest that cannot be used.

    Attributes:
        file: as it was named.
        line: where, counted from 1.
    """

    def __init__(self, file: str, line: int, what: str) -> None:
        self.file = file
        self.line = line
        super().__init__(f"{file}:{line}: {what}")


def parse(text: str, file: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ManifestError: it is none; names the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.match(str(error))
        last = len(text.splitlines()) or 1
        what = found["what"] if found else str(error)
        line = int(found["line"]) if found and found["line"] else last
        raise ManifestError(file, line, f"this is not TOML: {what[:1].lower()}{what[1:]}") from None


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one manifest over another: tables are merged key by key, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlay(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged


def convert(
    table: Mapping[str, Any],
    type_: type[M],
    check: Callable[[M], tuple[tuple[str, ...], str] | None],
    *,
    text: str,
    file: str,
    source: Literal["bundled", "user"],
) -> M:
    """Make a manifest of a table.

    Args:
        table: what the file says, laid over the bundled manifest of its id if there is one.
        type_: the struct.
        check: answers what the struct's types cannot say: the path of the mistake and the sentence, or None.
        text: the file, to find lines in.
        file: its name, for the sentence.
        source: who wrote it.

    Raises:
        ManifestError: an unknown key, with the nearest known one; a missing one; a value that does not fit.
    """
    if "source" in table:
        raise ManifestError(file, line_of(text, ("source",)), "unknown key 'source'")
    try:
        manifest = msgspec.convert(dict(table), type_)
    except msgspec.ValidationError as error:
        path, what = _explain(str(error), type_)
        raise ManifestError(file, line_of(text, path), what) from None
    mistake = check(manifest)
    if mistake is not None:
        path, what = mistake
        raise ManifestError(file, line_of(text, path), what)
    return msgspec.structs.replace(manifest, source=source)


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Find the line of a key, counted from 1.

    Args:
        text: the file.
        path: the tables and the key; `ANY` stands for a name that is not known.

    Returns:
        The line of the key itself, else the first that gives a key of its name (in an inline table), else that of the
        nearest table around it, else 1.
    """
    places = _places(text)
    if not path:
        return 1
    by_name = (
        number for number, line in enumerate(text.splitlines(), 1) if re.search(_KEY_NAMED % re.escape(path[-1]), line)
    )
    exact = _place(places, path) or next(by_name, None)
    around = (_place(places, path[:length]) for length in range(len(path) - 1, 0, -1))
    return exact or next((number for number in around if number), 1)


def _place(places: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int | None:
    for place, number in places.items():
        if len(place) == len(path) and all(step in {ANY, name} for step, name in zip(path, place, strict=True)):
            return number
    return None


def _places(text: str) -> dict[tuple[str, ...], int]:
    places: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _dotted(header["path"])
            places.setdefault(table, number)
        elif key := _KEY.match(line):
            places.setdefault((*table, *_dotted(key["key"])), number)
    return places


def _dotted(path: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in path.split("."))


def _explain(message: str, type_: type) -> tuple[tuple[str, ...], str]:
    """Turn msgspec's sentence into a path and a sentence of ours."""
    found = _PATH.match(message)
    what, where = (found["what"], found["path"] or "") if found else (message, "")
    steps = tuple(ANY if step == "[...]" else step for step in _steps(where) if not re.fullmatch(r"\[\d+\]", step))
    if unknown := _UNKNOWN.search(what):
        return _unknown(unknown["name"], steps, _struct_at(type_, where))
    if missing := _MISSING.search(what):
        return steps, f"the key {_shown((*steps, missing['name']))!r} is missing"
    what = what[:1].lower() + what[1:]
    return steps, f"{_shown(steps)}: {what}" if steps else what


def _steps(where: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^.\[\]]+|\[.*?\]", where))


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(step for step in path if step != ANY)


def _unknown(name: str, steps: tuple[str, ...], struct: type | None) -> tuple[tuple[str, ...], str]:
    known = () if struct is None else tuple(field.name for field in msgspec.structs.fields(struct))
    known = tuple(key for key in known if key != "source")
    near = nearest_name(name, known)
    cure = f"did you mean {near!r}?" if near else f"known keys: {', '.join(known)}"
    return (*steps, name), f"unknown key {_shown((*steps, name))!r}; {cure}"


def _struct_at(type_: type, where: str) -> type | None:
    """The struct that a path such as `profile.files[0]` or `variants[...]` leads to."""
    found: Any = type_
    for step in _steps(where):
        if step.startswith("["):
            found = _item(found)
        else:
            fields = {field.name: field.type for field in msgspec.structs.fields(found)}
            found = fields.get(step)
    return _only_struct(found)


def _item(type_: Any) -> Any:
    arguments = get_args(type_)
    return arguments[-1] if get_origin(type_) is dict else arguments[0]


def _only_struct(type_: Any) -> type | None:
    for candidate in (type_, *get_args(type_)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None
