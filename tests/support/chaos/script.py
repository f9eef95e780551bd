"""What a network does to one connection: a short list of faults, made from a seed, that prints as it is.

The same seed and connection number give the same script. When each step strikes is told in bytes or seconds, so a
script cuts a frame in its middle as often as between two.
"""

import random
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What can go wrong."""

    DELAY = "delay"
    """Everything comes later by `amount` seconds, once."""
    THROTTLE = "throttle"
    """From here on, `amount` bytes a second come to the client, in chunks of at most 64."""
    BLACK_HOLE = "black hole"
    """From here on nothing is forwarded; the connection stays open."""
    RESET = "reset"
    """Both ends see a reset."""
    FINISH = "finish"
    """Both ends see the end of the stream, as if the other side had closed."""


class Side(StrEnum):
    """Whose bytes a step counts."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Step:
    """One fault, and when it strikes: once that many bytes of a side went through, or so long after the connect."""

    fault: Fault
    side: Side = Side.DOWN
    after_bytes: int | None = None
    after_seconds: float | None = None
    amount: float = 0

    def __str__(self) -> str:
        when = f"{self.after_bytes} B {self.side}" if self.after_seconds is None else f"{self.after_seconds:.3f} s"
        return f"after {when}: {self.fault}{f' {self.amount:g}' if self.amount else ''}"


Script = tuple[Step, ...]
CALM: Script = ()


@dataclass(frozen=True)
class Weather:
    """How bad a network is: how often each kind of script comes up, and after how much of a stream."""

    good: float = 1
    slow: float = 1
    cut: float = 2
    dead: float = 0.3
    bytes_until: int = 20_000
    """The most bytes before a fault."""
    seconds_until: float = 1.0
    """The most seconds before a fault."""
    throttle: tuple[int, int] = (4_000, 60_000)


def script_of(seed: object, connection: int, weather: Weather) -> Script:
    """Make the script of one connection.

    Args:
        seed: anything that prints; the same one gives the same script.
        connection: its number, from 1.
        weather: how bad it may be.
    """
    chance = random.Random(f"{seed}/{connection}")  # noqa: S311  # a script, not a secret
    kinds = {"good": weather.good, "slow": weather.slow, "cut": weather.cut, "dead": weather.dead}
    kind = chance.choices(list(kinds), list(kinds.values()))[0]
    steps: list[Step] = []
    if chance.random() < 0.3:
        steps.append(
            Step(Fault.DELAY, after_bytes=chance.randrange(2_000), amount=round(chance.uniform(0.005, 0.1), 3))
        )
    if kind == "slow":
        rate = chance.randint(*weather.throttle)
        steps.append(Step(Fault.THROTTLE, after_bytes=chance.randrange(2_000), amount=rate))
    if kind == "dead":
        steps.append(_timed(chance, Fault.BLACK_HOLE, weather))
    if kind in {"cut", "slow"}:
        fault = chance.choice([Fault.RESET, Fault.FINISH])
        if chance.random() < 0.3:
            steps.append(_timed(chance, fault, weather))
        else:
            side = Side.UP if chance.random() < 0.2 else Side.DOWN
            most = 600 if side is Side.UP else weather.bytes_until
            steps.append(Step(fault, side, after_bytes=chance.randrange(most)))
    return tuple(steps)


def _timed(chance: random.Random, fault: Fault, weather: Weather) -> Step:
    return Step(fault, after_seconds=round(chance.uniform(0, weather.seconds_until), 3))
