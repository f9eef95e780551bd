"""Whatever the connection does: old snapshot plus events is a fresh snapshot, and each event is told once, in order."""

import asyncio
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.client.states import Phase
from clown_daemon.client.sync import Follower
from clown_daemon.client.timing import Timing
from tests.support.following import Told, deleted, started
from tests.support.scripted_daemon import AT_MS, ScriptedDaemon, empty_snapshot, picture_of, scripted_daemon

WHAT = (
    *("put", "put", "put", "remove", "wait", "wait"),
    *("drop", "goodbye", "kill", "hold", "release", "hold snapshots", "release snapshots"),
    *("lose", "expire", "refresh", "heartbeat"),
)
FIRST = 7
STEP = st.tuples(st.sampled_from(WHAT), st.sampled_from("abc"), st.integers(0, 9))


class Hurry:
    """Waits between attempts pass at once."""

    def __init__(self) -> None:
        self.now = 0.0

    async def rest(self, _: asyncio.Event, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0.001)

    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now, wall_ms=lambda: AT_MS + round(self.now * 1000), rest=self.rest)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, min_size=10, max_size=60))
def test_the_picture_equals_a_fresh_snapshot_and_no_event_is_told_twice(steps: list[tuple[str, str, int]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, str, int]]) -> None:
    timing = Hurry().timing()
    async with scripted_daemon(empty_snapshot(seq=FIRST)) as daemon, Follower(daemon.url, timing=timing) as follower:
        told = Told(follower)
        await told.phase(Phase.LIVE)
        for what, alias, number in steps:
            await _do(what, alias, number, daemon, follower)
        daemon.sending.set()
        daemon.answering.set()
        daemon.emit(*started("end"))
        await told.until(lambda: told.seq == daemon.head and _accounted(told, daemon.head))
        assert told.picture == picture_of(daemon.snapshot())
        assert all(first < second for first, second in pairwise(told.numbers)), "told twice, or out of order"


def _accounted(told: Told, head: int) -> bool:
    """Every event was told, or admitted to be missed."""
    return len(told.numbers) + sum(gap.missed or 0 for gap in told.gaps) == head - FIRST


async def _do(what: str, alias: str, number: int, daemon: ScriptedDaemon, follower: Follower) -> None:
    match what:
        case "put":
            daemon.emit(*started(alias, number))
        case "remove":
            daemon.emit(*deleted(alias))
        case "wait":
            await asyncio.sleep(number / 2000)
        case "drop":
            daemon.drop_all()
        case "goodbye":
            daemon.drop_all(1001)
        case "kill":
            await daemon.stop(None)
            await daemon.start()
        case "lose":
            daemon.emit(*started(alias, number), lost=True)
        case "expire":
            daemon.floor = daemon.head
        case _:
            _let(what, daemon, follower)


def _let(what: str, daemon: ScriptedDaemon, follower: Follower) -> None:
    match what:
        case "hold":
            daemon.sending.clear()
        case "release":
            daemon.sending.set()
        case "hold snapshots":
            daemon.answering.clear()
        case "release snapshots":
            daemon.answering.set()
        case "refresh":
            follower.refresh()
        case "heartbeat":
            daemon.heartbeat()
