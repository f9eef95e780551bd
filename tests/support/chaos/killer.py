"""Kills, stops and pauses a daemon at moments that a seed decides, and starts it again where it was."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.chaos.history import History, Signalled
from tests.support.real_daemon import RealDaemon

_STEADY_PORTS = range(20_000, 32_000)
_PORT_TRIES = 100


@dataclass(frozen=True)
class Strike:
    """One thing done to the daemon."""

    after_seconds: float
    """Since the strike before."""
    signal: signal.Signals
    seconds: float
    """How long it stays dead, or paused."""

    def __str__(self) -> str:
        return f"after {self.after_seconds:.3f} s: {self.signal.name} for {self.seconds:.3f} s"


def strikes_of(seed: object, count: int, *, within_seconds: float) -> tuple[Strike, ...]:
    """Make a list of strikes, spread at random over a time; a seed gives the same one each time."""
    chance = random.Random(f"{seed}/strikes")  # noqa: S311  # a script, not a secret
    kinds = [signal.SIGKILL] * 4 + [signal.SIGTERM, signal.SIGSTOP]
    most = 2 * within_seconds / max(count, 1)
    return tuple(
        Strike(round(chance.uniform(0, most), 3), chance.choice(kinds), round(chance.uniform(0, 0.2), 3))
        for _ in range(count)
    )


class Killer:
    """Does to a daemon what a list says.

    Attributes:
        kills: how many times it was killed so far.
    """

    def __init__(self, daemon: RealDaemon, strikes: Sequence[Strike], history: History) -> None:
        self.kills = 0
        self._daemon = daemon
        self._strikes = strikes
        self._history = history

    async def run(self) -> None:
        """Strike, in order; the daemon runs afterwards."""
        for strike in self._strikes:
            await asyncio.sleep(strike.after_seconds)
            self._history.add(Signalled(name=strike.signal.name))
            match strike.signal:
                case signal.SIGSTOP:
                    os.kill(self._daemon.pid, signal.SIGSTOP)
                    await asyncio.sleep(strike.seconds)
                    os.kill(self._daemon.pid, signal.SIGCONT)
                    continue
                case signal.SIGTERM:
                    assert await self._daemon.stop() == 0
                case _:
                    self.kills += 1
                    await self._daemon.kill()
            await asyncio.sleep(strike.seconds)
            await self._daemon.start()
            self._history.add(Signalled(name="started"))


def steady_port() -> int:
    """A free port that stays ours while the daemon is dead.

    Ports that the system hands out for outgoing connections will not do: whoever calls a dead daemon's port from that
    very port connects to itself, and the port is taken when the daemon comes back.
    """
    chance = random.SystemRandom()
    for _ in range(_PORT_TRIES):
        port = chance.choice(_STEADY_PORTS)
        try:
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")
