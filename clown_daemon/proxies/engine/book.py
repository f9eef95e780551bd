"""What is written down of each request, from its begin to its end: one `Page` a request, lines in the spool.

The begin is written before anything is sent, so a proxy that is killed leaves an open request behind and not a hole.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from clown_daemon.proxies.engine.calls import Call
from clown_daemon.proxies.engine.instructions import Instructions
from clown_daemon.proxies.engine.log import log_end
from clown_daemon.proxies.engine.routing import Route
from clown_daemon.proxies.engine.spool import Spool
from clown_daemon.proxies.metering.measured import Measured
from clown_daemon.proxies.records import Ended, Kind, Record


class Book:
    """Opens pages; numbers them by the boot of this proxy."""

    def __init__(self, spool: Spool, boot: str, now_ms: Callable[[], int]) -> None:
        self.spool = spool
        self._boot = boot
        self._now_ms = now_ms
        self.requests = 0

    def open(self, instructions: Instructions, call: Call, *, session: str | None, model: str | None) -> "Page":
        """Begin the page of a request that has just come."""
        self.requests += 1
        record = Record(
            id=f"{self._boot}:{self.requests}",
            kind="begin",
            at_ms=self._now_ms(),
            profile=instructions.profile,
            agent_id=instructions.agent_id,
            wire=call.wire,
            call=call.kind,
            session=session,
            model_requested=model,
        )
        return Page(self.spool, record, self._now_ms)


class Page:
    """What is known of one request."""

    def __init__(self, spool: Spool, record: Record, now_ms: Callable[[], int]) -> None:
        self.measured = Measured()
        self._spool = spool
        self._record = record
        self._now_ms = now_ms
        self._began = time.monotonic()
        self._ended = False

    def sent(self, route: Route, attempt: int) -> None:
        """It goes to an upstream."""
        self._record = msgspec.structs.replace(self._record, provider=route.upstream.provider, attempt=attempt)
        if attempt == 1:
            self._spool.append(self._record)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer is there."""
        # The very header that Claude Code writes down; another one would make another key.
        request_id = headers.get("request-id") or (
            None if self._record.wire == "anthropic" else headers.get("x-request-id")
        )
        self._record = msgspec.structs.replace(
            self._record, status=status, request_id=request_id, first_ms=self._elapsed_ms()
        )

    def learned(self, measured: Measured) -> None:
        """The meter knows more; the first that bills is written down at once, so that it is seen live."""
        first = self.measured.counts is None and measured.counts is not None
        self.measured = measured
        if first and not measured.complete:
            self._append("partial")

    def end(self, ended: Ended, *, status: int | None = None, problem: str | None = None) -> None:
        """It is over; the first end counts."""
        if self._ended:
            return
        self._ended = True
        self._record = msgspec.structs.replace(
            self._record,
            ended=ended,
            status=self._record.status if status is None else status,
            problem=problem,
            total_ms=self._elapsed_ms(),
        )
        log_end(self._append("end"))

    def _append(self, kind: Kind) -> Record:
        known = self.measured
        record = msgspec.structs.replace(
            self._record,
            kind=kind,
            at_ms=self._now_ms(),
            model=known.model,
            response_id=known.response_id,
            counts=known.counts,
            tier=known.tier,
            complete=known.complete,
            cost_usd=known.cost_usd,
        )
        self._spool.append(record)
        return record

    def _elapsed_ms(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 2)
