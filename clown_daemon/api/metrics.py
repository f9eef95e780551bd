"""What `GET /metrics` tells, as one table: each family with its help, its labels and where its values come from.

Values are read when they are asked for, so nothing is paid between two scrapes but a few counters. The page of the
documentation (`docs/metrics.md`) is compared with this table by a test.
"""

import asyncio
import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from clown_daemon.api.services import Services
from clown_daemon.cursor import Cursor
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.histogram import Distribution
from clown_daemon.store.event_log import read_floor, read_head
from clown_daemon.vitals import ProcessFacts, process_facts

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every scraper reads."""


class LogFacts(NamedTuple):
    """The event log on the disk."""

    head: int
    floor: int
    database_bytes: int
    wal_bytes: int


@dataclass(frozen=True)
class Reading:
    """One look at everything."""

    services: Services
    cursors: tuple[Cursor, ...]
    process: ProcessFacts
    tasks: int
    log: LogFacts | None
    """None while the database cannot be read: what lives in memory is told all the same."""

    def lags(self) -> list[int]:
        """By how many events each client stands behind the head."""
        head = self.services.broadcaster.head
        return [head - cursor.seq for cursor in self.cursors]

    def unsent(self) -> list[int]:
        """How many bytes are kept for each client until its socket takes them."""
        return [cursor.unsent for cursor in self.cursors]

    def clients(self) -> dict[tuple[str, ...], float]:
        """How many clients of each kind there are."""
        found: Counter[tuple[str, ...]] = Counter({("plain", "false"): 0, ("extended", "false"): 0})
        for cursor in self.cursors:
            found["extended" if cursor.extended else "plain", str(cursor.passive).lower()] += 1
        return dict(found)


Values = float | Distribution | Mapping[tuple[str, ...], float] | None
"""One value, a histogram, values by labels, or None: not known now."""


@dataclass(frozen=True)
class Family:
    """One metric."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    read: Callable[[Reading], Values]
    labels: tuple[str, ...] = ()


def _of_log(pick: Callable[[LogFacts], float]) -> Callable[[Reading], Values]:
    return lambda reading: None if reading.log is None else pick(reading.log)


