import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.metering.measured import Counts, Measured
from clown_daemon.proxies.metering.meter import Meter

EVENTS = "text/event-stream; charset=utf-8"


def event(data: object, name: str | None = None, end: str = "\n") -> bytes:
    head = f"event: {name}{end}" if name else ""
    return f"{head}data: {json.dumps(data)}{end}{end}".encode()


def anthropic_stream(end: str = "\n", *, start: object = None, delta: object = None) -> bytes:
    started = start or {
        "input_tokens": 25,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
        "output_tokens": 1,
        "service_tier": "standard",
    }
    message = {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": started}
    text = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 'so "usage" is: {"usage": 7}'}}
    return b"".join(
        (
            event({"type": "message_start", "message": message}, "message_start", end),
            event({"type": "ping"}, "ping", end),
            event(text, "content_block_delta", end),
            event({"type": "message_delta", "usage": delta or {"output_tokens": 15}}, "message_delta", end),
            event({"type": "message_stop"}, "message_stop", end),
        )
    )


ANTHROPIC = Counts(
    input_tokens=25, output_tokens=15, cache_read_tokens=2000, cache_write_5m_tokens=60, cache_write_1h_tokens=40
)


def measure(wire: Wire, body: bytes, content_type: str = EVENTS, encoding: str | None = None) -> Measured:
    meter = Meter(wire, content_type=content_type, content_encoding=encoding)
    meter.feed(body)
    return meter.finish()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_message_is_measured_whatever_ends_its_lines(end: str) -> None:
    measured = measure("anthropic", anthropic_stream(end))
    assert measured == Measured(counts=ANTHROPIC, response_id="msg_1", model="claude-sonnet-4-5", complete=True)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_stream_cut_at_every_byte_says_the_same(end: str) -> None:
    stream = anthropic_stream(end)
    for cut in range(len(stream)):
        meter = Meter("anthropic", content_type=EVENTS, content_encoding=None)
        meter.feed(stream[:cut])
        meter.feed(stream[cut:])
        assert meter.finish().counts == ANTHROPIC, cut


def test_zeros_at_the_start_are_overruled_by_the_end() -> None:
    zeros = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0}
    last = {"input_tokens": 25, "output_tokens": 15, "cache_read_input_tokens": 2000}
    measured = measure("anthropic", anthropic_stream(start=zeros, delta=last))
    assert measured.counts == Counts(input_tokens=25, output_tokens=15, cache_read_tokens=2000)


