"""Gemini CLI's chats: JSON lines, and one JSON document a session in older versions. Format as of Gemini CLI 0.61.

What bills is a message of type `gemini` with `tokens`. It is written again whenever a tool call is attached to it, and
again in a `$set` that carries the whole history: its id tells. Input includes what was read from the cache; thoughts
come on top of the output.
"""

import re

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.document import DocumentParser
from clown_daemon.usage.formats.lines import LineParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, kind_of, read_damaged, short

SOURCE = "gemini"


class _Tokens(msgspec.Struct, frozen=True):
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    thoughts: int | None = None
    tool: int | None = None
    total: int | None = None


class _Message(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None
    timestamp: str | None = None
    tokens: _Tokens | None = None
    model: str | None = None


class _Update(msgspec.Struct, frozen=True):
    messages: list[msgspec.Raw] | None = None


class _Session(msgspec.Struct, frozen=True, rename={"update": "$set", "session": "sessionId"}):
    """A header, an update, or a whole document."""

    session: str | None = None
    kind: str | None = None
    messages: list[msgspec.Raw] | None = None
    update: _Update | None = None


class _Owner(msgspec.Struct, frozen=True):
    """Whose the messages are."""

    session: str = ""
    subagent: bool = False


_message_decoder = msgspec.json.Decoder(_Message)
_session_decoder = msgspec.json.Decoder(_Session)
_owner_decoder = msgspec.json.Decoder(_Owner)


class GeminiParser(LineParser):
    """Reads one chat of JSON lines."""

    markers = (b'"tokens"', b'"projectHash"')
    head = re.compile(rb'\{"id":"[^"\\\n]*","timestamp":"[^"\\\n]*","type":"(?:(gemini)"|\w+")')

    _owner = _Owner()

    def _read_line(self, line: bytes) -> list[Response]:
        if kind_of(line) is not None:
            return _responses(line, self._owner)
        read = _session_decoder.decode(line)
        if read.session is not None:
            self._owner = _owner(read)
        messages = read.messages or (read.update.messages if read.update else None)
        responses, broken = _read_messages(messages, self._owner)
        self.lines_broken += broken
        return responses

    def _context(self) -> bytes:
        return b"" if self._owner == _Owner() else msgspec.json.encode(self._owner)

    def _restore(self, context: bytes) -> None:
        self._owner = _owner_decoder.decode(context) if context else _Owner()


class GeminiDocumentParser(DocumentParser):
    """Reads one chat of an older version."""

    def _read_document(self, document: bytes) -> list[Response]:
        read = _session_decoder.decode(document)
        responses, self.lines_broken = _read_messages(read.messages, _owner(read))
        return responses


def _owner(session: _Session) -> _Owner:
    return _Owner(short(session.session), session.kind == "subagent")


def _read_messages(messages: list[msgspec.Raw] | None, owner: _Owner) -> tuple[list[Response], int]:
    """Answer what all messages bill, and how many of them cannot be read."""
    responses: list[Response] = []
    broken = 0
    for message in messages or ():
        try:
            responses += read_damaged(lambda text: _responses(text, owner), bytes(message))
        except ValueError:
            broken += 1
    return responses, broken


def _responses(message: bytes, owner: _Owner) -> list[Response]:
    """Answer what one message bills: one response or none."""
    if kind_of(message) != "gemini":
        return []
    read = _message_decoder.decode(message)
    if read.tokens is None:
        return []
    if not read.id or not read.timestamp:
        raise ValueError("a response without an id or a time")
    return [_response(read, read.tokens, f"gemini|{owner.session}|{read.id}", epoch_ms(read.timestamp), owner)]


def _response(message: _Message, tokens: _Tokens, key: str, at_ms: int, owner: _Owner) -> Response:
    cached, thoughts = count(tokens.cached), count(tokens.thoughts)
    prompt, shown, tool = count(tokens.input), count(tokens.output), count(tokens.tool)
    if tokens.total == prompt + shown + thoughts:
        tool = 0  # what tools put into the prompt is counted beside it, unless the sum says otherwise
    return Response(
        source=SOURCE,
        agent_id="gemini",
        key=key,
        provider="google",
        model=short(message.model) or UNKNOWN_MODEL,
        session=owner.session,
        project=None,
        at_ms=at_ms,
        input_tokens=count(prompt - cached + tool),
        output_tokens=shown + thoughts,
        cache_read_tokens=cached,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        reasoning_tokens=thoughts,
        sidechain=owner.subagent,
    )
