"""The grammar behind `/`, parsed and printed.

    filter = term*            all must hold        term = ["!"] atom
    atom   = field ":" value ("|" value)*          globs * ?, any case; since:10m
           | field (<= >= < > =) number[unit]      cost>0.05  tokens>=10k
           | "/" regex "/" ["i"]  |  '"' phrase '"'  |  word  |  "@errors"  |  "@cost"

A word or phrase in small letters matches any case; with a capital it matches exactly (smart case). Every text either
parses or raises `FilterError`; what is printed parses to the same filter.
"""

import re
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from clown_daemon.protocol.names import nearest_name

FIELDS: tuple[str, ...] = ("type", "profile", "agent", "proxy", "model", "level", "text", "state", "since")
NUMBERS: tuple[str, ...] = ("cost", "tokens")
ALIASES: tuple[str, ...] = ("@errors", "@cost")

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class FilterError(ValueError):
    """A text that is no filter.

    Attributes:
        position: where in the text the fault is, from 0.
    """

    def __init__(self, message: str, position: int) -> None:
        self.position = position
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a filter looks at: a row or an event."""

    text: str
    """Everything that a word is searched in."""
    fields: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    """Known numbers; an unknown price is absent and fulfils no comparison."""
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A text that must occur."""

    text: str

    def holds(self, record: Record, now_ms: int) -> bool:
        del now_ms
        if self.text != self.text.lower():
            return self.text in record.text
        return self.text.casefold() in record.text.casefold()

    def __str__(self) -> str:
        bare = (
            self.text
            and not re.search(r'[\s"]', self.text)
            and self.text[0] not in "!/@"
            and not _HEAD.match(self.text)
        )
        return self.text if bare else _quote(self.text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that must be found."""

    source: str
    any_case: bool = False

    def holds(self, record: Record, now_ms: int) -> bool:
        del now_ms
        return _compiled(self.source, self.any_case).search(record.text) is not None

    def __str__(self) -> str:
        return f"/{self.source}/{'i' if self.any_case else ''}"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that must match one of the globs."""

    name: str
    values: tuple[str, ...]

    def holds(self, record: Record, now_ms: int) -> bool:
        del now_ms
        held = record.text if self.name == "text" else record.fields.get(self.name)
        return held is not None and any(_glob(value, self.name == "text").search(held) for value in self.values)

    def __str__(self) -> str:
        return f"{self.name}:" + "|".join(map(_value, self.values))


@dataclass(frozen=True, slots=True)
class Since:
    """An event no older than a span."""

    span: str

    def holds(self, record: Record, now_ms: int) -> bool:
        return record.at_ms is not None and record.at_ms >= now_ms - _span_ms(self.span)

    def __str__(self) -> str:
        return f"since:{self.span}"


@dataclass(frozen=True, slots=True)
class Compare:
    """A number that must compare."""

    name: str
    operator: str
    number: str

    def holds(self, record: Record, now_ms: int) -> bool:
        del now_ms
        held = record.numbers.get(self.name)
        if held is None:
            return False
        limit = _amount(self.number)
        return {
            "<": held < limit,
            "<=": held <= limit,
            ">": held > limit,
            ">=": held >= limit,
            "=": held == limit,
        }[self.operator]

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.number}"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a filter."""

    name: str

    def holds(self, record: Record, now_ms: int) -> bool:
        del now_ms
        if self.name == "@errors":
            return record.fields.get("level") == "error"
        return record.fields.get("type", "").startswith(("Usage", "Budget")) or record.numbers.get("cost", 0.0) > 0

    def __str__(self) -> str:
        return self.name


Atom: TypeAlias = Word | Pattern | Field | Since | Compare | Alias


