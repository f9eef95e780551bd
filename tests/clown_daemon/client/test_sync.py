"""The follower against a daemon that fails on command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import pytest

from clown_daemon.client.states import ConnectionChanged, EventReceived, Phase, SnapshotLoaded
from clown_daemon.client.sync import Follower
from clown_daemon.client.timing import Timing
from clown_daemon.errors import StartError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import DaemonShuttingDown, DaemonStarted, UnknownEvent
from tests.support.following import Told, deleted, started
from tests.support.scripted_daemon import AT_MS, DAEMON, ScriptedDaemon, empty_snapshot, picture_of, scripted_daemon
from tests.support.waiting import until


@pytest.fixture
async def daemon() -> AsyncIterator[ScriptedDaemon]:
    async with scripted_daemon(empty_snapshot(seq=100)) as running:
        yield running


class FakeTime:
    """Waits between attempts pass at once; the watch over a connection takes steps of a second that take 2 ms."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.jumped_seconds = 0.0
        self.waits: list[float] = []

    async def rest(self, _: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0.002)

    def timing(self, **parts: object) -> Timing:
        fields: dict[str, object] = {
            "wall_ms": lambda: AT_MS + round((self.now + self.jumped_seconds) * 1000),
            "monotonic": lambda: self.now,
            "uniform": lambda _, high: high,
            "rest": self.rest,
        }
        return Timing(**{**fields, **parts})  # type: ignore[arg-type]  # fields by name


# -- the way up --


