"""One chaos run: a real daemon, clients of every kind, commands, a bad network and a killer, all from one seed.

Afterwards comes calm: everything drains, every picture must equal a fresh snapshot, and the whole history is judged.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from clown_daemon.client.sync import Follower
from tests.support.chaos.follower_client import FollowerClient
from tests.support.chaos.history import History, SnapshotRead, Told
from tests.support.chaos.killer import Killer, steady_port, strikes_of
from tests.support.chaos.load import AGENT, Load
from tests.support.chaos.pictures import differences, picture_of
from tests.support.chaos.proxy import ChaosProxy
from tests.support.chaos.raw_client import Habits, RawClient
from tests.support.chaos.recorder import read_log
from tests.support.chaos.script import Weather, script_of
from tests.support.chaos.validator import assert_valid
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

STORM_SECONDS = 60
"""Ends a storm in which nothing is answered any more."""
FLAKY = Weather(seconds_until=0.8)
NARROW = Weather(good=0.2, slow=5, cut=1, dead=0, throttle=(20_000, 80_000))
FEW = ("Profile*", "Daemon*")
HABITS = {
    "plain": Habits(plain=True, resumes=False),
    "steady": Habits(),
    "picky": Habits(events=("ProfileUpdated", "Usage*")),
    "talker": Habits(talks=0.2),
    "restless": Habits(leaves=0.03, talks=0.05),
    "slow": Habits(lags_seconds=0.01),
}
DIRECT = ("plain", "steady")
"""Those that the network spares, so that a daemon's own faults show."""


@dataclass(frozen=True)
class Size:
    """How much of it."""

    seconds: float
    strikes: int
    commands: int
    """So many are answered at least, however slow the machine is."""


SHORT = Size(seconds=0.8, strikes=1, commands=40)
LONG = Size(seconds=4.0, strikes=4, commands=250)


class Figures(msgspec.Struct):
    """What a run did."""

    events: int = 0
    deliveries: int = 0
    kills: int = 0
    cuts: int = 0
    resumes: int = 0
    commands: int = 0
    unknown: int = 0
    """Commands that nobody answered."""
    snapshots: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Figures(*(a + b for a, b in zip(mine, theirs, strict=True)))


async def chaos_run(seed: int, size: Size, folder: Path, *, repeat: str) -> Figures:
    """Play one seed.

    Args:
        seed: decides everything but what the scheduler does.
        size: how long and how bad.
        folder: empty; holds the daemon, and the history after a failure.
        repeat: the command that plays the seed again.

    Raises:
        AssertionError: something was lost, doubled or diverged, in words, with the scripts of the seed.
    """
    run = _Run(seed, size, folder)
    try:
        return await run.play()
    except* AssertionError as group:
        notes = [str(error) for error in group.exceptions]
        raise AssertionError("\n".join([*notes, *run.notes(), f"repeat it: {repeat}"])) from group


