import msgspec
import pytest

from clown_daemon.client.states import ConnectionChanged, EventReceived, Message, Phase, SnapshotLoaded
from clown_daemon.clock import ManualClock
from clown_daemon.protocol.events import Event, ProfileCreated
from clown_daemon.protocol.resources import (
    AgentUsage,
    Budget,
    Cost,
    Daemon,
    ModelUsage,
    PeriodUsage,
    PlanWindow,
    Profile,
    ProfileUsage,
    Proxy,
    ProxyMinute,
    Snapshot,
    Tokens,
    UsageBucket,
)
from clown_tui.app import ClownApp
from clown_tui.settings import Settings
from clown_tui.state.panes import Pane
from tests.support.dashboard_state import crossed
from tests.support.fake_feed import FakeFeed
from tests.support.frames import assert_golden, frame_text
from tests.support.waiting import until

URL = "http://127.0.0.1:8765"
CLOCK = ManualClock()
NOW = CLOCK.now_ms()
AT = "2026-09-21T14:13:20Z"
DAY = NOW - NOW % 86_400_000
SIZES = [(200, 60), (120, 40), (80, 24), (50, 15), (34, 8)]


def connection(phase: Phase, *, at_ms: int = NOW, reason: str | None = None, attempt: int = 0) -> ConnectionChanged:
    return ConnectionChanged(phase=phase, at_ms=at_ms, url=URL, reason=reason, attempt=attempt)


def loaded(*aliases: str) -> SnapshotLoaded:
    daemon = Daemon(pid=1, version="0.1.0", instance="i", started_at=AT)
    profiles = tuple(profile(alias) for alias in aliases)
    snapshot = Snapshot(
        log="log", seq=1, at_ms=NOW, time_zone="UTC", valid_until_ms=NOW * 2, daemon=daemon, profiles=profiles
    )
    return SnapshotLoaded(snapshot=snapshot, at_ms=NOW)


def profile(alias: str) -> Profile:
    return Profile(
        alias=alias, agent_id="claude", provider_id="anthropic", created_at=AT, profile_home=f"/home/dev/{alias}"
    )


def created(alias: str, seq: int) -> EventReceived:
    data = ProfileCreated(alias=alias, agent_id="claude", provider_id="anthropic", model=None)
    event = Event(
        type="ProfileCreated", timestamp=AT, data=data, seq=seq, log="log", at_ms=NOW, resource=profile(alias)
    )
    return EventReceived(event=event, at_ms=NOW)


def spending() -> list[Message]:
    """Two agents at work, three budgets, one of them nearly spent, and the event that said so."""
    claude, codex = a_part("claude", 3.54), a_part("codex", 0.58)
    usages = (a_total("review", codex), a_total("work", claude))
    warned = Budget(id="profile:work:day:usd", profile="work", period="day", limit_usd=4.0, start_ms=DAY, crossed=(80,))
    budgets = (
        Budget(id="total:day:usd", period="day", limit_usd=10.0, start_ms=DAY),
        Budget(id="total:month:tokens", period="month", limit_tokens=50_000_000, start_ms=DAY - 20 * 86_400_000),
    )
    told = crossed(80, id=warned.id, profile="work", limit_usd=4.0, spent_usd=3.54)
    snapshot = msgspec.structs.replace(loaded("work", "review").snapshot, usage=usages, budgets=budgets)
    event = Event(type="BudgetThresholdCrossed", timestamp=AT, data=told, seq=2, log="log", at_ms=NOW, resource=warned)
    return [
        connection(Phase.LIVE),
        SnapshotLoaded(snapshot=snapshot, at_ms=NOW),
        EventReceived(event=event, at_ms=NOW),
    ]


def a_part(agent_id: str, usd: float) -> AgentUsage:
    tokens = Tokens(input_tokens=300_000, output_tokens=40_000, cache_read_input_tokens=1_000_000)
    return AgentUsage(agent_id=agent_id, tokens=tokens, cost=Cost(total_cost=usd), responses=9)


