"""Follow a daemon for as long as you like: one iterator of everything that happens, through every loss and restart.

Subscribe first, then read: the stream is opened, events wait in it, the snapshot is read and swapped in whole, the
waiting events are told after it. So old snapshot plus events always equals a fresh snapshot, and nothing is ever
cleared. After every reconnect the stream goes on where it was, so an event log has no hole, *and* the snapshot is read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from clown_daemon.client.api import DaemonApi
from clown_daemon.client.backoff import Backoff, Failure
from clown_daemon.client.continuity import Continuity
from clown_daemon.client.credentials import ACCESS_REFUSED, Credentials, TokenSource
from clown_daemon.client.errors import OutdatedError, RefusedError, StreamLostError
from clown_daemon.client.losses import failure_of, for_good, nothing_listens
from clown_daemon.client.outbox import Outbox
from clown_daemon.client.states import ConnectionChanged, EventReceived, GapFound, Message, Phase, SnapshotLoaded
from clown_daemon.client.timing import Timing
from clown_daemon.client.versions import is_older
from clown_daemon.errors import ClownError
from clown_daemon.protocol.events import DaemonShuttingDown, DaemonStarted, Event, UnknownEvent
from clown_daemon.protocol.resources import Snapshot
from clown_daemon.protocol.stream import ControlFrame, Heartbeat

if TYPE_CHECKING:
    from clown_daemon.client.stream import EventStream, Frame

SLICE_SECONDS = 1.0
"""Waits are cut in slices, to notice that the machine slept."""
JUMP_SECONDS = 30.0
REREAD_SECONDS = 60.0
"""The least time between two snapshots that are read because the last one expired."""


class Started(Protocol):
    """What starting a daemon answers; `launcher.StartedDaemon` is one."""

    @property
    def url(self) -> str:
        """Where it listens."""


class Follower:
    """Follows the daemon at `url`. Use it with `async with`, and read it from one task.

    Attributes:
        url: where the daemon is; starting one may change it.
        phase: how the connection stands.
    """

    def __init__(
        self,
        url: str,
        *,
        events: Collection[str] | None = None,
        token: TokenSource = None,
        start: Callable[[], Awaitable[Started | None]] | None = None,
        passive: bool = False,
        timing: Timing = Timing(),  # noqa: B008  # frozen
    ) -> None:
        """Follow, once entered.

        Args:
            url: `http://127.0.0.1:8765`.
            events: names, globs and groups of events to be told; None is all. Gaps cannot be seen in a part.
            token: the access token, where the daemon asks for one; or what reads it, asked before every attempt.
            start: starts a daemon; called once, when nothing listens or the daemon is older than this program, which
                it may replace, and after `start_now`.
            passive: following does not keep the daemon from its idle timeout.
            timing: where time and chance come from.
        """
        self.url = url.rstrip("/")
        self.phase = Phase.CONNECTING
        self._events = None if events is None else tuple(events)
        self._token = token
        self._credentials = Credentials(token)
        self._start = start
        self._may_start = start is not None
        self._passive = passive
        self._timing = timing
        self._api = DaemonApi(self.url, token=token)
        self._backoff = Backoff(timing.uniform)
        self._continuity = Continuity(filtered=events is not None)
        self._stream: EventStream | None = None
        self._nudged = asyncio.Event()
        self._refresh_wanted = False
        self._reread_at_ms: float | None = None
        self._live_since: float | None = None
        self._away_since: float | None = None
        self._missed: int | None = 0
        self._garbled = False
        self._farewell: str | None = None
        self._why_down: ClownError | None = None
        self._outbox = Outbox()
        self._tasks = asyncio.TaskGroup()
        self._following: asyncio.Task[None] | None = None

    # -- for its user --

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._following = self._tasks.create_task(self._follow(), name="follower")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._outbox.close()
        if self._following is not None:
            self._following.cancel()
        try:
            # The user's own error leaves as it is; the group is told of none, so it wraps none.
            cancelled = isinstance(error, asyncio.CancelledError)
            await self._tasks.__aexit__(kind if cancelled else None, error if cancelled else None, None)
        finally:
            await self._api.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self._outbox.take()
        if message is None:
            raise StopAsyncIteration
        return message

    async def next_batch(self) -> list[Message]:
        """Wait for something to happen and answer everything that is there, oldest first; empty once it is closed."""
        return await self._outbox.take_all()

    def retry_now(self) -> None:
        """Try to connect at once, also after FATAL; a connection that stands is kept unless it is silent."""
        self._backoff.forget()
        self._nudged.set()
        if self.phase is Phase.STALE and self._stream is not None:
            self._stream.abandon("connecting anew, as asked", at_once=True)

    def start_now(self) -> None:
        """Try to connect at once, and start a daemon if nothing listens."""
        self._may_start = self._start is not None
        self.retry_now()

    def refresh(self) -> None:
        """Read the snapshot again; `SnapshotLoaded` follows. Without a connection, the next one reads it anyway."""
        if self._stream is not None:
            self._refresh_wanted = True
            self._stream.wake()

    # -- the loop --

    async def _follow(self) -> None:
        while True:
            try:
                await self._connect()
            except ClownError as error:
                await self._api.close()
                if await self._token_changed(error):
                    continue
                if not await self._started_one(error):
                    await self._wait_after(error)

    async def _connect(self) -> None:
        """Connect, synchronise, and tell what happens until the connection is lost."""
        from clown_daemon.client.stream import open_stream  # noqa: PLC0415  # a first frame is drawn without websockets

        if self.phase not in {Phase.DOWN, Phase.STOPPED, Phase.STARTING}:  # asked every second; no news
            self._tell(Phase.CONNECTING)
        resume = None if self._garbled else self._continuity.resume
        opened = open_stream(
            self.url,
            resume=resume,
            events=self._events,
            token=await self._credentials.refresh(),
            passive=self._passive,
            timing=self._timing,
        )
        async with opened as stream:
            if self._may_start and is_older(stream.hello.version):
                # Told only once: this client must be gone before the daemon can be idle.
                raise OutdatedError(f"the daemon is of version {stream.hello.version}")
            self._stream = stream
            try:
                await self._synchronise(stream)
                await self._tell_events(stream)
            finally:
                self._stream = None

    async def _synchronise(self, stream: "EventStream") -> None:
        self._why_down = self._farewell = None
        self._garbled = False
        self._tell(Phase.SYNCING)
        missed = self._continuity.greeted(stream.hello)
        self._missed = None if missed is None or self._missed is None else self._missed + missed
        snapshot = await self._read()
        self._tell_return()
        self._swap(snapshot)
        self._live_since = self._timing.monotonic()
        self._tell(Phase.LIVE)

    def _tell_return(self) -> None:
        """Say how long nothing could be seen, and how much was missed, over all attempts since."""
        if self._away_since is not None:
            now = self._timing.monotonic()
            gap = GapFound(away_seconds=now - self._away_since, missed=self._missed, at_ms=self._timing.wall_ms())
            self._outbox.add(gap)
        self._away_since = None
        self._missed = 0

    async def _load(self) -> None:
        """Read the snapshot and swap it in."""
        self._swap(await self._read())

    async def _read(self) -> Snapshot:
        """Read the snapshot. Events wait in the stream meanwhile, so it is never behind what was told."""
        self._refresh_wanted = False
        snapshot = await self._api.snapshot()
        if not self._continuity.accepts(snapshot.log, snapshot.seq):
            raise StreamLostError("the daemon's snapshot does not fit its stream")
        return snapshot

    def _swap(self, snapshot: Snapshot) -> None:
        self._continuity.load(snapshot.seq)
        now_ms = self._timing.wall_ms()
        self._reread_at_ms = max(snapshot.valid_until_ms, now_ms + REREAD_SECONDS * 1000)
        self._outbox.add(SnapshotLoaded(snapshot=snapshot, at_ms=now_ms))

    async def _tell_events(self, stream: "EventStream") -> None:
        while True:
            frames = await stream.next_batch()
            await self._take(frames)
            if stream.stale:
                # Should it be given up, it was away since then, and not only since somebody noticed.
                self._away_since = self._timing.monotonic() - stream.silent_seconds
                self._tell(Phase.STALE, reason=f"the daemon was silent for {round(stream.silent_seconds)} s")
            elif self.phase is Phase.STALE:
                self._away_since = None
                self._tell(Phase.LIVE)
            if self._refresh_wanted or self._expired():
                await self._load()
            await self._outbox.until_room()

    def _expired(self) -> bool:
        return self._reread_at_ms is not None and self._timing.wall_ms() >= self._reread_at_ms

    async def _take(self, frames: "list[Frame]") -> None:
        at_ms = self._timing.wall_ms()
        for frame in frames:
            if isinstance(frame, ControlFrame):
                if isinstance(frame.data, Heartbeat):
                    await self._bookmark(frame.data.seq)
                continue
            skipped = self._continuity.skipped(frame.seq)
            if skipped < 0:
                continue
            if skipped > 0:
                await self._mend(skipped)
            replayed = self._continuity.advance(frame.seq)
            self._heed(frame)
            self._outbox.add(EventReceived(event=frame, at_ms=at_ms, replayed=replayed))

    async def _bookmark(self, seq: int) -> None:
        """Take the daemon's word that everything up to `seq` was sent."""
        # Up to seq, so the event after it is the next: a whole stream lacks what is between.
        skipped = self._continuity.skipped(seq + 1)
        if skipped > 0:
            await self._mend(skipped)
        if skipped >= 0:
            self._continuity.advance(seq)

    async def _mend(self, missed: int) -> None:
        """Events are missing in the middle of the stream: say so, and read the snapshot, which has what they did."""
        self._tell(Phase.SYNCING)
        # Told only now: should reading fail, the next connection resumes before the gap and may fill it.
        snapshot = await self._read()
        self._outbox.add(GapFound(away_seconds=0.0, missed=missed, at_ms=self._timing.wall_ms()))
        self._swap(snapshot)
        self._tell(Phase.LIVE)

    def _heed(self, event: Event | UnknownEvent) -> None:
        match event.data:
            case DaemonShuttingDown(reason=reason):
                self._farewell = f"the daemon stopped ({reason.replace('_', ' ')})"
            case DaemonStarted():
                self._farewell = None

    # -- when it is lost --

    async def _token_changed(self, error: ClownError) -> bool:
        """Whether access was refused for a token that was replaced since it was read."""
        refused = isinstance(error, RefusedError) and error.status in ACCESS_REFUSED
        return refused and await self._credentials.changed()

    async def _started_one(self, error: ClownError) -> bool:
        """Start a daemon if nothing listens, or an old one, and that is wanted; answer whether to connect at once."""
        wanted = nothing_listens(error) or isinstance(error, OutdatedError)
        if self._start is None or not self._may_start or not wanted:
            return False
        self._may_start = False
        self._tell(Phase.STARTING)
        try:
            started = await self._start()
        except ClownError as failed:
            self._why_down = failed
            return False
        if started is not None and started.url.rstrip("/") != self.url:
            self.url = started.url.rstrip("/")
            self._api = DaemonApi(self.url, token=self._token)
        return True

    async def _wait_after(self, error: ClownError) -> None:
        """Say what is wrong and wait until it is time for the next attempt."""
        now = self._timing.monotonic()
        live_seconds = None if self._live_since is None else now - self._live_since
        if live_seconds is not None and self._away_since is None:
            self._away_since = now
        self._live_since = None
        if for_good(error):
            self._tell(Phase.FATAL, reason=str(error), hint=error.hint)
            self._nudged.clear()
            await self._nudged.wait()
            return
        if isinstance(error, StreamLostError):
            self._garbled = error.garbled
            if error.at_once:
                return
        wait = self._backoff.failed(failure_of(error), now=now, live_seconds=live_seconds)
        phase, shown = self._shown(error)
        self._tell(phase, reason=str(shown), hint=shown.hint, retry_at=now + wait)
        await self._rest(wait)

    def _shown(self, error: ClownError) -> tuple[Phase, ClownError]:
        """Which phase a failure is, and the words that explain it best."""
        if failure_of(error) is Failure.SAID_GOODBYE and self._farewell is None:
            self._farewell = str(error)
        if self._farewell is not None:
            return Phase.STOPPED, ClownError(self._farewell, hint="start it: clown-daemon start")
        if nothing_listens(error):
            return Phase.DOWN, self._why_down or error
        return Phase.BACKOFF, error

    async def _rest(self, seconds: float) -> None:
        self._nudged.clear()
        until = self._timing.monotonic() + seconds
        drift = self._drift()
        while not self._nudged.is_set() and (left := until - self._timing.monotonic()) > 0:
            await self._timing.rest(self._nudged, min(left, SLICE_SECONDS))
            if abs(self._drift() - drift) > JUMP_SECONDS:
                self._backoff.forget()
                return

    def _drift(self) -> float:
        return self._timing.wall_ms() / 1000 - self._timing.monotonic()

    # -- what is told --

    def _tell(
        self, phase: Phase, *, reason: str | None = None, hint: str | None = None, retry_at: float | None = None
    ) -> None:
        if phase is self.phase and phase in {Phase.LIVE, Phase.STALE}:
            return
        self.phase = phase
        self._outbox.add(
            ConnectionChanged(
                phase=phase,
                at_ms=self._timing.wall_ms(),
                url=self.url,
                reason=reason,
                hint=hint,
                retry_at=retry_at,
                attempt=self._backoff.attempts,
            )
        )
