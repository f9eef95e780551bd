"""Amp's threads as older versions kept them: one JSON document a thread, in `~/.local/share/amp/threads`.

Newer ones keep threads on Amp's server alone; what is here is what was left behind. Two places tell of a
response: the assistant's message (`usage`; input without cache, often no instant) and the thread's ledger
(`usageLedger`; an instant, no cache). Neither is complete, so they are joined by the number of the message. The format
is known from other readers of it, not from runs of Amp; what has neither place, or a sum alone, counts as broken.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.ledger import Response
from clown_daemon.store.token_counts import count
from clown_daemon.usage.formats.document import DocumentParser
from clown_daemon.usage.formats.parser import UNKNOWN_MODEL, instant, short

SOURCE = "amp"
PROVIDER = "amp"
"""Amp bills, whoever's model it is."""


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    timestamp: str | None = None


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    role: str | None = None
    message_id: int | None = None
    usage: _Usage | None = None


class _LedgerTokens(msgspec.Struct, frozen=True, rename="camel"):
    input: int | None = None
    output: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    id: str | None = None
    timestamp: str | None = None
    model: str | None = None
    tokens: _LedgerTokens | None = None
    to_message_id: int | None = None


class _Ledger(msgspec.Struct, frozen=True):
    events: tuple[msgspec.Raw, ...] = ()


class _Thread(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    created: int | None = None
    """Epoch milliseconds."""
    messages: tuple[msgspec.Raw, ...] | None = None
    usage_ledger: _Ledger | None = None


_thread_decoder = msgspec.json.Decoder(_Thread)
_message_decoder = msgspec.json.Decoder(_Message)
_event_decoder = msgspec.json.Decoder(_Event)

_Item = TypeVar("_Item")


class AmpParser(DocumentParser):
    """Reads one thread."""

    def _read_document(self, document: bytes) -> list[Response]:
        self.lines_broken = 0  # damaged text is read twice
        thread = _thread_decoder.decode(document)
        if thread.messages is None and thread.usage_ledger is None:
            raise ValueError("a thread without messages and without a ledger")
        messages = [
            message
            for message in self._read_each(thread.messages or (), _message_decoder)
            if message.role == "assistant" and message.usage is not None
        ]
        events = list(self._read_each(thread.usage_ledger.events if thread.usage_ledger else (), _event_decoder))
        return list(self._bill(thread, messages, events))

    def _read_each(self, items: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[_Item]) -> Iterator[_Item]:
        for item in items:
            try:
                yield decoder.decode(item)
            except msgspec.DecodeError:
                self.lines_broken += 1

    def _bill(self, thread: _Thread, messages: list[_Message], events: list[_Event]) -> Iterator[Response]:
        by_number = {message.message_id: message for message in messages if message.message_id is not None}
        told: set[int] = set()
        for event in events:
            number = event.to_message_id if event.to_message_id not in told else None
            message = by_number.get(number) if number is not None else None
            if number is not None:
                told.add(number)
            yield from self._one(thread, event, message, number)
        for message in messages:
            if message.message_id is None or message.message_id not in told:
                yield from self._one(thread, None, message, message.message_id)

    def _one(
        self, thread: _Thread, event: _Event | None, message: _Message | None, number: int | None
    ) -> Iterator[Response]:
        try:
            response = _response(thread, event, message.usage if message else None, number)
        except ValueError:
            self.lines_broken += 1
        else:
            if response is not None:
                yield response


def _response(thread: _Thread, event: _Event | None, usage: _Usage | None, number: int | None) -> Response | None:
    """Answer what one or both places tell of a response.

    Raises:
        ValueError: it has no instant, or counts that cannot be such.
    """
    model = short((usage.model if usage else None) or (event.model if event else None)) or UNKNOWN_MODEL
    counts = _counts(usage)
    if not any(counts):
        counts = _ledger_counts(event.tokens if event else None)
    if not any(counts):
        return None
    at_ms = _instant(thread, event, usage)
    if number is not None:
        name = f"{number}"
    elif event is not None and event.id:
        name = f"event {short(event.id)}"
    else:
        name = f"{at_ms}|{model}|{'|'.join(map(str, counts))}"
    fresh, output, read, written = counts
    session = short(thread.id)
    return Response(
        source=SOURCE,
        agent_id="amp",
        key=f"amp|{session}|{name}",
        provider=PROVIDER,
        model=model,
        session=session,
        project=None,
        at_ms=at_ms,
        input_tokens=fresh,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=0,
    )


def _instant(thread: _Thread, event: _Event | None, usage: _Usage | None) -> int:
    told = (event.timestamp if event else None) or (usage.timestamp if usage else None)
    if told:
        return epoch_ms(told)
    if thread.created is None:
        raise ValueError("a response without an instant")
    return instant(thread.created)


def _counts(usage: _Usage | None) -> tuple[int, int, int, int]:
    """Answer input, output, cache read and cache write of a message."""
    if usage is None:
        return 0, 0, 0, 0
    return (
        count(usage.input_tokens),
        count(usage.output_tokens),
        count(usage.cache_read_input_tokens),
        count(usage.cache_creation_input_tokens),
    )


def _ledger_counts(tokens: _LedgerTokens | None) -> tuple[int, int, int, int]:
    """Answer the same of the ledger."""
    if tokens is None:
        return 0, 0, 0, 0
    if tokens.input is None and tokens.output is None:
        raise ValueError("a sum alone is no usage")
    return (
        count(tokens.input),
        count(tokens.output),
        count(tokens.cache_read_input_tokens),
        count(tokens.cache_creation_input_tokens),
    )
