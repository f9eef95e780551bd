"""What is asked of the ledger: reports, time lines, sessions, exports.

Everything is answered from rollups. What may be of years is read month by month, each in a read of its own, so that
nobody else waits long for the reader.
"""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection
from datetime import tzinfo
from functools import partial
from typing import NamedTuple, TypeVar

from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import (
    PERIOD_LABELS,
    SESSION_PLACE,
    UsageExportQuery,
    UsageFilter,
    UsageQuery,
    UsageSeriesQuery,
    UsageSessionsQuery,
)
from clown_daemon.protocol.resources import UsageBucket, UsageReport
from clown_daemon.protocol.timestamps import rfc3339
from clown_daemon.protocol.usage_reports import SessionPage, SessionUsage, UsageLine, UsageSeries
from clown_daemon.store.database import Database
from clown_daemon.store.periods import Span, months, span_of
from clown_daemon.store.usage_report import read_report
from clown_daemon.store.usage_sessions import Place, SessionRow, read_sessions
from clown_daemon.store.usage_spans import Only
from clown_daemon.store.usage_timeline import DayRow, first_use_ms, read_days, read_timeline
from clown_daemon.usage.known import (
    refuse_unknown_agent,
    refuse_unknown_profile,
    refuse_unknown_provider,
    zone_named,
)

T = TypeVar("T")


class Asked(NamedTuple):
    """What a query means at the instant that it is asked."""

    label: str
    """Of the period."""
    span: Span
    zone: tzinfo
    zone_name: str
    only: Only
    now_ms: int


class Export(NamedTuple):
    """What an export holds; its rows are read while they are sent."""

    asked: Asked
    rows: AsyncIterator[list[DayRow]]
    """The rows of a month at a time, sorted."""


class UsageReports:
    """Answers what the ledger says."""

    def __init__(self, *, database: Database, clock: Clock, providers: Collection[str]) -> None:
        """Answer from this database.

        Args:
            database: holds the ledger.
            clock: says when "today" is, and in which zone.
            providers: the ids of the catalogue's; others may be in the ledger.
        """
        self._database = database
        self._clock = clock
        self._providers = providers

    async def report(self, query: UsageQuery) -> UsageReport:
        """Answer `GET /api/usage`.

        Raises:
            DomainError: the time zone, the profile, the agent or the provider is unknown.
        """

        def read(connection: sqlite3.Connection, asked: Asked) -> UsageReport:
            return read_report(
                connection,
                query.period,
                asked.span,
                asked.only,
                now_ms=asked.now_ms,
                by_project=query.by == "project",
            )

        return await self._read(query, read)

    async def series(self, query: UsageSeriesQuery) -> UsageSeries:
        """Answer `GET /api/usage/series`.

        Raises:
            DomainError: as `report`.
        """
        asked = await self._read(query, _within_use)
        lines: dict[str, list[UsageBucket]] = {}
        for month in months(asked.span, asked.zone):
            read = partial(read_timeline, span=month, zone=asked.zone, step=query.bucket, by=query.by, only=asked.only)
            found = await self._database.read(read)
            for name, buckets in found.items():
                lines.setdefault(name, []).extend(buckets)
        return UsageSeries(
            period=asked.label,
            bucket=query.bucket,
            by=query.by,
            time_zone=asked.zone_name,
            start_ms=asked.span.start_ms,
            end_ms=asked.span.end_ms,
            lines=tuple(UsageLine(name=name, buckets=tuple(buckets)) for name, buckets in sorted(lines.items())),
        )

    async def sessions(self, query: UsageSessionsQuery) -> SessionPage:
        """Answer `GET /api/usage/sessions`.

        Raises:
            DomainError: as `report`, or `after` is no place in such a list.
        """
        after = None if query.after is None else _place(query.after)

        def read(connection: sqlite3.Connection, asked: Asked) -> SessionPage:
            # One more than asked for tells whether there is another page.
            found = read_sessions(
                connection, asked.span, asked.only, order=query.sort, after=after, limit=query.limit + 1
            )
            shown = found[: query.limit]
            last = shown[-1].place if len(found) > query.limit else None
            return SessionPage(
                period=asked.label,
                sessions=tuple(map(_session, shown)),
                next=None if last is None else f"{last.value}.{last.session}",
            )

        return await self._read(query, read)

    async def export(self, query: UsageExportQuery) -> Export:
        """Answer what `GET /api/usage/export` holds.

        Raises:
            DomainError: as `report`.
        """
        asked = await self._read(query, _within_use)
        return Export(asked, self._days(asked))

    async def _days(self, asked: Asked) -> AsyncIterator[list[DayRow]]:
        for month in months(asked.span, asked.zone):
            yield await self._database.read(partial(read_days, span=month, zone=asked.zone, only=asked.only))

    async def _read(self, query: UsageFilter, read: Callable[[sqlite3.Connection, Asked], T]) -> T:
        """Read what a query asks for in one transaction, if there is what it names."""
        now_ms = self._clock.now_ms()

        def checked(connection: sqlite3.Connection) -> T:
            zone = self._clock.zone if query.tz is None else zone_named(query.tz)
            refuse_unknown_profile(connection, query.profile)
            if query.agent is not None:
                refuse_unknown_agent(connection, query.agent)
            if query.provider is not None:
                refuse_unknown_provider(connection, query.provider, self._providers)
            asked = Asked(
                label=PERIOD_LABELS[query.period],
                span=span_of(query.period, now_ms, zone),
                zone=zone,
                zone_name=query.tz or self._clock.zone_name,
                only=Only(query.profile, query.agent, query.provider, query.model, query.project),
                now_ms=now_ms,
            )
            return read(connection, asked)

        return await self._database.read(checked)


def _within_use(connection: sqlite3.Connection, asked: Asked) -> Asked:
    """Begin all of time with the day of the first response."""
    if asked.span.start_ms > 0:
        return asked
    today = span_of("today", asked.now_ms, asked.zone)
    first = first_use_ms(connection)
    start = today.start_ms if first is None else min(span_of("today", first, asked.zone).start_ms, today.start_ms)
    return asked._replace(span=Span(start, asked.span.end_ms))


def _place(text: str) -> Place:
    if not re.match(SESSION_PLACE, text, re.ASCII) or text.endswith("\n"):
        raise DomainError(
            ProblemCode.INVALID_FIELD,
            f"after: {text!r} is no place in the list of sessions",
            hint="pass the `next` of the page before",
        )
    value, _, session = text.partition(".")
    return Place(int(value), int(session))


def _session(row: SessionRow) -> SessionUsage:
    return SessionUsage(
        session=row.name,
        agent_id=row.agent_id,
        parent_session=row.parent,
        profiles=row.profiles,
        models=row.models,
        projects=row.projects,
        tokens=row.sums.tokens,
        cost=row.sums.cost,
        responses=row.sums.responses,
        unpriced_responses=row.sums.unpriced_responses,
        first_used=rfc3339(row.first_ms),
        last_used=rfc3339(row.last_ms),
    )