async def test_it_connects_reads_the_snapshot_and_tells_events(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert told.phases == [Phase.CONNECTING, Phase.SYNCING, Phase.LIVE]
        assert isinstance(told.messages[2], SnapshotLoaded)
        daemon.emit(*started("a"))
        event = await told.event(101)
        assert not event.replayed
        assert told.picture == picture_of(daemon.snapshot())
        assert daemon.queries == [{"hello": "1"}]
        assert not told.gaps


async def test_it_is_an_iterator_of_messages(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        kinds = []
        async for message in follower:
            kinds.append(type(message))
            if isinstance(message, ConnectionChanged) and message.phase is Phase.LIVE:
                daemon.emit(*started("a"))
            if isinstance(message, EventReceived):
                break
        assert kinds == [ConnectionChanged, ConnectionChanged, SnapshotLoaded, ConnectionChanged, EventReceived]
    assert [message async for message in follower] == []


async def test_events_that_overtake_the_snapshot_are_told_once_and_in_order(daemon: ScriptedDaemon) -> None:
    daemon.answering.clear()
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.SYNCING)
        daemon.emit(*started("a", 1))
        await until(lambda: daemon.snapshots == 1)
        daemon.emit(*started("a", 2))
        daemon.emit(*deleted("b"))
        daemon.answering.set()
        await told.event(103)
        assert told.numbers == [101, 102, 103]
        assert told.picture == picture_of(daemon.snapshot())


async def test_an_event_between_the_greeting_and_the_snapshot_is_replayed(daemon: ScriptedDaemon) -> None:
    daemon.sending.clear()
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await until(lambda: daemon.clients == 1)
        daemon.emit(*started("a"))
        daemon.sending.set()
        event = await told.event(101)
        assert event.replayed
        assert told.seq == 101


async def test_nothing_listens_and_a_daemon_is_started(daemon: ScriptedDaemon) -> None:
    port = daemon.port
    await daemon.stop()
    calls = []

    async def start() -> ScriptedDaemon:
        calls.append(1)
        await daemon.start()
        return daemon

    async with Follower(f"http://127.0.0.1:{port}", start=start) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert told.phases == [Phase.CONNECTING, Phase.STARTING, Phase.SYNCING, Phase.LIVE]
        await daemon.stop(None)
        await told.phase(Phase.DOWN)
        assert calls == [1], "a daemon that was killed is not started again behind the user's back"
        follower.start_now()
        await told.phase(Phase.LIVE)
        assert calls == [1, 1]


async def test_a_daemon_that_starts_elsewhere_is_followed_there(daemon: ScriptedDaemon) -> None:
    async with ScriptedDaemon() as gone:
        url = gone.url

    async def start() -> ScriptedDaemon:
        await asyncio.sleep(0)
        return daemon

    async with Follower(url, start=start) as follower:
        told = Told(follower)
        change = await told.phase(Phase.LIVE)
        assert change.url == follower.url == daemon.url


async def test_a_daemon_that_cannot_start_is_explained_and_looked_for(daemon: ScriptedDaemon) -> None:
    await daemon.stop()

    async def start() -> None:
        raise StartError("port 1 is taken", hint="choose another")

    async with Follower(daemon.url, start=start) as follower:
        told = Told(follower)
        change = await told.phase(Phase.DOWN)
        assert (change.reason, change.hint) == ("port 1 is taken", "choose another")
        await daemon.start()
        await told.phase(Phase.LIVE)


# -- losses --


async def test_after_a_drop_it_resumes_without_a_hole_and_reads_the_snapshot(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.emit(*started("a", 1))
        await told.event(101)
        daemon.drop_all()
        daemon.emit(*started("a", 2))
        daemon.emit(*started("b", 3))
        last = await told.event(103)
        assert last.replayed
        assert told.numbers == [101, 102, 103]
        assert told.snapshots == 2
        assert [gap.missed for gap in told.gaps] == [0]
        assert told.gaps[0].away_seconds > 0
        assert daemon.queries[1] == {"hello": "1", "since": "101", "log": "log-a"}
        assert told.picture == picture_of(daemon.snapshot())


async def test_the_gap_is_told_before_the_events_after_it(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.drop_all()
        daemon.emit(*started("a"))
        await told.event(101)
        kinds = [type(message).__name__ for message in told.messages]
        assert kinds.index("GapFound") < kinds.index("EventReceived")


async def test_a_drop_while_the_snapshot_is_read_is_mended(daemon: ScriptedDaemon) -> None:
    daemon.answering.clear()
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await until(lambda: daemon.snapshots == 1)
        daemon.drop_all()
        daemon.emit(*started("a"))
        daemon.answering.set()
        await told.event(101)
        await told.phase(Phase.LIVE)
        assert told.picture == picture_of(daemon.snapshot())
        assert told.numbers == [101]


async def test_a_gap_in_the_stream_reads_the_snapshot_again(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.emit(*started("a", 1), lost=True)
        daemon.emit(*started("b", 2))
        await told.event(102)
        await told.phase(Phase.LIVE)
        assert [(gap.away_seconds, gap.missed) for gap in told.gaps] == [(0.0, 1)]
        assert told.picture == picture_of(daemon.snapshot())
        assert daemon.connects == 1


async def test_a_heartbeat_ahead_of_the_events_is_a_gap(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.emit(*started("a", 1), lost=True)
        daemon.heartbeat()
        await told.until(lambda: told.snapshots == 2)
        assert [gap.missed for gap in told.gaps] == [1]
        assert told.picture == picture_of(daemon.snapshot())


async def test_doubles_are_told_once(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        data, resource = started("a")
        seq = daemon.emit(data, resource)
        daemon.send_raw(codec.encode_event(data, resource, seq=seq, log="log-a", at_ms=1))
        daemon.emit(*started("b"))
        await told.event(102)
        assert told.numbers == [101, 102]


async def test_another_log_is_begun_anew(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await daemon.stop(None)
        daemon.set_snapshot(empty_snapshot(log="log-b", seq=3))
        daemon.emit(*started("z"))
        await daemon.start()
        await told.until(lambda: told.snapshots == 2)
        daemon.emit(*started("y"))
        await told.event(5)
        assert [gap.missed for gap in told.gaps] == [None]
        assert told.numbers == [5]
        assert told.picture == picture_of(daemon.snapshot())


async def test_an_expired_resume_says_how_many_events_are_gone(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await daemon.stop(None)
        for number in range(7):
            daemon.emit(*started("a", number))
        daemon.floor = 105
        await daemon.start()
        await told.until(lambda: told.snapshots == 2)
        assert [gap.missed for gap in told.gaps] == [7]
        assert told.picture == picture_of(daemon.snapshot())


async def test_what_was_missed_is_told_once_however_many_attempts_it_took(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await daemon.stop(None)
        for number in range(7):
            daemon.emit(*started("a", number))
        daemon.floor = 107
        daemon.answering.clear()
        await daemon.start()
        await until(lambda: daemon.snapshots == 2)
        await daemon.stop(None)
        daemon.emit(*started("b"))
        daemon.answering.set()
        await daemon.start()
        await told.event(108)
        assert [gap.missed for gap in told.gaps] == [7]
        assert told.numbers == [108]


async def test_a_clean_end_is_told_and_the_restart_is_found(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.emit(DaemonShuttingDown(reason="idle_timeout"), DAEMON)
        await daemon.stop(1001)
        change = await told.phase(Phase.STOPPED)
        assert change.reason == "the daemon stopped (idle timeout)"
        assert change.hint == "start it: clown-daemon start"
        assert change.retry_at is not None
        daemon.emit(DaemonStarted(version="0.1.0", pid=2), DAEMON)
        await daemon.start()
        await told.phase(Phase.LIVE)
        assert told.numbers == [101, 102]
        daemon.drop_all()
        change = await told.phase(Phase.BACKOFF)
        assert change.reason == "the connection to the daemon broke"


async def test_a_killed_daemon_is_found_soon_after_its_port_answers(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    async with Follower(daemon.url, timing=fake.timing()) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await daemon.stop(None)
        await told.until(lambda: told.phases.count(Phase.DOWN) > 20)
        assert max(fake.waits) <= 1.0
        await daemon.start()
        await told.phase(Phase.LIVE)


async def test_a_server_that_accepts_and_closes_is_tried_twelve_times_in_the_first_minute(
    daemon: ScriptedDaemon,
) -> None:
    daemon.close_code = 1011
    fake = FakeTime()
    timing = fake.timing(uniform=lambda low, _: low)
    async with Follower(daemon.url, timing=timing) as follower:
        told = Told(follower)
        began = fake.now
        await told.until(lambda: fake.now - began >= 59)
        assert daemon.connects <= 12
        await told.until(lambda: daemon.connects > 12)
        assert fake.now - began >= 60


async def test_a_daemon_that_accepts_and_says_nothing_is_given_up(
    daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.client.stream.OPEN_SECONDS", 0.05)
    daemon.stalled = True
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        change = await told.phase(Phase.BACKOFF)
        assert change.reason == "the daemon accepted, and said nothing for 0.05 s"
        daemon.stalled = False
        await told.phase(Phase.LIVE)


async def test_a_silent_daemon_that_answers_pings_is_live(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    daemon.heartbeat_secs = 1e6
    async with Follower(daemon.url, timing=fake.timing(sleep=fake.sleep)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        began = fake.now
        await until(lambda: fake.now - began > 120)
        daemon.emit(*started("a"))
        await told.event(101)
        assert told.phases == [Phase.CONNECTING, Phase.SYNCING, Phase.LIVE]


async def test_a_connection_that_froze_is_stale_then_given_up(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    async with _frozen_relay(daemon) as relay, Follower(relay.url, timing=fake.timing(sleep=fake.sleep)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        relay.freeze()
        stale = await told.phase(Phase.STALE)
        assert stale.reason is not None
        assert "silent for 2" in stale.reason
        lost = await told.phase(Phase.BACKOFF)
        assert lost.reason == "nothing was heard for 40 s"
        relay.thaw()
        daemon.emit(*started("a"))
        await told.event(101)
        assert told.gaps[0].away_seconds >= 40, "it was away since it was last heard"


async def test_retry_now_gives_a_silent_connection_up(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    async with _frozen_relay(daemon) as relay, Follower(relay.url, timing=fake.timing(sleep=fake.sleep)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        relay.freeze()
        await told.phase(Phase.STALE)
        relay.thaw()
        follower.retry_now()
        await told.phase(Phase.LIVE)


@pytest.mark.parametrize(
    "frame",
    [b"not json", b"[]", b'{"type":"X"}', b"{", b'{"type":"ProfileDeleted","timestamp":"t","data":{},"seq":101}'],
)
async def test_garbage_ends_the_connection_and_is_not_met_again(daemon: ScriptedDaemon, frame: bytes) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.emit(*started("a", 1))
        daemon.send_raw(frame)
        daemon.emit(*started("b", 2))
        change = await told.phase(Phase.BACKOFF)
        assert change.reason is not None
        assert change.reason.startswith("the daemon sent something unreadable")
        await told.phase(Phase.LIVE)
        daemon.emit(*started("c", 3))
        await told.event(103)
        assert told.numbers == [101, 103]
        assert "since" not in daemon.queries[1], "resuming would meet the same frame again"
        assert [gap.missed for gap in told.gaps] == [1]
        assert told.picture == picture_of(daemon.snapshot())


async def test_frames_of_a_newer_daemon_do_no_harm(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.send_raw(b'{"type":"Novelty","timestamp":"t","data":{"x":1}}')
        daemon.send_raw(
            b'{"type":"MoonRose","timestamp":"t","data":{"x":1},"seq":101,"log":"log-a","at_ms":5,"more":1}'
        )
        event = await told.event(101)
        assert isinstance(event.event, UnknownEvent)
        assert daemon.connects == 1


# -- refused for good --


@pytest.mark.parametrize("status", [401, 403, 400, 404])
async def test_a_refusal_is_final_until_somebody_asks(daemon: ScriptedDaemon, status: int) -> None:
    daemon.refusal = status, {"success": False, "error": "no", "code": "unauthorized", "hint": "do this"}
    fake = FakeTime()
    async with Follower(daemon.url, timing=fake.timing()) as follower:
        told = Told(follower)
        change = await told.phase(Phase.FATAL)
        assert (change.reason, change.hint, change.retry_at) == ("no", "do this", None)
        assert daemon.connects == 1
        assert fake.waits == []
        daemon.refusal = None
        follower.retry_now()
        await told.phase(Phase.LIVE)


async def test_a_daemon_that_is_busy_is_asked_again(daemon: ScriptedDaemon) -> None:
    daemon.refusal = 503, {"success": False, "error": "shutting down", "code": "shutting_down"}
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        change = await told.phase(Phase.BACKOFF)
        assert change.reason == "shutting down"
        daemon.refusal = None
        await told.phase(Phase.LIVE)


@pytest.mark.parametrize(("attribute", "value"), [("protocol", 99), ("close_code", 4500)])
async def test_another_protocol_is_final(daemon: ScriptedDaemon, attribute: str, value: int) -> None:
    setattr(daemon, attribute, value)
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.FATAL)


async def test_another_program_on_the_port_is_told(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url + "/elsewhere") as follower:
        change = await Told(follower).phase(Phase.FATAL)
        assert change.reason == "there is no /elsewhere/ws"


# -- the rest --


async def test_refresh_reads_the_snapshot_and_loses_no_event(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        daemon.answering.clear()
        follower.refresh()
        await until(lambda: daemon.snapshots == 2)
        daemon.emit(*started("a"))
        daemon.answering.set()
        event = await told.event(101)
        assert told.snapshots == 2
        assert not event.replayed
        assert told.picture == picture_of(daemon.snapshot())


async def test_the_snapshot_is_read_again_when_the_day_ends(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    daemon.set_snapshot(empty_snapshot(valid_until_ms=AT_MS + 2_000_000))
    async with Follower(daemon.url, timing=fake.timing(sleep=fake.sleep)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        await told.until(lambda: told.snapshots == 2)
        assert fake.now >= 2000
        seen = fake.now
        # The daemon still says the same instant: it is not asked in a loop.
        await told.until(lambda: told.snapshots == 3)
        assert fake.now - seen >= 60
        assert daemon.connects == 1


async def test_a_clock_that_jumped_means_the_machine_slept(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    async with Follower(daemon.url, timing=fake.timing(sleep=fake.sleep)) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        fake.jumped_seconds = 3600
        await told.until(lambda: told.phases.count(Phase.LIVE) == 2)
        assert fake.waits == []


async def test_a_jump_of_the_clock_ends_a_wait(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    daemon.refusal = 503, {"success": False, "error": "busy", "code": "shutting_down"}
    held = asyncio.Event()

    async def rest(woken: asyncio.Event, seconds: float) -> None:
        held.set()
        await asyncio.sleep(0.005)

    async with Follower(daemon.url, timing=fake.timing(rest=rest)) as follower:
        told = Told(follower)
        await held.wait()
        daemon.refusal = None
        fake.jumped_seconds = 3600
        await told.phase(Phase.LIVE)


async def test_retry_now_ends_a_wait(daemon: ScriptedDaemon) -> None:
    fake = FakeTime()
    daemon.refusal = 503, {"success": False, "error": "busy", "code": "shutting_down"}

    async def rest(woken: asyncio.Event, seconds: float) -> None:
        await woken.wait()

    async with Follower(daemon.url, timing=fake.timing(rest=rest)) as follower:
        told = Told(follower)
        await told.phase(Phase.BACKOFF)
        daemon.refusal = None
        follower.retry_now()
        await told.phase(Phase.LIVE)


async def test_a_part_of_the_events_is_followed_without_seeing_gaps_in_its_holes(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url, events=["ProfileStarted", "ProfileDeleted"], passive=True) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert daemon.queries == [{"hello": "1", "events": "ProfileStarted,ProfileDeleted", "passive": "1"}]
        daemon.emit(*started("a"), lost=True)
        daemon.emit(*started("b"))
        await told.event(102)
        daemon.emit(*started("c"), lost=True)
        daemon.heartbeat()
        daemon.emit(*started("d"))
        await told.event(104)
        daemon.drop_all()
        await told.until(lambda: told.snapshots == 2)
        assert daemon.queries[1]["since"] == "104"
        assert told.gaps[0].missed == 0


async def test_the_token_is_sent_and_never_shown(daemon: ScriptedDaemon) -> None:
    async with Follower(daemon.url, token="secret-token") as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        assert "secret-token" not in repr(told.messages)
        assert "secret-token" not in repr(daemon.queries)


async def test_who_reads_nothing_slows_the_daemon_and_loses_nothing(
    daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.client.outbox.BACKLOG_MESSAGES", 100)
    monkeypatch.setattr("clown_daemon.client.stream.BACKLOG_FRAMES", 50)
    async with Follower(daemon.url) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        for number in range(5000):
            daemon.emit(*started("a", number))
        while told.numbers[-1:] != [5100]:
            await asyncio.sleep(0)
            await told.more()
        assert told.numbers == list(range(101, 5101))


async def test_the_body_of_async_with_may_fail_as_it_likes(daemon: ScriptedDaemon) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Follower(daemon.url) as follower:
            await Told(follower).phase(Phase.LIVE)
            raise ZeroDivisionError


async def test_it_can_be_cancelled_in_any_phase(daemon: ScriptedDaemon) -> None:
    async def follow() -> None:
        async with Follower(daemon.url) as follower:
            async for _ in follower:
                pass

    for steps in range(0, 60, 3):
        task = asyncio.create_task(follow(), name="follow")
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: daemon.clients == 0)


class _FrozenRelay:
    """A TCP relay whose connections can freeze: nothing passes, nothing ends."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.url = ""

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        """Let new connections through; frozen ones stay lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.thaw()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._copy(reader, far_writer), name="up")
            tasks.create_task(self._copy(far_reader, writer), name="down")

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
        writer.close()


def _frozen_relay(daemon: ScriptedDaemon) -> _FrozenRelay:
    return _FrozenRelay(daemon.port)