def test_zeros_at_the_end_do_not_overrule_the_start() -> None:
    last = {"input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 15}
    assert measure("anthropic", anthropic_stream(delta=last)).counts == ANTHROPIC


def test_what_a_broken_stream_has_billed_is_known() -> None:
    stream = anthropic_stream()
    measured = measure("anthropic", stream[: stream.index(b"message_delta") - 20])
    assert measured.counts is not None
    assert (measured.counts.input_tokens, measured.counts.output_tokens) == (25, 1)
    assert not measured.complete


def test_the_last_event_counts_also_without_its_blank_line() -> None:
    stream = anthropic_stream()
    cut = stream[: stream.index(b"\n\nevent: message_stop")]
    assert measure("anthropic", cut).counts == ANTHROPIC


def test_a_whole_message_is_measured() -> None:
    body = {
        "id": "msg_2",
        "model": "claude-opus-4-8",
        "usage": {
            "input_tokens": 3,
            "output_tokens": 5,
            "speed": "fast",
            "server_tool_use": {"web_search_requests": 2},
        },
    }
    measured = measure("anthropic", json.dumps(body).encode(), "application/json")
    assert measured.counts == Counts(input_tokens=3, output_tokens=5, web_searches=2)
    assert (measured.response_id, measured.tier, measured.complete) == ("msg_2", "fast", True)


RESPONSE = {
    "id": "resp_1",
    "model": "gpt-5-codex",
    "service_tier": "priority",
    "usage": {
        "input_tokens": 2125,
        "input_tokens_details": {"cached_tokens": 2000},
        "output_tokens": 15,
        "output_tokens_details": {"reasoning_tokens": 4},
    },
}
OPENAI = Counts(input_tokens=125, output_tokens=15, cache_read_tokens=2000, reasoning_tokens=4)


@pytest.mark.parametrize("last", ["response.completed", "response.incomplete", "response.failed"])
def test_a_response_is_measured_by_its_last_event(last: str) -> None:
    stream = event({"type": "response.created", "response": {"id": "resp_1", "usage": None}})
    stream += event({"type": "response.output_text.delta", "delta": 'it says "usage" here'})
    stream += event({"type": last, "response": RESPONSE})
    measured = measure("openai", stream)
    assert measured == Measured(
        counts=OPENAI, response_id="resp_1", model="gpt-5-codex", tier="priority", complete=True
    )


def test_a_response_without_its_last_event_bills_nothing_that_is_known() -> None:
    measured = measure("openai", event({"type": "response.created", "response": {"id": "resp_1", "usage": None}}))
    assert (measured.counts, measured.response_id, measured.complete) == (None, "resp_1", False)


def test_a_completion_is_measured_by_its_last_chunk_with_or_without_the_end_mark() -> None:
    usage = {
        "prompt_tokens": 2125,
        "completion_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 2000},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "cost": 0.25,
    }
    stream = event({"id": "c1", "model": "glm-4.7", "choices": [{"delta": {"content": "x"}}], "usage": None})
    stream += event({"id": "c1", "model": "glm-4.7", "choices": [], "usage": usage})
    for whole in (stream, stream + b"data: [DONE]\n\n"):
        measured = measure("openai-chat", whole)
        assert (measured.counts, measured.response_id, measured.model) == (OPENAI, "c1", "glm-4.7")
        assert (measured.cost_usd, measured.complete) == (0.25, True)


GEMINI_USAGE = {
    "promptTokenCount": 8010,
    "candidatesTokenCount": 60,
    "cachedContentTokenCount": 6000,
    "thoughtsTokenCount": 100,
    "toolUsePromptTokenCount": 5,
}
GEMINI = Counts(input_tokens=2015, output_tokens=160, cache_read_tokens=6000, reasoning_tokens=100)


def test_the_last_count_of_gemini_is_right_as_events_or_as_one_array() -> None:
    first = {"responseId": "r1", "modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 8010}}
    last = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": GEMINI_USAGE}
    expected = Measured(counts=GEMINI, response_id="r1", model="gemini-2.5-pro", complete=True)
    assert measure("gemini", event(first) + event(last)) == expected
    assert measure("gemini", json.dumps([first, last]).encode(), "application/json") == expected


def test_a_tool_that_speaks_of_usage_bills_nothing() -> None:
    fooling = {"type": "content_block_delta", "usage": {"output_tokens": 999}}
    assert measure("anthropic", event(fooling)).counts is None


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_an_encoded_answer_is_measured_in_whatever_pieces_it_comes(encoding: str) -> None:
    encoded = ENCODERS[encoding](anthropic_stream())
    meter = Meter("anthropic", content_type=EVENTS, content_encoding=encoding)
    for at in range(0, len(encoded), 7):
        meter.feed(encoded[at : at + 7])
    assert meter.finish().counts == ANTHROPIC
    assert meter.problem is None


def test_deflate_without_its_header_is_read_too() -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    encoded = raw.compress(anthropic_stream()) + raw.flush()
    assert measure("anthropic", encoded, encoding="deflate").counts == ANTHROPIC


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "compress"])
def test_bytes_that_do_not_fit_the_encoding_are_said_and_harm_nobody(encoding: str) -> None:
    meter = Meter("anthropic", content_type=EVENTS, content_encoding=encoding)
    assert meter.feed(b"no such thing") is False
    assert meter.feed(b"no such thing") is False
    assert meter.finish() == Measured()
    assert meter.problem is not None


def test_a_count_that_is_none_is_said_without_quoting_the_answer() -> None:
    stream = event({"type": "message_delta", "usage": {"output_tokens": -7}})
    meter = Meter("anthropic", content_type=EVENTS, content_encoding=None)
    meter.feed(stream)
    assert meter.finish().counts is None
    assert meter.problem == "an event could not be read: ValueError"


@given(
    st.sampled_from(["anthropic", "openai", "openai-chat", "gemini"]),
    st.sampled_from([EVENTS, "application/json", ""]),
    st.lists(st.binary(max_size=80) | st.sampled_from([b'data: {"usage":', b'"usageMetadata"', b"\n\n", b"\r\n\r\n"])),
)
def test_no_bytes_whatsoever_raise(wire: Wire, content_type: str, pieces: list[bytes]) -> None:
    meter = Meter(wire, content_type=content_type, content_encoding=None)
    for piece in pieces:
        meter.feed(piece)
    meter.finish()
