"""The real, trimmed logs in `tests/data/logs`, and the parsers that read them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.formats.codex import CodexParser
from clown_daemon.usage.formats.copilot import CopilotParser
from clown_daemon.usage.formats.gemini import GeminiParser
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.qwen import QwenParser
from tests.support.transcripts import LOGS

LINE_PARSERS: dict[str, type[LineParser]] = {
    "claude": ClaudeParser,
    "codex": CodexParser,
    "copilot": CopilotParser,
    "gemini": GeminiParser,
    "qwen": QwenParser,
}
"""By the first word of their samples' names."""


def samples(agent: str) -> list[Path]:
    """The logs of JSON lines of one agent."""
    return sorted(LOGS.glob(f"{agent}_*.jsonl"))


class Totals(NamedTuple):
    """What a log bills, each response once."""

    responses: int
    input: int
    """Without cache."""
    output: int
    cache_read: int
    cache_write: int


def totals(responses: Iterable[Response]) -> Totals:
    """Add up what responses bill; of those with the same key the one with the larger output is right."""
    right: dict[str, Response] = {}
    for response in responses:
        if response.key not in right or response.output_tokens > right[response.key].output_tokens:
            right[response.key] = response
    found = right.values()
    return Totals(
        len(found),
        sum(response.input_tokens for response in found),
        sum(response.output_tokens for response in found),
        sum(response.cache_read_tokens for response in found),
        sum(response.cache_write_tokens for response in found),
    )


def read(parser: LineParser, *pieces: bytes) -> tuple[list[Response], int]:
    """What a parser answers to some pieces, and how many lines of them it found broken."""
    responses = [response for piece in pieces for response in parser.feed(piece)]
    return without_repetitions(responses), parser.lines_broken


def without_repetitions(responses: Iterable[Response]) -> list[Response]:
    """Drop what only says again what was said: a parser may leave it out, and does not have to."""
    first: dict[Response, int] = {}
    return [
        response
        for response in responses
        if first.setdefault(response._replace(at_ms=0), response.at_ms) == response.at_ms
        or response.at_ms < first[response._replace(at_ms=0)]
    ]


def read_put_aside(parser: type[LineParser], content: bytes, cuts: Iterable[int]) -> tuple[list[Response], int]:
    """The same of a content whose parser is put aside at every cut, and followed by another that goes on."""
    responses: list[Response] = []
    state, start, broken = b"", 0, 0
    for cut in (*cuts, len(content)):
        reader = parser(state)
        responses += reader.feed(content[start:cut])
        reader.unfinished()
        state, start, broken = reader.state(), cut - reader.pending_bytes, broken + reader.lines_broken
    return without_repetitions(responses), broken
