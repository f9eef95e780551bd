"""Usage in answers of Anthropic's Messages API.

`message_start` has the input side, `message_delta` the whole, cumulative. A count that is zero there says nothing: some
gateways send zeros in one of the two, and the other one is right. Format: Anthropic, "Streaming Messages".
"""

import msgspec

from clown_daemon.proxies.metering.measured import Counts, Measured, tier_of
from clown_daemon.store.token_counts import count


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerTools(msgspec.Struct, frozen=True):
    web_search_requests: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    service_tier: str | None = None
    speed: str | None = None


class _Message(msgspec.Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str | None = None
    message: _Message | None = None
    usage: _Usage | None = None


_event_decoder = msgspec.json.Decoder(_Event)
_message_decoder = msgspec.json.Decoder(_Message)


class AnthropicReader:
    """Reads one answer."""

    marker = b'"usage"'

    def __init__(self) -> None:
        self._message = _Message()
        self._known: dict[str, int] = {}
        self._told: dict[str, str] = {}
        self._complete = False

    @property
    def measured(self) -> Measured:
        return Measured(
            counts=self._counts() if any(self._known.values()) else None,
            response_id=self._message.id,
            model=self._message.model,
            tier="fast" if self._told.get("speed") == "fast" else tier_of(self._told.get("service_tier")),
            complete=self._complete,
        )

    def read_event(self, data: bytes) -> None:
        event = _event_decoder.decode(data)
        if event.type == "message_start" and event.message is not None:
            self._message = event.message
            self._take(event.message.usage)
        elif event.type == "message_delta":
            self._take(event.usage)
            self._complete = True

    def read_body(self, body: bytes) -> None:
        self._message = _message_decoder.decode(body)
        self._take(self._message.usage)
        self._complete = self._message.usage is not None

    def _take(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        split, tools = usage.cache_creation, usage.server_tool_use
        told = {
            "input": count(usage.input_tokens),
            "output": count(usage.output_tokens),
            "read": count(usage.cache_read_input_tokens),
            "written": count(usage.cache_creation_input_tokens),
            "written_1h": count(split.ephemeral_1h_input_tokens) if split else 0,
            "written_5m": count(split.ephemeral_5m_input_tokens) if split else 0,
            "searches": count(tools.web_search_requests) if tools else 0,
        }
        self._known.update({name: value for name, value in told.items() if value})
        words = {"service_tier": usage.service_tier, "speed": usage.speed}
        self._told.update({name: word for name, word in words.items() if word})

    def _counts(self) -> Counts:
        known = self._known
        one_hour = known.get("written_1h", 0)
        # What is not told apart was written for five minutes.
        five_minutes = max(known.get("written_5m", 0), known.get("written", 0) - one_hour)
        return Counts(
            input_tokens=known.get("input", 0),
            output_tokens=known.get("output", 0),
            cache_read_tokens=known.get("read", 0),
            cache_write_5m_tokens=five_minutes,
            cache_write_1h_tokens=one_hour,
            web_searches=known.get("searches", 0),
        )