FAMILIES = (
    Family(
        "clown_build_info",
        "gauge",
        "Always 1; the labels say what runs.",
        lambda r: {(r.services.daemon.version, platform.python_version()): 1},
        ("version", "python"),
    ),
    Family(
        "clown_daemon_problems",
        "gauge",
        "How many things do not work now, as the daemon's own resource has them.",
        lambda r: len(r.services.daemon.daemon().problems),
    ),
    Family(
        "clown_stream_clients",
        "gauge",
        "Connected clients of /ws; mode is plain or extended.",
        Reading.clients,
        ("mode", "passive"),
    ),
    Family(
        "clown_stream_clients_behind",
        "gauge",
        "Clients that are parked at their cursor because their socket is full, or that read the log.",
        lambda r: sum(cursor.behind.is_set() for cursor in r.cursors),
    ),
    Family(
        "clown_stream_lag_events",
        "gauge",
        "By how many events all clients together stand behind the newest one.",
        lambda r: sum(r.lags()),
    ),
    Family(
        "clown_stream_max_lag_events",
        "gauge",
        "By how many events the slowest client stands behind the newest one.",
        lambda r: max(r.lags(), default=0),
    ),
    Family(
        "clown_stream_unsent_bytes",
        "gauge",
        "Bytes that wait in the daemon for sockets of all clients.",
        lambda r: sum(r.unsent()),
    ),
    Family(
        "clown_stream_max_unsent_bytes",
        "gauge",
        "Bytes that wait in the daemon for the socket of the slowest client.",
        lambda r: max(r.unsent(), default=0),
    ),
    Family(
        "clown_stream_deliveries_total",
        "counter",
        "Events written to clients: one event for ten clients counts ten.",
        lambda r: r.services.broadcaster.deliveries,
    ),
    Family(
        "clown_stream_stalled_total",
        "counter",
        "Clients that were cut because they took nothing for long.",
        lambda r: r.services.broadcaster.stalled,
    ),
    Family(
        "clown_events_total",
        "counter",
        "Events announced since the daemon started, by type.",
        lambda r: {(name,): count for name, count in sorted(r.services.broadcaster.ring.by_type.items())},
        ("type",),
    ),
    Family(
        "clown_ring_events",
        "gauge",
        "Events in the ring in memory.",
        lambda r: len(r.services.broadcaster.ring),
    ),
    Family(
        "clown_ring_bytes",
        "gauge",
        "Bytes of the framed events in the ring.",
        lambda r: r.services.broadcaster.ring.bytes,
    ),
    Family(
        "clown_log_head_seq",
        "gauge",
        "The number of the newest event ever recorded.",
        _of_log(lambda log: log.head),
    ),
    Family(
        "clown_log_floor_seq",
        "gauge",
        "The log still holds every event after this number.",
        _of_log(lambda log: log.floor),
    ),
    Family(
        "clown_log_events",
        "gauge",
        "Events that the log holds.",
        _of_log(lambda log: log.head - log.floor),
    ),
    Family(
        "clown_database_bytes",
        "gauge",
        "Size of the database's files; file is main or wal.",
        lambda r: None if r.log is None else {("main",): r.log.database_bytes, ("wal",): r.log.wal_bytes},
        ("file",),
    ),
    Family(
        "clown_write_wait_seconds",
        "histogram",
        "How long a change waited for the database's writer.",
        lambda r: r.services.database.write_wait.read(),
    ),
    Family(
        "clown_write_seconds",
        "histogram",
        "How long the writer took for a change: transaction, commit and announcement.",
        lambda r: r.services.database.write_time.read(),
    ),
    Family(
        "clown_loop_lag_seconds",
        "histogram",
        "How much later than asked the event loop woke a task; one sample a second.",
        lambda r: r.services.loop_lag.read(),
    ),
    Family(
        "clown_refusals_total",
        "counter",
        "Requests and connections that were refused, by the code that the caller was told, or would have been.",
        lambda r: {(reason,): count for reason, count in sorted(r.services.refusals.by_reason.items())},
        ("reason",),
    ),
    Family("clown_tasks", "gauge", "Tasks of the event loop.", lambda r: r.tasks),
    Family(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory.",
        lambda r: r.process.resident_bytes,
    ),
    Family("process_open_fds", "gauge", "Open file descriptors.", lambda r: r.process.open_files),
    Family("process_threads", "gauge", "Threads.", lambda r: r.process.threads),
    Family(
        "process_cpu_seconds_total",
        "counter",
        "Processor time, user and system.",
        lambda r: r.process.cpu_seconds,
    ),
    Family(
        "process_start_time_seconds",
        "gauge",
        "When the process started, in seconds since the epoch.",
        lambda r: r.process.started_seconds,
    ),
)


async def take_reading(services: Services) -> Reading:
    """Look at everything once."""
    path = services.database.path

    def read(connection: sqlite3.Connection) -> LogFacts:
        wal = path.with_name(f"{path.name}-wal")
        return LogFacts(
            head=read_head(connection),
            floor=read_floor(connection),
            database_bytes=path.stat().st_size,
            wal_bytes=wal.stat().st_size if wal.exists() else 0,
        )

    try:
        log = await services.database.read(read)
    except StoreUnavailableError:
        log = None  # the daemon's own resource says what is wrong
    process = await asyncio.to_thread(process_facts)
    return Reading(services, services.broadcaster.cursors, process, len(asyncio.all_tasks()), log)


def expose(reading: Reading) -> bytes:
    """Write a reading in the text format of Prometheus."""
    # Imported at the first scrape: a daemon that nobody watches does not pay for it.
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415  # see above

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(reading))
    return generate_latest(registry)


class _Collector:
    """A reading as the library wants it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> "Iterator[Metric]":
        for family in FAMILIES:
            values = family.read(self._reading)
            if values is not None:
                yield _metric(family, values)


def _metric(family: Family, values: float | Distribution | Mapping[tuple[str, ...], float]) -> "Metric":
    from prometheus_client.core import (  # noqa: PLC0415  # as in `expose`
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if isinstance(values, Distribution):
        histogram = HistogramMetricFamily(family.name, family.help)
        buckets = [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in values.buckets]
        histogram.add_metric([], buckets, values.total)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric: CounterMetricFamily | GaugeMetricFamily = kind(family.name, family.help, labels=family.labels)
    for labels, value in values.items() if isinstance(values, Mapping) else (((), values),):
        metric.add_metric(labels, value)
    return metric
