"""From what a proxy wrote down of a request to what the ledger and the proxy's figures take of it. Pure."""

from collections.abc import Iterable

from clown_daemon.proxies.records import Record
from clown_daemon.store.ledger import PROXY, Response
from clown_daemon.store.proxies import Traffic
from clown_daemon.store.response_keys import input_counts, message_key, response_key

UNKNOWN = "unknown"


def response_of(record: Record) -> Response | None:
    """Answer what a record bills; None when it bills nothing, or nothing that is sure yet."""
    if record.kind == "partial" and not _is_sure(record):
        return None
    return _response(record)


def left_open(records: Iterable[Record]) -> tuple[Response, ...]:
    """Answer what requests billed whose ends are not among these records: all of a proxy that writes no more."""
    told: dict[str, Record] = {}
    for record in records:
        if record.kind == "end":
            told.pop(record.id, None)
        elif record.kind == "partial":
            told[record.id] = record
    return tuple(response for record in told.values() if (response := _response(record)) is not None)


def traffic_of(record: Record) -> Traffic:
    """Answer how a request ended, for the figures of its proxy."""
    answered = record.ended not in {"failed", "cancelled"} or record.first_ms is not None
    return Traffic(record.at_ms, record.status if answered else None, record.first_ms)


def _is_sure(record: Record) -> bool:
    """Whether the end of the request will have the same key: a gateway may tell other input counts then."""
    return record.wire != "anthropic" or record.request_id is not None


def _response(record: Record) -> Response | None:
    counts = record.counts
    if counts is None or record.kind == "begin" or record.call != "generate":
        return None
    return Response(
        source=PROXY,
        agent_id=record.agent_id,
        key=_key(record),
        provider=record.provider or UNKNOWN,
        model=record.model or record.model_requested or UNKNOWN,
        session=record.session or "",
        project=None,
        at_ms=record.at_ms,
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_5m_tokens=counts.cache_write_5m_tokens,
        cache_write_1h_tokens=counts.cache_write_1h_tokens,
        reasoning_tokens=counts.reasoning_tokens,
        web_searches=counts.web_searches,
        tier=record.tier,
        complete=record.complete,
        response_id=record.response_id,
    )


def _key(record: Record) -> str:
    """Make the key that the agent's own log has for the same response; the record's own id where none can have one."""
    match record.wire:
        case "anthropic" if record.response_id and record.counts is not None:
            counts = record.counts
            written = counts.cache_write_5m_tokens + counts.cache_write_1h_tokens
            told = input_counts(counts.input_tokens, written, counts.cache_read_tokens)
            return message_key(record.response_id, record.request_id, told)
        case "openai" | "openai-chat" | "gemini":
            api = "google" if record.wire == "gemini" else "openai"
            return response_key(api, record.response_id, lambda: f"proxy|{record.id}")
        case _:
            return f"proxy|{record.id}"