@dataclass(frozen=True, slots=True)
class Term:
    """An atom, or its contrary."""

    atom: Atom
    negated: bool = False

    def __str__(self) -> str:
        return f"!{self.atom}" if self.negated else str(self.atom)


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that must all hold; without any, everything matches."""

    terms: tuple[Term, ...] = ()

    def matches(self, record: Record, now_ms: int = 0) -> bool:
        """Tell whether a row or event is wanted; `now_ms` is for `since:`."""
        return all(term.atom.holds(record, now_ms) is not term.negated for term in self.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


# -- parsing ----------------------------------------------------------------------------------------------------------

_HEAD = re.compile(r"(?P<name>[A-Za-z_]+)(?P<operator><=|>=|:|<|>|=)")
_NUMBER = re.compile(r"\$?\d{1,15}(\.\d{1,9})?[kKmMgG]?")
_SPAN = re.compile(r"\d{1,9}[smhd]")


def parse(text: str) -> Filter:
    """Read a filter; blank text is the filter that matches everything.

    Raises:
        FilterError: with the position of the fault.
    """
    terms: list[Term] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        negated = text[position] == "!"
        start = position + negated
        if start >= len(text) or text[start].isspace():
            raise FilterError("a term must follow the !", position)
        atom, position = _atom(text, start)
        if position < len(text) and not text[position].isspace():
            raise FilterError("a blank must stand between terms", position)
        terms.append(Term(atom, negated))
    return Filter(tuple(terms))


def _atom(text: str, start: int) -> tuple[Atom, int]:
    match text[start]:
        case '"':
            phrase, end = _quoted(text, start)
            return Word(phrase), end
        case "/":
            return _regex(text, start)
        case "@":
            return _alias(text, start)
    if head := _HEAD.match(text, start):
        return _field(text, head)
    end = _word_end(text, start)
    return Word(text[start:end]), end


def _word_end(text: str, start: int) -> int:
    end = start
    while end < len(text) and not text[end].isspace():
        if text[end] == '"':
            raise FilterError("a quote may only begin a term", end)
        end += 1
    return end


def _quoted(text: str, start: int) -> tuple[str, int]:
    found: list[str] = []
    index = start + 1
    while index < len(text):
        if text[index] == '"':
            return "".join(found), index + 1
        if text[index] == "\\" and index + 1 < len(text):
            index += 1
        found.append(text[index])
        index += 1
    raise FilterError('the closing " is missing', start)


def _regex(text: str, start: int) -> tuple[Pattern, int]:
    index = start + 1
    while index < len(text) and text[index] != "/":
        index += 2 if text[index] == "\\" else 1
    if index >= len(text):
        raise FilterError("the closing / is missing", start)
    source = text[start + 1 : index]
    if not source:
        raise FilterError("an expression must stand between the /", start)
    any_case = text[index + 1 : index + 2] == "i"
    try:
        _compiled(source, any_case)
    except (re.error, OverflowError, RecursionError) as error:
        raise FilterError(f"no regular expression: {error}", start + 1) from None
    return Pattern(source, any_case), index + 1 + any_case


def _alias(text: str, start: int) -> tuple[Alias, int]:
    end = _word_end(text, start)
    name = text[start:end].lower()
    if name not in ALIASES:
        raise FilterError(f"unknown name {text[start:end]}; known: {', '.join(ALIASES)}", start)
    return Alias(name), end


def _field(text: str, head: re.Match[str]) -> tuple[Atom, int]:
    name, operator = head["name"].lower(), head["operator"]
    known = FIELDS if operator == ":" else NUMBERS
    if name not in known:
        raise FilterError(_unknown_field(name, operator), head.start())
    if operator != ":":
        return _compare(text, head, name)
    if name == "since":
        found = _SPAN.match(text, head.end())
        if found is None:
            raise FilterError("a span must follow, as in since:10m", head.end())
        return Since(found.group()), found.end()
    values, end = _values(text, head.end())
    return Field(name, values), end


def _unknown_field(name: str, operator: str) -> str:
    if operator == ":" and name in NUMBERS:
        return f"{name} is a number: write {name}>0"
    if operator != ":" and name in FIELDS:
        return f"{name} is no number: write {name}:..."
    near = nearest_name(name, (*FIELDS, *NUMBERS))
    return f"unknown field {name}" + (
        f"; did you mean {near}?" if near else f"; known: {', '.join((*FIELDS, *NUMBERS))}"
    )


def _compare(text: str, head: re.Match[str], name: str) -> tuple[Compare, int]:
    found = _NUMBER.match(text, head.end())
    if found is None:
        raise FilterError(f"a number must follow, as in {name}>0.05 or {name}>=10k", head.end())
    return Compare(name, head["operator"], found.group()), found.end()


def _values(text: str, start: int) -> tuple[tuple[str, ...], int]:
    values: list[str] = []
    index = start
    while True:
        value, index = _one_value(text, index)
        values.append(value)
        if text[index : index + 1] != "|":
            return tuple(values), index
        index += 1


def _one_value(text: str, start: int) -> tuple[str, int]:
    if text[start : start + 1] == '"':
        return _quoted(text, start)
    end = start
    while end < len(text) and not text[end].isspace() and text[end] not in '|"':
        end += 1
    if end == start:
        raise FilterError("a value must follow", start)
    return text[start:end], end


# -- matching and printing --------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _compiled(source: str, any_case: bool) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a "[[" that may mean something else one day is the user's own business
        return re.compile(source, re.IGNORECASE if any_case else 0)


@lru_cache(maxsize=256)
def _glob(value: str, anywhere: bool) -> re.Pattern[str]:
    body = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in value)
    return re.compile(body if anywhere else rf"\A{body}\Z", re.IGNORECASE | re.DOTALL)


def _amount(text: str) -> float:
    bare = text.removeprefix("$")
    unit = bare[-1].lower() if bare[-1].isalpha() else ""
    return float(bare[: len(bare) - len(unit)]) * _UNITS[unit]


def _span_ms(text: str) -> int:
    return int(text[:-1]) * _SPANS[text[-1]] * 1000


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value(text: str) -> str:
    return text if text and not re.search(r'[\s"|]', text) else _quote(text)
