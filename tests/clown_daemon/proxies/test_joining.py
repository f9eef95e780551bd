"""A response that the proxy metered and the agent's own log tells is one in the ledger, whichever is read first."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from clown_daemon.manifests.wires import Wire
from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.proxies.billing import response_of
from clown_daemon.proxies.metering.meter import Meter
from clown_daemon.proxies.records import Record
from clown_daemon.store.ledger import Entry, Response
from clown_daemon.store.usage import add_entries
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.formats.codex import CodexParser
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.pricing import PriceList
from tests.support.ledger import check_sums, empty_ledger
from tests.support.transcripts import LOGS

PRICES = PriceList((shipped_table(),))
EVENTS = "text/event-stream"


@pytest.fixture
def ledger() -> Iterator[sqlite3.Connection]:
    with empty_ledger() as connection:
        yield connection


def metered(number: int, wire: Wire, request_id: str | None, events: Sequence[object], at_ms: int) -> list[Response]:
    """What the proxy's records of an answer bill: when it first told of it, and at its end."""
    meter = Meter(wire, content_type=EVENTS, content_encoding=None)
    found = [meter.measured for event in events if meter.feed(f"data: {json.dumps(event)}\n\n".encode())]
    record = Record(
        id=f"boot:{number}",
        kind="partial",
        at_ms=at_ms,
        profile="work",
        agent_id="claude",
        provider="anthropic" if wire == "anthropic" else "openai",
        wire=wire,
        request_id=request_id,
    )
    told = [
        msgspec.structs.replace(
            record,
            kind="end" if measured.complete else "partial",
            counts=measured.counts,
            response_id=measured.response_id,
            model=measured.model,
            complete=measured.complete,
        )
        for measured in found
    ]
    return [response for one in told if (response := response_of(one)) is not None]


def as_answered(number: int, line: dict[str, Any]) -> list[Response]:
    """What a proxy had seen of the response that a line of Claude Code tells."""
    message = line["message"]
    begun = {**message["usage"], "output_tokens": 1}
    head = {"id": message["id"], "model": message["model"], "usage": begun}
    events = [
        {"type": "message_start", "message": head},
        {"type": "message_delta", "usage": {"output_tokens": message["usage"]["output_tokens"]}},
    ]
    return metered(number, "anthropic", line.get("requestId"), events, 1_795_428_000_000)


def entries(responses: Sequence[Response], profile: str) -> list[Entry]:
    return [Entry(response, PRICES.cost(response), profile) for response in responses]


def add(ledger: sqlite3.Connection, *batches: list[Entry]) -> tuple[int, dict[str, int]]:
    """Add batches one after the other; answer how many responses there are and what each profile was billed."""
    for batch in batches:
        add_entries(ledger, batch)
    check_sums(ledger)
    rows = ledger.execute(
        "SELECT profile, count(*), sum(usage_records.input_tokens + usage_records.output_tokens)"
        " FROM usage_records JOIN usage_series USING (series) GROUP BY profile"
    ).fetchall()
    return sum(row[1] for row in rows), {row[0]: row[2] for row in rows}


ORDERS: dict[str, Callable[[list[Entry], list[Entry]], list[list[Entry]]]] = {
    "log first": lambda log, proxy: [log, proxy],
    "proxy first": lambda log, proxy: [proxy, log],
    "together": lambda log, proxy: [[*proxy, *log]],
    "one by one": lambda log, proxy: [[one] for pair in zip(proxy, log, strict=False) for one in pair] + [log, proxy],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["main_then_resumed", "gateway_no_requestId", "with_subagent_parent", "interactive"])
def test_claude_code_and_its_proxy_tell_the_same_responses(order: str, name: str, ledger: sqlite3.Connection) -> None:
    data = (LOGS / f"claude_2.1.197_{name}.jsonl").read_bytes()
    logged = entries(ClaudeParser().feed(data), UNATTRIBUTED)
    lines = [json.loads(line) for line in data.splitlines() if b'"usage"' in line and b'"assistant"' in line]
    last = {line["message"]["id"]: line for line in lines if line["type"] == "assistant"}
    proxied = [response for number, line in enumerate(last.values()) for response in as_answered(number, line)]
    with empty_ledger() as alone:
        responses, billed = add(alone, logged)
    assert add(ledger, *ORDERS[order](logged, entries(proxied, "work"))) == (
        responses,
        {"work": billed[UNATTRIBUTED]},
    )
    projects = ledger.execute("SELECT count(*) FROM usage_records WHERE project IS NULL").fetchone()[0]
    assert projects == 0


@pytest.mark.parametrize("order", ORDERS)
def test_codex_and_its_proxy_tell_the_same_responses(order: str, ledger: sqlite3.Connection) -> None:
    data = (LOGS / "codex_0.169_main_ad07e7552f7.jsonl").read_text()
    data = data.replace("resp_0", "resp_00000000000000000000000000000")  # the ids of the provider are long
    logged = entries(CodexParser().feed(data.encode()), UNATTRIBUTED)
    records = [json.loads(line)["payload"] for line in data.splitlines() if '"token_usage_record"' in line]
    proxied: list[Response] = []
    for number, record in enumerate(records):
        usage = record["usage"]
        told = {
            "input_tokens": usage["input_tokens"],
            "output_tokens": usage["output_tokens"],
            "input_tokens_details": {"cached_tokens": usage["cached_input_tokens"]},
            "output_tokens_details": {"reasoning_tokens": usage["reasoning_output_tokens"]},
        }
        answer = {"id": record["response_id"], "model": logged[0].response.model, "usage": told}
        completed = {"type": "response.completed", "response": answer}
        proxied += metered(number, "openai", None, [completed], 1_795_428_000_000)
    with empty_ledger() as alone:
        responses, billed = add(alone, logged)
    assert responses > 1
    assert add(ledger, *ORDERS[order](logged, entries(proxied, "work"))) == (
        responses,
        {"work": billed[UNATTRIBUTED]},
    )
