"""Usage in answers of OpenAI's two APIs, Responses and Chat Completions, and of all who speak them.

Input counts include what was read from a cache, output counts include reasoning. Formats: OpenAI, "Streaming API
responses" (`response.completed`, `.incomplete`, `.failed` carry the whole response) and "Chat Completions streaming"
(the last chunk carries `usage` when the request asked for it).
"""

import msgspec

from clown_daemon.proxies.metering.measured import Counts, Measured, tier_of
from clown_daemon.store.token_counts import count

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _ResponsesUsage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    cost: float | None = None

    def counts(self) -> Counts:
        return _counts(self.input_tokens, self.output_tokens, self.input_tokens_details, self.output_tokens_details)


class _ChatUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: float | None = None

    def counts(self) -> Counts:
        details = self.prompt_tokens_details
        if details is None and self.prompt_cache_hit_tokens is not None:
            details = _InputDetails(cached_tokens=self.prompt_cache_hit_tokens)
        return _counts(self.prompt_tokens, self.completion_tokens, details, self.completion_tokens_details)


class _Response(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    service_tier: str | None = None
    usage: _ResponsesUsage | None = None


class _ResponseEvent(msgspec.Struct, frozen=True):
    type: str | None = None
    response: _Response | None = None


class _Completion(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: _ChatUsage | None = None


_event_decoder = msgspec.json.Decoder(_ResponseEvent)
_response_decoder = msgspec.json.Decoder(_Response)
_completion_decoder = msgspec.json.Decoder(_Completion)


class ResponsesReader:
    """Reads one answer of the Responses API."""

    marker = b'"usage"'

    def __init__(self) -> None:
        self.measured = Measured()

    def read_event(self, data: bytes) -> None:
        event = _event_decoder.decode(data)
        if event.response is not None:
            self._take(event.response, complete=event.type in _ENDS)

    def read_body(self, body: bytes) -> None:
        self._take(_response_decoder.decode(body), complete=True)

    def _take(self, response: _Response, *, complete: bool) -> None:
        usage = response.usage
        self.measured = Measured(
            counts=self.measured.counts if usage is None else usage.counts(),
            response_id=response.id,
            model=response.model,
            tier=tier_of(response.service_tier),
            complete=complete,
            cost_usd=None if usage is None else usage.cost,
        )


class ChatReader:
    """Reads one answer of the Chat Completions API."""

    marker = b'"usage"'

    def __init__(self) -> None:
        self.measured = Measured()

    def read_event(self, data: bytes) -> None:
        self._take(_completion_decoder.decode(data))

    def read_body(self, body: bytes) -> None:
        self._take(_completion_decoder.decode(body))

    def _take(self, completion: _Completion) -> None:
        usage = completion.usage
        known = self.measured
        self.measured = Measured(
            counts=known.counts if usage is None else usage.counts(),
            response_id=completion.id or known.response_id,
            model=completion.model or known.model,
            tier=tier_of(completion.service_tier) if completion.service_tier else known.tier,
            complete=known.complete or usage is not None,
            cost_usd=known.cost_usd if usage is None else usage.cost,
        )


def _counts(
    whole_input: int | None, output: int | None, details: _InputDetails | None, more: _OutputDetails | None
) -> Counts:
    read = count(details.cached_tokens) if details else 0
    written = count(details.cache_write_tokens) if details else 0
    return Counts(
        input_tokens=max(0, count(whole_input) - read - written),
        output_tokens=count(output),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        reasoning_tokens=count(more.reasoning_tokens) if more else 0,
    )
