"""What belongs to the event stream over HTTP: the snapshot it starts from, and its history."""

import sqlite3
import zlib

import msgspec
from aiohttp import web

from clown_daemon.api.routes.replies import answer, query
from clown_daemon.api.services import SERVICES, Services
from clown_daemon.api.subscription import resolve
from clown_daemon.errors import DomainError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import UnknownNameError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import EventPage
from clown_daemon.protocol.requests import EventsQuery, NoQuery
from clown_daemon.protocol.resources import Snapshot
from clown_daemon.store.event_log import read_after, read_floor, read_head
from clown_daemon.store.snapshot import read_snapshot

_MINUTE_MS = 60_000


async def get_snapshot(request: web.Request) -> web.Response:
    query(request, NoQuery)
    services = request.app[SERVICES]
    now_ms = services.clock.now_ms()
    held = {tag.value for tag in request.if_none_match or ()}

    def read(connection: sqlite3.Connection) -> tuple[str, bytes | None]:
        # Time lines move with the minute although nothing happened, so the minute is a part of the reply's identity.
        # What does not work may be something that keeps events from being recorded, so it is one too.
        troubles = zlib.crc32("\n".join(services.daemon.daemon().problems).encode())
        tag = (
            f"{services.database.log}-{read_head(connection)}-{services.daemon.instance}"
            f"-{now_ms // _MINUTE_MS}-{troubles:x}"
        )
        if tag in held:
            return tag, None
        # Encoded here, on the reader's thread: the loop goes on serving the stream meanwhile. The last one is kept:
        # after a restart every client asks for the same.
        if services.snapshots.tag != tag:
            services.snapshots.keep(tag, codec.success(_snapshot(services, connection, now_ms)))
        return tag, services.snapshots.body

    tag, body = await services.database.read(read)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if body is None:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _snapshot(services: Services, connection: sqlite3.Connection, now_ms: int) -> Snapshot:
    return read_snapshot(
        connection,
        now_ms=now_ms,
        zone=services.clock.zone,
        zone_name=services.clock.zone_name,
        daemon=services.daemon.daemon,
        providers=[manifest.resource() for manifest in services.providers.providers.values()],
    )


async def get_events(request: web.Request) -> web.Response:
    asked = query(request, EventsQuery)
    types = None if asked.types is None else event_types(asked.types)
    database = request.app[SERVICES].database

    def read(connection: sqlite3.Connection) -> EventPage:
        head, floor = read_head(connection), read_floor(connection)
        if 0 < asked.since < floor:
            raise DomainError(
                ProblemCode.GONE, f"events up to {floor} are no longer kept", hint="take a snapshot and follow /ws"
            )
        events = read_after(connection, asked.since, limit=asked.limit, types=types, profile=asked.profile)
        full = len(events) == asked.limit
        return EventPage(
            log=database.log,
            events=tuple(msgspec.Raw(event.body) for event in events),
            next=events[-1].seq if full else max(head, asked.since),
            head=head,
            floor=floor,
        )

    return answer(await database.read(read))


def event_types(text: str) -> frozenset[str]:
    """Resolve a comma list of names, globs and groups.

    Raises:
        DecodeError: there are none, or too many.
        DomainError: one of them matches nothing; the hint has the nearest name.
    """
    try:
        return resolve([name for name in text.split(",") if name])
    except UnknownNameError as error:
        hint = f"did you mean {error.nearest}?" if error.nearest else f"known: {', '.join(EVENT_NAMES)}"
        raise DomainError(ProblemCode.UNKNOWN_EVENT, str(error), hint=hint) from None
