"""What was used in each hour or day of the user's zone: what charts draw, and what an export writes down.

Days have 23 or 25 hours where clocks change, and hours begin at the zone's own full hours, also where those are at half
past of UTC. A step without usage is left out.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, NamedTuple

from clown_daemon.clock import midnight_ms
from clown_daemon.protocol.requests import Bucket, Dimension
from clown_daemon.protocol.resources import UsageBucket
from clown_daemon.store.periods import DAY_MS, HOUR_MS, QUARTER_MS, Segment, Span, local_day, segments
from clown_daemon.store.usage_spans import EVERYTHING, Only, cut
from clown_daemon.store.usage_sums import PICO_PER_USD, Sums, add_up

COLUMNS: dict[Dimension, str] = {
    "profile": "profile",
    "agent": "agent_id",
    "provider": "provider",
    "model": "model",
    "project": "path",
}
"""What each of these is called in the tables."""
_CHARTED = (
    "sum(rollup.responses), sum(rollup.unpriced_responses), sum(rollup.input_tokens + rollup.output_tokens"
    " + rollup.cache_write_5m_tokens + rollup.cache_write_1h_tokens + rollup.cache_read_tokens), sum(rollup.total_pico)"
)
_EVERY_SUM = ", ".join(f"sum(rollup.{name})" for name in Sums._fields)


class DayRow(NamedTuple):
    """What was used on one day of one profile, agent, provider and model."""

    day: str
    """`2026-11-23`, in the zone that was asked for."""
    profile: str
    agent_id: str
    provider: str
    model: str
    sums: Sums


def read_timeline(
    connection: sqlite3.Connection, span: Span, zone: tzinfo, step: Bucket, by: Dimension, only: Only = EVERYTHING
) -> dict[str, tuple[UsageBucket, ...]]:
    """The steps of a span, oldest first, by the names of something, sorted.

    Args:
        connection: in a read transaction.
        span: begins and ends with days of the zone.
        zone: whose hours and days they are.
        step: an hour or a day.
        by: what there is one time line for.
        only: what is counted.
    """
    found: defaultdict[tuple[str, int], list[tuple[int, ...]]] = defaultdict(list)
    for segment in segments(span, zone):
        for number, name, *amounts in _read(connection, segment, step, COLUMNS[by], _CHARTED, only):
            found[name, _start_ms(number, step, segment, zone)].append(tuple(amounts))
    lines: defaultdict[str, list[UsageBucket]] = defaultdict(list)
    for (name, start_ms), several in sorted(found.items()):
        responses, unpriced, tokens, pico = map(sum, zip(*several, strict=True))
        lines[name].append(UsageBucket(start_ms, tokens, pico / PICO_PER_USD if unpriced < responses else None))
    return {name: tuple(line) for name, line in lines.items()}


def read_days(connection: sqlite3.Connection, span: Span, zone: tzinfo, only: Only = EVERYTHING) -> list[DayRow]:
    """What was used on each day of a span, sorted by day, profile, agent, provider and model."""
    found: defaultdict[tuple[int, str, str, str, str], list[tuple[int, ...]]] = defaultdict(list)
    columns = "profile, agent_id, provider, model"
    for segment in segments(span, zone):
        for number, profile, agent_id, provider, model, *sums in _read(
            connection, segment, "day", columns, _EVERY_SUM, only
        ):
            found[number, profile, agent_id, provider, model].append(tuple(sums))
    return [
        DayRow(local_day(number).isoformat(), profile, agent_id, provider, model, add_up(sums))
        for (number, profile, agent_id, provider, model), sums in sorted(found.items())
    ]


def first_use_ms(connection: sqlite3.Connection) -> int | None:
    """The quarter of an hour in which anything was used first; None when nothing ever was."""
    row = connection.execute("SELECT at_ms FROM usage_records WHERE NOT replay ORDER BY at_ms LIMIT 1").fetchone()
    return None if row is None else row[0] // QUARTER_MS * QUARTER_MS


def _read(
    connection: sqlite3.Connection, segment: Segment, step: Bucket, columns: str, sums: str, only: Only
) -> Iterator[Any]:
    """Read sums by the number of the local hour or day since 1970 and by columns."""
    by_project = columns == COLUMNS["project"]
    condition, values = only.rows(segment.start_ms)
    step_ms = HOUR_MS if step == "hour" else DAY_MS
    days = "usage_session_days" if by_project or only.project is not None else "usage_days"
    span = Span(segment.start_ms, segment.end_ms)
    # Days of UTC are days of the zone only while its clocks show UTC.
    whole = step == "day" and segment.offset_ms == 0
    for table, column, part in cut(span, days) if whole else [("usage_quarters", "quarter_ms", span)]:
        projects = " JOIN usage_projects USING (project)" if by_project else ""
        yield from connection.execute(
            f"SELECT ({column} + ?) / ?, {columns}, {sums} FROM {table} AS rollup JOIN usage_series USING (series)"  # noqa: S608  # our own names
            f"{projects} WHERE {condition} AND {column} >= ? AND {column} < ? GROUP BY 1, {columns}",
            (segment.offset_ms, step_ms, *values, *part),
        )


def _start_ms(number: int, step: Bucket, segment: Segment, zone: tzinfo) -> int:
    if step == "day":
        return midnight_ms(local_day(number), zone)
    # Where clocks change by half an hour, an hour begins in the middle.
    return max(number * HOUR_MS - segment.offset_ms, segment.start_ms)
