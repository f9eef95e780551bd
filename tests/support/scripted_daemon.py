"""A daemon that does what a test says: it speaks `/ws` and `/api/snapshot`, keeps a log, and fails on command.

What is emitted changes its resources ("put" or "remove"), so its snapshot is always what the events add up to.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import WSCloseCode, web

from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, EventData, Resource, subject_of
from clown_daemon.protocol.resources import (
    Agent,
    Budget,
    Daemon,
    Profile,
    ProfileUsage,
    Proxy,
    Registry,
    Snapshot,
    UsageImport,
)
from clown_daemon.protocol.stream import PROTOCOL_VERSION, Heartbeat, Hello, ResumeFailure

AT_MS = 1_790_000_000_000
DAEMON = Daemon(pid=4242, version="0.1.0", instance="scripted", started_at="2026-09-21T14:13:20Z")
NEVER_MS = 9_000_000_000_000


def empty_snapshot(**parts: Any) -> Snapshot:
    """A snapshot of a daemon that has nothing yet; `parts` are fields of `Snapshot`."""
    fields: dict[str, Any] = {
        "log": "log-a",
        "seq": 0,
        "at_ms": AT_MS,
        "time_zone": "UTC",
        "valid_until_ms": NEVER_MS,
        "daemon": DAEMON,
    }
    return Snapshot(**{**fields, **parts})


Picture = dict[tuple[str, str], Resource]
"""Resources by class name and key."""


def key_of(resource: Resource) -> tuple[str, str]:
    """The name under which a picture keeps a resource."""
    kind = type(resource).__name__
    match resource:
        case Profile(alias=key) | Agent(id=key) | ProfileUsage(profile=key) | Proxy(profile=key):
            return kind, key
        case UsageImport(source=key) | Budget(id=key):
            return kind, key
        case Daemon() | Registry():
            return kind, ""


def picture_of(snapshot: Snapshot) -> Picture:
    """Everything in a snapshot that events can change."""
    groups = (snapshot.profiles, snapshot.agents, snapshot.usage, snapshot.proxies, snapshot.imports, snapshot.budgets)
    parts: list[Resource] = [part for group in groups for part in group]
    parts.append(snapshot.daemon)
    if snapshot.registry is not None:
        parts.append(snapshot.registry)
    return {key_of(part): part for part in parts}


def apply(picture: Picture, event: Event) -> None:
    """Put or remove what the event carries."""
    if event.resource is not None:
        picture[key_of(event.resource)] = event.resource
        return
    kind = event.type.removesuffix("Deleted")
    picture.pop((kind, subject_of(event.data)), None)


@dataclass(eq=False)
class _Client:
    """One open stream: frames wait here until they are sent."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport
    frames: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    sent: int = 0