class _Run:
    """The parts of one run."""

    def __init__(self, seed: int, size: Size, folder: Path) -> None:
        self._seed = seed
        self._size = size
        self._folder = folder
        self._history = History(complete=True)
        self._daemon = daemon = RealDaemon(folder, recorded=False, CLOWN_STOP_GRACE_SECS="2")
        # A daemon under coverage takes three times as long to start; its lines are covered elsewhere.
        for name in [name for name in daemon.environ if name.startswith("COVERAGE")]:
            del daemon.environ[name]
        daemon.add_agent("quick", AGENT)
        daemon.port = steady_port()
        self._strikes = strikes_of(seed, size.strikes, within_seconds=size.seconds)
        self._killer = Killer(daemon, self._strikes, self._history)
        self._flaky = ChaosProxy(daemon.port, partial(script_of, f"{seed}/flaky", weather=FLAKY))
        self._narrow = ChaosProxy(daemon.port, partial(script_of, f"{seed}/narrow", weather=NARROW))
        self._raw: list[RawClient] = []
        self._followers: list[FollowerClient] = []

    def notes(self) -> list[str]:
        """What was done to everybody, for the report of a failure."""
        strikes = "; ".join(map(str, self._strikes))
        return [
            f"seed {self._seed}, the daemon: {strikes}",
            f"the flaky network, by connection:\n{self._flaky.told()}",
            f"the narrow network, by connection:\n{self._narrow.told()}",
        ]

    async def play(self) -> Figures:
        """Chaos, calm, judgement."""
        await self._daemon.start()
        try:
            async with self._flaky, self._narrow, asyncio.TaskGroup() as tasks:
                async with contextlib.AsyncExitStack() as followers:
                    await self._open(tasks, followers)
                    load = await self._storm(tasks)
                    await self._drain()
                cuts = self._flaky.cuts + self._narrow.cuts
                for client in self._raw:
                    client.end()
                await self._daemon.stop()
        finally:
            await self._daemon.stop()
        history = self._history
        history.committed = read_log(self._daemon.state_dir / "clown.db")
        assert_valid(history, self._folder)
        assert history.committed is not None
        return Figures(
            events=history.committed.head,
            deliveries=len(history.of(Told)),
            kills=self._killer.kills,
            cuts=cuts,
            resumes=sum(client.resumes for client in self._raw),
            commands=load.answered,
            unknown=load.unknown,
            snapshots=len(history.of(SnapshotRead)),
        )

    async def _open(self, tasks: asyncio.TaskGroup, followers: contextlib.AsyncExitStack) -> None:
        """Let the clients come."""
        urls = dict.fromkeys(HABITS, self._flaky.url) | dict.fromkeys(DIRECT, self._daemon.url)
        urls["slow"] = self._narrow.url
        for name, habits in HABITS.items():
            client = RawClient(name, urls[name], self._history, habits, self._seed)
            self._raw.append(client)
            tasks.create_task(client.run(), name=f"client.{name}")
        for name, url, events in (
            ("follower", self._flaky.url, None),
            ("narrow follower", self._narrow.url, None),
            ("picky follower", self._flaky.url, FEW),
        ):
            follower = await followers.enter_async_context(Follower(url, events=events))
            told = FollowerClient(name, follower, self._history, events or ("*",))
            self._followers.append(told)
            tasks.create_task(told.run(), name=f"client.{name}")

    async def _storm(self, tasks: asyncio.TaskGroup) -> Load:
        """Command and strike; everything is calm afterwards."""
        load = Load(self._daemon, self._flaky.url, self._history, self._seed)
        ended = asyncio.Event()
        callers = [
            tasks.create_task(load.run(name, flaky=flaky, ended=ended), name=f"load.{name}")
            for name, flaky in (("boss", False), ("second", False), ("remote", True))
        ]
        enough = tasks.create_task(asyncio.sleep(self._size.seconds), name="enough")
        await self._killer.run()
        await enough
        await until(lambda: load.answered >= self._size.commands, seconds=STORM_SECONDS)
        ended.set()
        await asyncio.wait(callers)
        self._flaky.calm()
        self._narrow.calm()
        return load

    async def _drain(self) -> None:
        """Wait until everybody has everything, and compare the pictures with a fresh snapshot."""
        for told in self._followers:
            told.follower.retry_now()
        fresh = await self._fresh()
        await asyncio.gather(*(client.settle(fresh["seq"]) for client in self._raw))
        for told in self._followers:
            await (self._has_its_part(told) if told.narrowed else self._agrees(told))
            assert not told.gaps, f"{told.name} was told of a gap: {told.gaps}"

    async def _agrees(self, told: FollowerClient) -> None:
        """Wait for a moment at which a follower and the daemon stand at the same number, and compare."""
        seen = 0

        async def same() -> bool:
            nonlocal seen
            fresh = await self._fresh()
            seen = fresh["seq"]
            if told.seq != seen:
                return False
            differing = differences(told.picture, picture_of(fresh))
            assert not differing, f"{told.name} diverged at {seen}: {'; '.join(differing)}"
            return True

        try:
            await until(same)
        except TimeoutError:
            raise AssertionError(f"{told.name} came to {told.seq} and never to {seen}") from None

    async def _has_its_part(self, told: FollowerClient) -> None:
        """Wait until a narrowed follower was told the last event that it asked for; its picture is a part, too."""
        log = read_log(self._daemon.state_dir / "clown.db")
        assert log is not None
        last = max((seq for seq, kind in log.types.items() if kind in told.wanted), default=0)
        try:
            await until(lambda: max(told.last, told.joined) >= last)
        except TimeoutError:
            raise AssertionError(f"{told.name} came to {told.last} and never to {last}") from None

    async def _fresh(self) -> dict[str, Any]:
        asked_at = time.monotonic()
        data: dict[str, Any] = await self._daemon.ask("GET", "/api/snapshot")
        self._history.add(SnapshotRead(client="judge", asked_at=asked_at, data=data))
        return data
