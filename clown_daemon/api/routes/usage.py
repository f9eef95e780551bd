"""Usage and cost."""

import logging
from collections.abc import AsyncIterator

from aiohttp import web

from clown_daemon.api.routes.replies import answer, body, query, query_of_command
from clown_daemon.api.services import SERVICES
from clown_daemon.clock import local_date
from clown_daemon.protocol import codec
from clown_daemon.protocol.openapi import CSV, FILE_NAME, JSON
from clown_daemon.protocol.requests import (
    CancelImports,
    ImportClaudeQuery,
    ImportUsage,
    NoQuery,
    UsageExportQuery,
    UsageQuery,
    UsageSeriesQuery,
    UsageSessionsQuery,
    WindowsQuery,
)
from clown_daemon.protocol.usage_reports import ExportRow, UsageExport
from clown_daemon.store.usage_timeline import DayRow
from clown_daemon.usage import csv_table
from clown_daemon.usage.reports import Export

logger = logging.getLogger(__name__)


async def get_usage(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICES].reports.report(query(request, UsageQuery)))


async def get_usage_series(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICES].reports.series(query(request, UsageSeriesQuery)))


async def list_usage_sessions(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICES].reports.sessions(query(request, UsageSessionsQuery)))


async def export_usage(request: web.Request) -> web.StreamResponse:
    asked = query(request, UsageExportQuery)
    export = await request.app[SERVICES].reports.export(asked)
    day = local_date(export.asked.now_ms, export.asked.zone).isoformat()
    reply = web.StreamResponse(
        headers={FILE_NAME: f'attachment; filename="clown-usage-{asked.period}-{day}.{asked.format}"'}
    )
    reply.content_type = CSV if asked.format == "csv" else JSON
    reply.charset = "utf-8"
    await reply.prepare(request)
    try:
        # Sent while it is read: years of usage are too much to be held at once.
        async for piece in _csv(export) if asked.format == "csv" else _json(export):
            await reply.write(piece)
        await reply.write_eof()
    except ConnectionError:
        pass  # the caller left, and nobody misses the rest
    except Exception:
        # A reply that has begun cannot become a failure any more; cut off, nobody takes it for whole.
        logger.exception("an export failed after it had begun")
        if request.transport is not None:
            request.transport.abort()
    return reply


async def import_claude(request: web.Request) -> web.Response:
    asked = await query_of_command(request, ImportClaudeQuery)
    return answer(await request.app[SERVICES].usage.import_claude(asked))


async def import_usage(request: web.Request) -> web.Response:
    asked = await body(request, ImportUsage)
    return answer(await request.app[SERVICES].usage.import_usage(asked), status=202)


async def cancel_imports(request: web.Request) -> web.Response:
    asked = await body(request, CancelImports)
    return answer(await request.app[SERVICES].usage.cancel_imports(asked))


async def list_usage_sources(request: web.Request) -> web.Response:
    query(request, NoQuery)
    return answer(await request.app[SERVICES].usage.sources())


async def _csv(export: Export) -> AsyncIterator[bytes]:
    yield csv_table.header()
    async for rows in export.rows:
        yield csv_table.lines(rows)


async def _json(export: Export) -> AsyncIterator[bytes]:
    """Write the envelope around rows that are not all there yet."""
    empty = UsageExport(period=export.asked.label, time_zone=export.asked.zone_name, rows=())
    before, after = codec.success(empty).rsplit(b"[]", 1)
    yield before + b"["
    comma = b""
    async for rows in export.rows:
        if rows:
            yield comma + codec.encode(list(map(_row, rows)))[1:-1]
            comma = b","
    yield b"]" + after


def _row(row: DayRow) -> ExportRow:
    sums = row.sums
    return ExportRow(
        date=row.day,
        profile=row.profile,
        agent_id=row.agent_id,
        provider=row.provider,
        model=row.model,
        responses=sums.responses,
        unpriced_responses=sums.unpriced_responses,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cache_creation_5m_input_tokens=sums.cache_write_5m_tokens,
        cache_creation_1h_input_tokens=sums.cache_write_1h_tokens,
        cache_read_input_tokens=sums.cache_read_tokens,
        reasoning_output_tokens=sums.reasoning_tokens,
        web_searches=sums.web_searches,
        cost=sums.cost,
    )


async def list_windows(request: web.Request) -> web.Response:
    return answer(await request.app[SERVICES].windows.list(query(request, WindowsQuery)))
