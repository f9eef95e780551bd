"""Usage in answers of Gemini's generateContent: every chunk carries the counts up to it, so the last one is right.

The prompt count includes what was cached; thoughts are billed as output and not in the candidates' count; what tools
put into the prompt is billed as input. Format: Gemini API reference, `UsageMetadata`.
"""

import msgspec

from clown_daemon.proxies.metering.measured import Counts, Measured
from clown_daemon.store.token_counts import count


class _Usage(msgspec.Struct, frozen=True, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Candidate(msgspec.Struct, frozen=True, rename="camel"):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    candidates: tuple[_Candidate, ...] = ()


_answer_decoder = msgspec.json.Decoder(_Answer)
_body_decoder = msgspec.json.Decoder(_Answer | tuple[_Answer, ...])


class GeminiReader:
    """Reads one answer."""

    marker = b'"usageMetadata"'

    def __init__(self) -> None:
        self.measured = Measured()

    def read_event(self, data: bytes) -> None:
        self._take(_answer_decoder.decode(data))

    def read_body(self, body: bytes) -> None:
        """A stream that is not asked for as events is one JSON array."""
        found = _body_decoder.decode(body)
        for answer in found if isinstance(found, tuple) else (found,):
            self._take(answer)

    def _take(self, answer: _Answer) -> None:
        known, usage = self.measured, answer.usage_metadata
        self.measured = Measured(
            counts=known.counts if usage is None else _counts(usage),
            response_id=answer.response_id or known.response_id,
            model=answer.model_version or known.model,
            complete=known.complete or any(candidate.finish_reason for candidate in answer.candidates),
        )


def _counts(usage: _Usage) -> Counts:
    read, thoughts = count(usage.cached_content_token_count), count(usage.thoughts_token_count)
    fresh = count(usage.prompt_token_count) + count(usage.tool_use_prompt_token_count) - read
    return Counts(
        input_tokens=max(0, fresh),
        output_tokens=count(usage.candidates_token_count) + thoughts,
        cache_read_tokens=read,
        reasoning_tokens=thoughts,
    )