class ScriptedDaemon:
    """Start it with `async with` or `start`; `stop` and `start` again keep port and log.

    Attributes:
        connects: how many streams were opened so far.
        snapshots: how many snapshots were asked for so far.
        queries: the query of each stream that was opened.
        close_code: if set, every stream is accepted and closed with this code at once.
        refusal: if set, the status and problem that `/ws` and `/api/snapshot` answer.
        stalled: True sends nothing on new streams, not even `Hello`, and answers no ping.
        sending: clear it to hold back all frames, as a network that lags does.
        answering: clear it to hold back all snapshots.
        floor: resuming below it is refused as `expired`.
    """

    def __init__(self, port: int = 0, snapshot: Snapshot | None = None) -> None:
        self.port = port
        self.connects = 0
        self.snapshots = 0
        self.queries: list[dict[str, str]] = []
        self.close_code: int | None = None
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.stalled = False
        self.sending = asyncio.Event()
        self.sending.set()
        self.answering = asyncio.Event()
        self.answering.set()
        self.floor = 0
        self.protocol = PROTOCOL_VERSION
        self.heartbeat_secs = 15.0
        self._events: list[tuple[int, str, bytes]] = []
        self._clients: set[_Client] = set()
        self._runner: web.AppRunner | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.set_snapshot(snapshot or empty_snapshot())

    # -- life --

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    async def start(self) -> None:
        """Listen; the first port that was given by the system is kept."""
        app = web.Application()
        app.router.add_get("/ws", self._stream)
        app.router.add_get("/api/snapshot", self._answer_snapshot)
        app.router.add_get("/api/health", self._answer_health)
        app.router.add_route("*", "/{path:.*}", self._answer_nothing)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self, code: int | None = WSCloseCode.GOING_AWAY) -> None:
        """Listen no longer; streams close with the code, or are cut like a killed daemon's when it is None."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        self.drop_all(code)
        if code is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), 1)
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sending.set()
        self.answering.set()
        await self.stop(None)

    # -- what it knows --

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Begin at this state: its `log` and `seq` are the log's; what was emitted before is forgotten."""
        self._snapshot = snapshot
        self._picture = picture_of(snapshot)
        self._events = []
        self.log = snapshot.log
        self.head = snapshot.seq
        self.floor = snapshot.seq

    def snapshot(self) -> Snapshot:
        """What `/api/snapshot` answers now."""
        of: dict[str, list[Any]] = {}
        for (kind, _), resource in sorted(self._picture.items()):
            of.setdefault(kind, []).append(resource)
        return msgspec.structs.replace(
            self._snapshot,
            log=self.log,
            seq=self.head,
            daemon=of["Daemon"][0],
            profiles=tuple(of.get("Profile", ())),
            agents=tuple(of.get("Agent", ())),
            usage=tuple(of.get("ProfileUsage", ())),
            proxies=tuple(of.get("Proxy", ())),
            imports=tuple(of.get("UsageImport", ())),
            budgets=tuple(of.get("Budget", ())),
            registry=of.get("Registry", [None])[0],
        )

    # -- what happens --

    def emit(self, data: EventData, resource: Resource | None, *, lost: bool = False) -> int:
        """Record an event and send it to everybody; `lost` records it and sends it to nobody. Answers its `seq`."""
        self.head += 1
        at_ms = self._snapshot.at_ms + self.head
        body = codec.encode_event(data, resource, seq=self.head, log=self.log, at_ms=at_ms)
        name = type(data).__name__
        self._events.append((self.head, name, body))
        event = Event(type=name, timestamp="", data=data, seq=self.head, log=self.log, at_ms=at_ms, resource=resource)
        apply(self._picture, event)
        if not lost:
            self.send_raw(body)
        return self.head

    async def pour(
        self, make: Callable[[int], tuple[EventData, Resource | None]], *, count: int, per_second: int
    ) -> None:
        """Emit `count` events evenly, in ticks of 10 ms."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = 0
        while done < count:
            due = min(count, int((loop.time() - began) * per_second) + 1)
            for number in range(done, due):
                self.emit(*make(number))
            done = due
            await asyncio.sleep(0.01)

    def send_raw(self, frame: bytes) -> None:
        """Send any text to everybody."""
        for client in self._clients:
            client.frames.put_nowait(frame)

    def heartbeat(self, seq: int | None = None) -> None:
        """Send a heartbeat to everybody now."""
        data = Heartbeat(seq=self.head if seq is None else seq, sent=0)
        self.send_raw(codec.encode_control(data, at_ms=self._snapshot.at_ms))

    def drop_all(self, code: int | None = None) -> None:
        """End every stream: with a close code, or without a good-bye."""
        for client in list(self._clients):
            if code is None:
                client.transport.abort()
            else:
                client.frames.put_nowait(b"close:%d" % code)

    # -- handlers --

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.connects += 1
        self.queries.append(dict(request.query))
        if self.refusal is not None:
            status, problem = self.refusal
            return web.json_response(problem, status=status)
        socket = web.WebSocketResponse(compress=False, autoping=not self.stalled)
        await socket.prepare(request)
        if self.close_code is not None:
            await socket.close(code=self.close_code)
            return socket
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket  # it left already
        client = _Client(socket, transport)
        self._greet(client, request.query.get("since"), request.query.get("log"), request.query.get("events"))
        self._clients.add(client)
        self._quiet.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(client), name="send")
                async for _ in socket:
                    pass
                sending.cancel()
        except* ConnectionError:
            pass
        finally:
            self._clients.discard(client)
            if not self._clients:
                self._quiet.set()
        return socket

    def _greet(self, client: _Client, since: str | None, log: str | None, events: str | None) -> None:
        if self.stalled:
            return
        seq, reason = self.head, None
        if since is not None:
            reason = self._why_not(int(since), log)
            seq = self.head if reason else int(since)
        hello = Hello(
            protocol=self.protocol,
            version=self._snapshot.daemon.version,
            instance=self._snapshot.daemon.instance,
            log=self.log,
            seq=seq,
            floor=self.floor,
            head=self.head,
            resumed=since is not None and reason is None,
            reason=reason,
        )
        client.frames.put_nowait(codec.encode_control(hello, at_ms=self._snapshot.at_ms))
        wanted = None if events is None else set(events.split(","))
        for number, name, body in self._events:
            if number > seq and (wanted is None or name in wanted):
                client.frames.put_nowait(body)

    def _why_not(self, since: int, log: str | None) -> ResumeFailure | None:
        if log != self.log:
            return "log"
        if since > self.head:
            return "future"
        return "expired" if since < self.floor else None

    async def _send(self, client: _Client) -> None:
        while True:
            try:
                async with asyncio.timeout(self.heartbeat_secs):
                    frame = await client.frames.get()
            except TimeoutError:
                if self.stalled:
                    continue
                frame = codec.encode_control(Heartbeat(seq=self.head, sent=client.sent), at_ms=self._snapshot.at_ms)
            await self.sending.wait()
            if frame.startswith(b"close:"):
                await client.socket.close(code=int(frame[6:]))
                return
            await client.socket.send_str(frame.decode("utf-8", errors="surrogateescape"))
            client.sent += 1

    async def _answer_snapshot(self, _: web.Request) -> web.Response:
        self.snapshots += 1
        if self.refusal is not None:
            status, problem = self.refusal
            return web.json_response(problem, status=status)
        body = codec.success(self.snapshot())  # read first, sent later: events overtake it
        await self.answering.wait()
        return web.Response(body=body, content_type="application/json")

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": self._snapshot.daemon.version})

    async def _answer_nothing(self, request: web.Request) -> web.Response:
        problem = {"success": False, "error": f"there is no {request.path}", "code": "not_found"}
        return web.Response(status=404, text=json.dumps(problem), content_type="application/json")


@contextlib.asynccontextmanager
async def scripted_daemon(snapshot: Snapshot | None = None) -> AsyncIterator[ScriptedDaemon]:
    """A scripted daemon that listens on a free port."""
    async with ScriptedDaemon(snapshot=snapshot) as daemon:
        yield daemon
