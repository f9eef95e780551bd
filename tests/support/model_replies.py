"""What a provider of models answers, in each protocol: whole, and as the events of a stream. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

TEXT = "done"


class Billed(NamedTuple):
    """One response, in classes that do not overlap; reasoning is a part of the output."""

    response_id: str
    model: str
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int

    @property
    def whole_input(self) -> int:
        return self.input + self.cache_read + self.cache_write


class Call(NamedTuple):
    """A tool that the model calls: its name in the agent, and the arguments."""

    tool: str
    arguments: Mapping[str, object]


Event = tuple[str | None, dict[str, Any]]
"""Its name, where the protocol has names, and its data."""


# -- Anthropic's Messages


def _anthropic_usage(billed: Billed) -> dict[str, Any]:
    return {
        "input_tokens": billed.input,
        "cache_creation_input_tokens": billed.cache_write,
        "cache_read_input_tokens": billed.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": billed.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": billed.output,
    }


def anthropic(billed: Billed, call: Call | None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": TEXT}
    if call:
        block = {"type": "tool_use", "id": f"toolu_{billed.output}", "name": call.tool, "input": call.arguments}
    return {
        "id": f"msg_{billed.response_id}",
        "type": "message",
        "role": "assistant",
        "model": billed.model,
        "content": [block],
        "stop_reason": "tool_use" if call else "end_turn",
        "stop_sequence": None,
        "usage": _anthropic_usage(billed),
    }


def anthropic_events(billed: Billed, call: Call | None) -> Iterator[Event]:
    whole = anthropic(billed, call)
    [block] = whole["content"]
    early = {**whole["usage"], "output_tokens": 1}
    start = {**whole, "content": [], "stop_reason": None, "usage": early}
    yield "message_start", {"type": "message_start", "message": start}
    empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": TEXT}
    if call:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": empty}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": billed.output}}
    yield "message_stop", {"type": "message_stop"}


# -- OpenAI's Responses


def responses(billed: Billed, call: Call | None) -> dict[str, Any]:
    content = [{"type": "output_text", "text": TEXT, "annotations": []}]
    item = {"id": f"msg_{billed.output}", "type": "message", "status": "completed", "role": "assistant"}
    output: dict[str, Any] = {**item, "content": content}
    if call:
        output = {
            "id": f"fc_{billed.output}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{billed.output}",
            "name": call.tool,
            "arguments": json.dumps(call.arguments),
        }
    return {
        "id": billed.response_id,
        "object": "response",
        "created_at": 1_795_428_000,
        "status": "completed",
        "model": billed.model,
        "output": [output],
        "usage": {
            "input_tokens": billed.whole_input,
            "input_tokens_details": {"cached_tokens": billed.cache_read},
            "output_tokens": billed.output,
            "output_tokens_details": {"reasoning_tokens": billed.reasoning},
            "total_tokens": billed.whole_input + billed.output,
        },
    }


def responses_events(billed: Billed, call: Call | None) -> Iterator[Event]:
    whole = responses(billed, call)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    told: list[tuple[str, dict[str, Any]]] = [("created", {"response": begun})]
    [item] = whole["output"]
    told.append(("output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress"}}))
    if not call:
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        told.append(("output_text.delta", {**place, "delta": TEXT}))
    told.append(("output_item.done", {"output_index": 0, "item": item}))
    told.append(("completed", {"response": whole}))
    for number, (name, data) in enumerate(told):
        kind = f"response.{name}"
        yield kind, {"type": kind, "sequence_number": number, **data}


# -- OpenAI's Chat Completions


def _chat_usage(billed: Billed) -> dict[str, Any]:
    return {
        "prompt_tokens": billed.whole_input,
        "completion_tokens": billed.output,
        "total_tokens": billed.whole_input + billed.output,
        "prompt_tokens_details": {"cached_tokens": billed.cache_read},
        "completion_tokens_details": {"reasoning_tokens": billed.reasoning},
    }


def _chat_message(billed: Billed, call: Call | None) -> dict[str, Any]:
    if not call:
        return {"role": "assistant", "content": TEXT}
    function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"index": 0, "id": f"call_{billed.output}", "type": "function", "function": function}],
    }


def _chat_frame(billed: Billed, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{billed.response_id}", "object": kind, "created": 1_795_428_000, "model": billed.model}


def chat(billed: Billed, call: Call | None) -> dict[str, Any]:
    finish = "tool_calls" if call else "stop"
    choice = {"index": 0, "message": _chat_message(billed, call), "finish_reason": finish}
    return {**_chat_frame(billed, "chat.completion"), "choices": [choice], "usage": _chat_usage(billed)}


def chat_events(billed: Billed, call: Call | None) -> Iterator[Event]:
    frame = _chat_frame(billed, "chat.completion.chunk")
    yield None, {**frame, "choices": [{"index": 0, "delta": _chat_message(billed, call), "finish_reason": None}]}
    finish = "tool_calls" if call else "stop"
    yield None, {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    yield None, {**frame, "choices": [], "usage": _chat_usage(billed)}


# -- Gemini


def gemini(billed: Billed, call: Call | None) -> dict[str, Any]:
    part = {"functionCall": {"name": call.tool, "args": call.arguments}} if call else {"text": TEXT}
    return {
        "responseId": billed.response_id,
        "modelVersion": billed.model,
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": billed.whole_input,
            "cachedContentTokenCount": billed.cache_read,
            "candidatesTokenCount": billed.output - billed.reasoning,
            "thoughtsTokenCount": billed.reasoning,
            "totalTokenCount": billed.whole_input + billed.output,
        },
    }


def gemini_events(billed: Billed, call: Call | None) -> Iterator[Event]:
    early = gemini(billed, None)
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": "well, "}]}}
    usage = {**early["usageMetadata"], "candidatesTokenCount": 1}
    yield None, {**early, "candidates": [candidate], "usageMetadata": usage}
    yield None, gemini(billed, call)