def a_total(alias: str, part: AgentUsage) -> ProfileUsage:
    usd = part.cost.total_cost or 0.0
    period = PeriodUsage(
        start_ms=DAY,
        tokens=part.tokens,
        cost=part.cost,
        responses=part.responses,
        by_model=(ModelUsage(model=f"{alias}-model", tokens=part.tokens, cost=part.cost, responses=part.responses),),
        by_agent=(part,),
    )
    window = PlanWindow(
        start_ms=NOW - 3 * 3_600_000,
        end_ms=NOW + 72 * 60_000,
        tokens=part.tokens,
        cost=part.cost,
        responses=part.responses,
    )
    return ProfileUsage(
        profile=alias,
        agent_id=part.agent_id,
        last_used=AT,
        today=period,
        week=period,
        month=period,
        minutes=(UsageBucket(NOW // 60_000 * 60_000, part.tokens.total, usd / 10),),
        hours=(UsageBucket(NOW // 3_600_000 * 3_600_000, part.tokens.total, usd),),
        days=(UsageBucket(DAY, part.tokens.total, usd),),
        window=window if part.agent_id == "claude" else None,
    )


def metering() -> SnapshotLoaded:
    """Four proxies: one that runs, one that is being started again, one that was given up, one that is stopped."""
    minute_ms = NOW // 60_000 * 60_000
    minutes = tuple(ProxyMinute(minute_ms - ago * 60_000, 14 - ago, ago // 4, 402.0) for ago in (9, 4, 2, 1, 0))
    given_up = "it ended 5 times within 60 s and is not started again: the file of certificates cannot be read"
    proxies = (
        Proxy(
            profile="work",
            enabled=True,
            port=8081,
            pid=48122,
            status="running",
            restarts=1,
            started_at=AT,
            requests=18_311,
            errors=12,
            last_request_ms=NOW - 12_000,
            last_status=200,
            minutes=minutes,
        ),
        Proxy(profile="review", enabled=True, port=8082, pid=None, status="backing_off", restarts=3, requests=40),
        Proxy(profile="lab", enabled=True, port=8083, pid=None, status="failed", restarts=4, last_error=given_up),
        Proxy(profile="spare", enabled=True, port=8084, pid=None, status="stopped", last_request_ms=NOW - 7_500_000),
    )
    snapshot = msgspec.structs.replace(loaded("work", "review", "lab", "spare", "plain").snapshot, proxies=proxies)
    return SnapshotLoaded(snapshot=snapshot, at_ms=NOW)


LIVE: list[Message] = [connection(Phase.LIVE), loaded("work", "review"), created("lab", 2)]
STATES: dict[str, list[Message]] = {
    "live": LIVE,
    "spending": spending(),
    "empty": [connection(Phase.LIVE), loaded()],
    "offline": [connection(Phase.DOWN, reason="nothing listens at 127.0.0.1:8765", attempt=3)],
    "stale": [*LIVE, connection(Phase.STALE, reason="the daemon was silent for 45 s")],
}


def make(feed: FakeFeed, settings: Settings | None = None) -> ClownApp:
    return ClownApp(settings=settings or Settings(), connect=lambda: feed, clock=CLOCK)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES)
async def test_every_state_at_every_size(state: str, size: tuple[int, int]) -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=size) as pilot:
        feed.tell(*STATES[state])
        await until(lambda: app.flushes > 0)
        await pilot.pause()
        assert_golden(f"{state}-{size[0]}x{size[1]}", frame_text(app))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_proxies_in_every_state_at_every_size(size: tuple[int, int]) -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=size) as pilot:
        feed.tell(connection(Phase.LIVE), metering())
        await until(lambda: app.flushes > 0)
        await pilot.press("2")
        await pilot.pause()
        assert_golden(f"proxies-{size[0]}x{size[1]}", frame_text(app))


async def test_a_full_screen_of_proxies_has_every_column_and_enter_the_whole_error() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(connection(Phase.LIVE), metering())
        await until(lambda: app.flushes > 0)
        await pilot.press("2", "2")
        await pilot.pause()
        assert_golden("proxies-full-120x40", frame_text(app))
        await pilot.press("enter")
        await pilot.pause()
        assert "the file of certificates cannot" in frame_text(app)
        assert "be read" in frame_text(app)
        await pilot.press("escape", "G", "enter")
        await pilot.pause()
        assert_golden("proxy-details-120x40", frame_text(app))


async def test_a_tick_repaints_nothing_of_a_quiet_proxy() -> None:
    feed = FakeFeed()
    clock = ManualClock()
    app = ClownApp(settings=Settings(), connect=lambda: feed, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        snapshot = metering().snapshot
        quiet = tuple(msgspec.structs.replace(proxy, last_request_ms=NOW - 90_000) for proxy in snapshot.proxies)
        feed.tell(
            connection(Phase.LIVE), SnapshotLoaded(snapshot=msgspec.structs.replace(snapshot, proxies=quiet), at_ms=NOW)
        )
        await until(lambda: app.flushes > 0)
        await pilot.pause()
        painted = app.main.panes[Pane.PROXIES].repainted_lines
        clock.advance(1.0)
        app.show()
        assert app.main.panes[Pane.PROXIES].repainted_lines == painted


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_daemon_of_another_version_is_pointed_out(size: tuple[int, int]) -> None:
    feed = FakeFeed()
    app = ClownApp(settings=Settings(), connect=lambda: feed, clock=CLOCK, version="0.2.0")
    async with app.run_test(size=size) as pilot:
        feed.tell(*LIVE)
        await until(lambda: app.flushes > 0)
        await pilot.pause()
        text = frame_text(app)
        assert "≠ daemon 0.1.0 runs, this is 0.2.0: clown-daemon restart" in text
        assert_golden(f"skewed-{size[0]}x{size[1]}", text)


async def test_the_terminals_bell_rings_once_for_a_threshold_that_was_crossed(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(ClownApp, "bell", lambda self: rung.append(self.flushes))
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(*spending())
        await until(lambda: len(rung) == 1)
        feed.tell(created("lab", 3))
        await until(lambda: "lab" in app.model.profiles)
        await pilot.pause()
        assert len(rung) == 1


async def test_many_messages_are_painted_in_few_flushes() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)):
        feed.tell(connection(Phase.LIVE), loaded())
        for seq in range(2, 1002):
            feed.tell(created(f"work{seq}", seq))
        await until(lambda: app.model.seq == 1001)
        assert app.flushes <= 10


async def test_events_open_the_pane_narrowed_until_escape() -> None:
    feed = FakeFeed()
    app = make(feed, Settings(events=("Proxy*",)))
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(*LIVE)
        await until(lambda: app.flushes > 0)
        await pilot.pause()
        assert app.main.pane is Pane.EVENTS
        assert "[Proxy*]" in frame_text(app)
        assert "1 Profiles" not in frame_text(app)
        assert len(app.event_log) == 0
        await pilot.press("escape")
        await pilot.pause()
        assert "1 Profiles" in frame_text(app)
        assert len(app.event_log) == 1


async def test_keys_ask_the_follower() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(*STATES["offline"])
        await until(lambda: app.flushes > 0)
        await pilot.press("c", "s", "ctrl+r")
        assert feed.asked == ["retry", "start", "refresh"]


async def test_a_filter_narrows_the_panes_of_text_too() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(*LIVE)
        await until(lambda: app.flushes > 0)
        await pilot.press("3", "/", *"projected", "enter")
        await pilot.pause()
        assert "projected" in frame_text(app)
        assert "TODAY" not in frame_text(app)
        assert "/ projected" in frame_text(app)
        await pilot.press("4", "/", *"nowhere", "enter")
        await pilot.pause()
        assert "match: Esc clears the filter" in frame_text(app)
        await pilot.press("escape", "3", "escape")
        await pilot.pause()
        assert "TODAY" in frame_text(app)
        assert "match:" not in frame_text(app)


async def test_the_countdown_runs_between_the_ticks() -> None:
    feed = FakeFeed()
    clock = ManualClock()
    app = ClownApp(settings=Settings(), connect=lambda: feed, clock=clock)
    async with app.run_test(size=(120, 40)):
        lost = ConnectionChanged(phase=Phase.BACKOFF, at_ms=NOW, url=URL, attempt=3, retry_at=clock.monotonic() + 5)
        feed.tell(*LIVE, lost)
        await until(lambda: "retry 4 in 5.0s" in frame_text(app))
        clock.advance(0.4)
        shown = app.flushes
        await until(lambda: "retry 4 in 4.6s" in frame_text(app))
        assert app.flushes == shown


async def test_a_stopped_daemon_is_offered_to_be_started_unless_that_was_forbidden() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(80, 24)):
        feed.tell(*LIVE, connection(Phase.STOPPED, reason="the daemon stopped (stop)"))
        await until(lambda: "DAEMON STOPPED" in frame_text(app))
        assert "(s start · c connect now)" in frame_text(app)
    forbidden = make(feed, Settings(start=False))
    async with forbidden.run_test(size=(80, 24)):
        feed.tell(*LIVE, connection(Phase.STOPPED, reason="the daemon stopped (stop)"))
        await until(lambda: "DAEMON STOPPED" in frame_text(forbidden))
        assert "(c connect now)" in frame_text(forbidden)


async def test_a_log_that_is_frozen_while_empty_says_what_it_holds_back() -> None:
    feed = FakeFeed()
    app = make(feed)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell(*STATES["empty"])
        await until(lambda: app.flushes > 0)
        await pilot.press("space")
        feed.tell(created("lab", 2))
        await until(lambda: "1 unseen event: space shows what came" in frame_text(app))
        await pilot.press("space")
        await until(lambda: "ProfileCreated" in frame_text(app))


@pytest.mark.parametrize(
    ("messages", "keys"),
    [(STATES["live"], ""), (STATES["spending"], ""), ([connection(Phase.LIVE), metering()], "2")],
    ids=["live", "spending", "proxies"],
)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_ascii_draws_the_same_frame_in_ascii_alone(
    size: tuple[int, int], messages: list[Message], keys: str
) -> None:
    frames = []
    for ascii_only in (False, True):
        feed = FakeFeed()
        app = make(feed, Settings(ascii=ascii_only))
        async with app.run_test(size=size) as pilot:
            feed.tell(*messages)
            await until(lambda app=app: app.flushes > 0)  # type: ignore[misc]  # the app of this round
            await pilot.press(*keys)
            await pilot.pause()
            frames.append(frame_text(app))
    full, drawn = frames
    assert drawn.isascii()
    assert not full.isascii()
    assert [len(line) for line in drawn.splitlines()] == [len(line) for line in full.splitlines()]
